//! Scaled dot-product attention with grouped queries and an arbitrary mask.

use burn::module::Module;
use burn::tensor::{Bool, DType, Int, Tensor};

use crate::cache::KvCache;
use crate::fused::attention;
use crate::matrix::cast_if_needed;
use crate::rope::{Rope, RopeRows};

/// What is added to the score of a hidden key.
pub(crate) const HIDDEN: f32 = -1e30;

/// One kind of attention: how blocks of that kind know positions, and how far back they look.
#[derive(Module, Debug)]
pub(crate) struct Sight {
    /// None where queries and keys are not rotated.
    pub(crate) rope: Option<Rope>,
    /// Positions that a token sees, its own among them; none where it sees all.
    #[module(skip)]
    pub(crate) window: Option<usize>,
}

impl Sight {
    /// Rotated, and without a limit.
    pub(crate) fn whole(rope: Rope) -> Self {
        Self {
            rope: Some(rope),
            window: None,
        }
    }
}

/// What the attention of a block takes from a batch: where its tokens are, and what they may look at.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    rope: Option<RopeRows>,
    /// `[batch, 1, seq, keys]` in f32, with the keys in front.
    bias: Tensor<4>,
    /// Keys and values of the block in front of all others, `[batch, kv_heads, tokens, head_dim]`.
    in_front: Option<[Tensor<4>; 2]>,
}

impl Context {
    /// One for each kind of attention. `positions` is `[batch, seq]`; `keys`, `[batch, keys]`, has the positions of cached and
    /// new tokens; `visible`, `[batch, 1, seq, keys]`, is true where a query may look at a key. All see what is `in_front`.
    pub(crate) fn each(
        sights: &[Sight],
        (positions, keys): (&Tensor<2, Int>, &Tensor<2, Int>),
        visible: Tensor<4, Bool>,
        in_front: usize,
    ) -> Vec<Self> {
        let bias = bias_from_visible(visible);
        let of = |sight: &Sight| {
            let bias = match sight.window {
                Some(window) => bias.clone() + bias_from_visible(within(window, positions, keys)),
                None => bias.clone(),
            };
            Self {
                rope: sight.rope.as_ref().map(|rope| rope.rows(positions.clone())),
                bias: seen_in_front(bias, in_front),
                in_front: None,
            }
        };
        sights.iter().map(of).collect()
    }

    /// The same for a block that has these keys and values in front.
    pub(crate) fn behind(&self, in_front: [Tensor<4>; 2]) -> Self {
        Self {
            in_front: Some(in_front),
            ..self.clone()
        }
    }

    /// `[batch * seq, heads * head_dim]` to `[batch, heads, seq, head_dim]`.
    pub(crate) fn heads(&self, x: Tensor<2>, head_dim: usize) -> Tensor<4> {
        let [batch, _, seq, _] = self.bias.dims();
        let [_, width] = x.dims();
        x.reshape([batch, seq, width / head_dim, head_dim])
            .swap_dims(1, 2)
    }

    /// Rotates the first dimensions of queries or keys, `[batch, heads, seq, head_dim]`, where this kind of attention does.
    pub(crate) fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        match &self.rope {
            Some(rope) => rope.rotate(x),
            None => x,
        }
    }
}

/// Where a key is at most `window - 1` positions behind a query, `[batch, 1, seq, keys]`.
fn within(window: usize, positions: &Tensor<2, Int>, keys: &Tensor<2, Int>) -> Tensor<4, Bool> {
    let ([batch, seq], [_, count]) = (positions.dims(), keys.dims());
    let positions = positions.clone().reshape([batch, 1, seq, 1]);
    let behind = positions - keys.clone().reshape([batch, 1, 1, count]);
    behind.lower_elem(i32::try_from(window).unwrap_or(i32::MAX))
}

/// `softmax(scale q k^T + bias) v`, `[batch * seq, heads * head_dim]`, where earlier keys and values of the
/// block come from its `cache`, which the new ones are added to.
///
/// `q` is `[batch, heads, seq, head_dim]`; `k` and `v` are `[batch, kv_heads, seq, head_dim]`, `heads` a multiple of
/// `kv_heads`. Half-precision scores are normalised in f32.
pub(crate) fn attend(
    [q, k, v]: [Tensor<4>; 3],
    scale: f64,
    context: &Context,
    cache: Option<(usize, &mut KvCache)>,
) -> Tensor<2> {
    let (k, v) = match cache {
        Some((block, cache)) => cache.append(block, k, v),
        None => (k, v),
    };
    let (k, v) = match &context.in_front {
        Some([front_k, front_v]) => (in_front(front_k, k), in_front(front_v, v)),
        None => (k, v),
    };
    let [batch, heads, seq, head_dim] = q.dims();
    attention(q.mul_scalar(scale), k, v, context.bias.clone())
        .swap_dims(1, 2)
        .reshape([batch * seq, heads * head_dim])
}

