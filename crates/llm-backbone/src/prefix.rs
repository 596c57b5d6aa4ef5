//! Keys and values in front of a sequence (prefix tuning, Li and Liang 2021, arXiv 2101.00190, section 4.2).
//!
//! At every block `T_u` keys and values stand before those of a row, and every token of the row sees them, whatever its mask and
//! window say. They are not rotated: what they say of places is in their numbers. The text begins at position `T_u`, as `peft`
//! has it.

use burn::module::Module;
use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::cache::KvCache;
use crate::generate::GenerateError;
use crate::matrix::cast_if_needed;
use crate::model::{Model, ModelInput};

/// Keys and values of every block for each row of a batch.
#[derive(Clone, Debug)]
pub struct Prefix {
    /// `[rows, T_u, blocks * 2 * kv_heads * head_dim]`: of each token the keys of the first block, its values, those of the next
    /// block, and so on. `peft` keeps the weights of `PrefixTuningConfig` in this order.
    numbers: Tensor<3>,
}

impl Prefix {
    /// From `[rows, T_u, width]`, where `width` is [`cached_per_token`](crate::config::ModelConfig::cached_per_token). Gradients
    /// flow into it.
    pub fn new(numbers: Tensor<3>) -> Self {
        Self { numbers }
    }

    /// `T_u`.
    pub fn tokens(&self) -> usize {
        let [_, tokens, _] = self.numbers.dims();
        tokens
    }

    /// Keys and values of the block of index `i`, `[rows, kv_heads, T_u, head_dim]` each.
    pub(crate) fn block(&self, i: usize, [kv_heads, head_dim]: [usize; 2]) -> [Tensor<4>; 2] {
        let [rows, tokens, _] = self.numbers.dims();
        let width = kv_heads * head_dim;
        [2 * i, 2 * i + 1].map(|part| {
            let part = self.numbers.clone().narrow(2, part * width, width);
            part.reshape([rows, tokens, kv_heads, head_dim])
                .swap_dims(1, 2)
        })
    }

    /// Puts it into the first slots of an empty cache.
    pub(crate) fn begin(&self, model: &Model, cache: &mut KvCache) {
        let sizes = model.config().sizes();
        for i in 0..sizes.num_layers {
            let [k, v] = self.block(i, [sizes.num_kv_heads, sizes.head_dim]);
            let [k, v] = [k, v].map(|x| cast_if_needed(x, model.dtype()));
            cache.append(i, k, v);
        }
        if model.has_window() {
            cache.note_always_seen(self.tokens());
        }
        cache.advance(self.tokens());
    }
}

impl Model {
    /// The keys and values that the model computes of `tokens`, which stand at positions from 0 on: `[tokens, width]`, as one row
    /// of [`Prefix::new`] has them, in f32. In front of a text they are what the tokens themselves would be.
    ///
    /// # Errors
    /// No tokens, more than the model's context, or a token that the model does not have.
    pub fn keys_and_values(&self, tokens: &[u32]) -> Result<Tensor<2>, GenerateError> {
        self.validate_tokens(tokens)?;
        let (model, count) = (self.valid(), tokens.len());
        let limit = model.config().max_positions();
        if count > limit {
            let (prompt, new) = (count, 0);
            return Err(GenerateError::Context { prompt, new, limit });
        }
        let device = model.device();
        let ints = |values: Vec<i32>| {
            Tensor::<2, Int>::from_data(TensorData::new(values, [1, count]), &device)
        };
        let visible: Vec<bool> = (0..count * count).map(|i| i % count <= i / count).collect();
        let mut cache = model.cache(1, count);
        model.forward(ModelInput {
            embeddings: model.embed(ints(tokens.iter().map(|&id| id as i32).collect())),
            positions: ints((0..count as i32).collect()),
            visible: Tensor::from_data(TensorData::new(visible, [1, 1, count, count]), &device),
            prefix: None,
            cache: Some(&mut cache),
        });
        let parts = cache.of_one_row().into_iter().map(|x| {
            let [_, heads, _, dim] = x.dims();
            x.swap_dims(1, 2).reshape([count, heads * dim])
        });
        Ok(cast_if_needed(Tensor::cat(parts.collect(), 1), DType::F32))
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn numbers_are_keys_and_values_block_by_block() {
        // Two tokens, two blocks, two heads of one number: keys 0 1, values 2 3; then the next block.
        let numbers: Vec<f32> = (0..16).map(|i| i as f32).collect();
        let numbers = TensorData::new(numbers, [1, 2, 8]);
        let prefix = Prefix::new(Tensor::from_data(numbers, &Device::flex()));
        let of = |i| {
            prefix
                .block(i, [2, 1])
                .map(|x| x.try_into_vec_as::<f32>().unwrap())
        };
        assert_eq!(of(0), [[0.0, 8.0, 1.0, 9.0], [2.0, 10.0, 3.0, 11.0]]);
        assert_eq!(of(1), [[4.0, 12.0, 5.0, 13.0], [6.0, 14.0, 7.0, 15.0]]);
    }
}
