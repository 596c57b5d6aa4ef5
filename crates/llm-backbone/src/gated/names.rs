//! Names of modules as Hugging Face and GGUF files have them.

use super::GatedFamily;
use crate::gguf::GgufFile;
use crate::model::HEAD;
use crate::rope::stretch::ROPE_DIVISORS;
use crate::weights::WeightError;
use crate::weights::gguf_names::GgufNames;

pub(crate) const EMBED: &str = "model.embed_tokens";
pub(crate) const NORM: &str = "model.norm";
pub(crate) const BLOCKS: &str = "model.layers";
pub(crate) const ATTENTION_NORM: &str = "input_layernorm";
pub(crate) const Q: &str = "self_attn.q_proj";
pub(crate) const Q_NORM: &str = "self_attn.q_norm";
pub(crate) const K: &str = "self_attn.k_proj";
pub(crate) const K_NORM: &str = "self_attn.k_norm";
pub(crate) const V: &str = "self_attn.v_proj";
pub(crate) const O: &str = "self_attn.o_proj";
/// In front of the feed-forward layer, or where a family says so behind attention.
pub(crate) const MLP_NORM: &str = "post_attention_layernorm";
pub(crate) const GATE: &str = "mlp.gate_proj";
pub(crate) const UP: &str = "mlp.up_proj";
pub(crate) const DOWN: &str = "mlp.down_proj";

/// Names in pairs: Hugging Face's and that of a GGUF file.
type Table = [(&'static str, &'static str)];

/// The norms in front of both halves.
pub(crate) const BEFORE: &Table = &[(ATTENTION_NORM, "attn_norm"), (MLP_NORM, "ffn_norm")];
/// The norms of queries and keys.
pub(crate) const QK_NORMS: &Table = &[(Q_NORM, "attn_q_norm"), (K_NORM, "attn_k_norm")];
/// The linear layers.
pub(crate) const LINEAR: &Table = &[
    (Q, "attn_q"),
    (K, "attn_k"),
    (V, "attn_v"),
    (O, "attn_output"),
    (GATE, "ffn_gate"),
    (UP, "ffn_up"),
    (DOWN, "ffn_down"),
];

/// The tensors of Llama, with rows in the order of Hugging Face.
pub(crate) fn gguf_names<F: GatedFamily>(
    architecture: &'static str,
    read: fn(&GgufFile) -> Result<F, WeightError>,
) -> GgufNames<F> {
    GgufNames {
        architecture,
        known_by: None,
        read,
        outside: &[
            (EMBED, "token_embd"),
            (NORM, "output_norm"),
            (HEAD, "output"),
        ],
        blocks: BLOCKS,
        inside: &[BEFORE, LINEAR],
        biased: &[],
        norms_above_one: false,
        no_weights: &[ROPE_DIVISORS],
        permuted_heads: |_, _| None,
    }
}

/// The heads of a module whose rows Llama's converter puts into another order.
pub(crate) fn llama_heads<F: GatedFamily>(config: &F, module: &str) -> Option<usize> {
    let sizes = &config.shape().sizes;
    match module {
        Q => Some(sizes.num_heads),
        K => Some(sizes.num_kv_heads),
        _ => None,
    }
}