/// `[batch, kv_heads, tokens + keys, head_dim]` in the type of the keys.
fn in_front(front: &Tensor<4>, keys: Tensor<4>) -> Tensor<4> {
    let front = cast_if_needed(front.clone(), keys.dtype());
    Tensor::cat(vec![front, keys], 2)
}

/// What scores are multiplied with in most families, `1 / sqrt(head_dim)`.
pub(crate) fn usual_scale(head_dim: usize) -> f64 {
    1.0 / (head_dim as f64).sqrt()
}

/// The bias with so many keys in front that nothing hides.
fn seen_in_front(bias: Tensor<4>, tokens: usize) -> Tensor<4> {
    if tokens == 0 {
        return bias;
    }
    let [batch, _, seq, _] = bias.dims();
    let seen = Tensor::zeros([batch, 1, seq, tokens], (&bias.device(), DType::F32));
    Tensor::cat(vec![seen, bias], 3)
}

/// A bias to add to scores. Hidden entries get a large finite negative number, so that a row in which nothing is visible
/// stays finite.
fn bias_from_visible(visible: Tensor<4, Bool>) -> Tensor<4> {
    let bias = visible.bool_not().float().mul_scalar(HIDDEN);
    cast_if_needed(bias, DType::F32)
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;

    /// A prefix of three tokens, two of one response and two of the other, whose positions go on after the prefix. With a
    /// window of two, the last token sees the one before it; the first of each response sees the end of the prefix, which is
    /// next to it by position, though for the second one it is three places away.
    #[test]
    fn a_window_counts_positions_and_not_places() {
        let device = Device::flex();
        let positions = Tensor::<2, Int>::from_data([[0, 1, 2, 3, 4, 3, 4]], &device);
        let branch = [0, 0, 0, 1, 1, 2, 2];
        let visible: Vec<bool> = (0..49)
            .map(|at| (at / 7, at % 7))
            .map(|(query, key)| key <= query && [0, branch[query]].contains(&branch[key]))
            .collect();
        let visible = TensorData::new(visible, [1, 1, 7, 7]);
        let sights = [None, Some(2)].map(|window| Sight { rope: None, window });
        let visible = Tensor::from_data(visible, &device);
        let contexts = Context::each(&sights, (&positions, &positions), visible, 0);
        let seen = |context: &Context, query: usize| -> Vec<usize> {
            let bias: Vec<f32> = context.bias.clone().into_data().iter::<f32>().collect();
            let line = bias[7 * query..][..7].iter().enumerate();
            let seen = line.filter(|(_, bias)| **bias == 0.0);
            seen.map(|(key, _)| key).collect()
        };
        assert_eq!(seen(&contexts[0], 6), [0, 1, 2, 5, 6]);
        let near = [0, 1, 2, 3, 4, 5, 6].map(|query| seen(&contexts[1], query));
        let expected: [&[usize]; 7] = [&[0], &[0, 1], &[1, 2], &[2, 3], &[3, 4], &[2, 5], &[5, 6]];
        assert_eq!(near, expected);
    }

    #[test]
    fn what_is_in_front_is_seen_whatever_mask_and_window_say() {
        let device = Device::flex();
        let positions = Tensor::<2, Int>::from_data([[3, 40]], &device);
        let visible = Tensor::<4, Bool>::from_data([[[[true, false], [true, true]]]], &device);
        let sights = [None, Some(2)].map(|window| Sight { rope: None, window });
        let contexts = Context::each(&sights, (&positions, &positions), visible, 3);
        let seen = contexts.iter().map(|context| {
            let bias = context.bias.clone().into_data();
            bias.iter::<f32>().map(|bias| bias == 0.0).collect()
        });
        let seen: Vec<Vec<bool>> = seen.collect();
        assert_eq!(
            seen[0],
            [true, true, true, true, false, true, true, true, true, true]
        );
        // The first token is 37 positions behind the second.
        assert_eq!(
            seen[1],
            [true, true, true, true, false, true, true, true, false, true]
        );
    }
}
