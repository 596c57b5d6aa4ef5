//! One block: attention and a gated feed-forward layer, each added to the stream.

use burn::module::Module;
use burn::tensor::Tensor;

use super::{DOWN, GatedShape, K_NORM, O, Plan, Q_NORM, QkNorms};
use crate::attention::{Context, attend};
use crate::cache::KvCache;
use crate::linear::{Linear, SideBySide};
use crate::loader::Loader;
use crate::mlp::GatedMlp;
use crate::norm::RmsNorm;
use crate::parts::parts;
use crate::weights::WeightError;

/// `h = x + after(attention(before(x))); y = h + after(mlp(before(h)))`, with those of the norms that the family has.
#[derive(Module, Debug)]
pub(crate) struct GatedBlock {
    before_attention: Option<RmsNorm>,
    attention: GatedAttention,
    after_attention: Option<RmsNorm>,
    before_mlp: Option<RmsNorm>,
    mlp: GatedMlp,
    after_mlp: Option<RmsNorm>,
}

parts!(GatedBlock: before_attention, attention, after_attention, before_mlp, mlp, after_mlp);

impl GatedBlock {
    pub(super) fn load(
        plan: &Plan,
        shape: &GatedShape,
        weights: &Loader<'_>,
    ) -> Result<Self, WeightError> {
        let d = shape.sizes.hidden_size;
        let norm = |name: Option<&str>| {
            name.map(|name| plan.norm(weights, name, (d, shape.rms_norm_eps)))
                .transpose()
        };
        let inner = [d, shape.intermediate_size];
        Ok(Self {
            before_attention: norm(plan.norms.before_attention)?,
            attention: GatedAttention::load(plan, shape, weights)?,
            after_attention: norm(plan.norms.after_attention)?,
            before_mlp: norm(plan.norms.before_mlp)?,
            mlp: GatedMlp::load(weights, (plan.gate_up, DOWN), inner, plan.act)?,
            after_mlp: norm(plan.norms.after_mlp)?,
        })
    }

    pub(super) fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let normed = through(&self.before_attention, x.clone());
        let seen = self.attention.forward(normed, context, cache);
        let h = x + through(&self.after_attention, seen);
        let normed = through(&self.before_mlp, h.clone());
        h + through(&self.after_mlp, self.mlp.forward(normed))
    }
}

fn through(norm: &Option<RmsNorm>, x: Tensor<2>) -> Tensor<2> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

/// Attention with grouped queries.
#[derive(Module, Debug)]
pub(crate) struct GatedAttention {
    /// Queries `[d, heads * head_dim]`, keys and values `[d, kv_heads * head_dim]`.
    qkv: SideBySide,
    /// `[head_dim]`, or as wide as all queries.
    q_norm: Option<RmsNorm>,
    /// `[head_dim]`, or as wide as all keys.
    k_norm: Option<RmsNorm>,
    /// `[heads * head_dim, d]`.
    o: Linear,
    head_dim: usize,
    scale: f64,
}

parts!(GatedAttention: qkv, q_norm, k_norm, o);

impl GatedAttention {
    fn load(plan: &Plan, shape: &GatedShape, weights: &Loader<'_>) -> Result<Self, WeightError> {
        let sizes = &shape.sizes;
        let (d, head_dim) = (sizes.hidden_size, sizes.head_dim);
        let (queries, keys) = (sizes.query_width(), sizes.key_width());
        let norm = |name: &str, all: usize| {
            let width = match plan.qk_norms {
                QkNorms::None => return Ok(None),
                QkNorms::EachHead => head_dim,
                QkNorms::AllHeads => all,
            };
            let norm = plan.norm(weights, name, (width, shape.rms_norm_eps));
            norm.map(Some)
        };
        let widths = [queries, keys, keys];
        Ok(Self {
            qkv: SideBySide::load(weights, plan.qkv, d, &widths, plan.qkv_biased)?,
            q_norm: norm(Q_NORM, queries)?,
            k_norm: norm(K_NORM, keys)?,
            o: weights.linear(O, [queries, d])?,
            head_dim,
            scale: plan.score_scale,
        })
    }

    fn forward(
        &self,
        x: Tensor<2>,
        context: &Context,
        cache: Option<(usize, &mut KvCache)>,
    ) -> Tensor<2> {
        let [q, k, v] = self.qkv.forward(x);
        let (q, k) = (normed(q, &self.q_norm), normed(k, &self.k_norm));
        let [q, k, v] = [q, k, v].map(|y| context.heads(y, self.head_dim));
        let qkv = [context.rotate(q), context.rotate(k), v];
        self.o.forward(attend(qkv, self.scale, context, cache))
    }
}

/// Queries or keys in pieces as wide as their norm, `[n, heads * head_dim]` to the same.
fn normed(x: Tensor<2>, norm: &Option<RmsNorm>) -> Tensor<2> {
    let Some(norm) = norm else {
        return x;
    };
    let ([n, width], piece) = (x.dims(), norm.width());
    let pieces = x.reshape([n * width / piece, piece]);
    norm.forward(pieces).reshape([n, width])
}
