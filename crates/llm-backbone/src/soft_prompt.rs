//! Soft tokens between token embeddings.

use burn::tensor::Tensor;

use crate::matrix::cast_if_needed;

/// Inserts `soft`, `[batch, T_u, d]`, into `embeddings`, `[batch, seq, d]`, in front of position `at[row]` of each row.
///
/// Returns `[batch, seq + T_u, d]` in the type of `embeddings`; differentiable in both.
pub fn insert(embeddings: Tensor<3>, soft: Tensor<3>, at: &[usize]) -> Tensor<3> {
    let soft = cast_if_needed(soft, embeddings.dtype());
    let uniform = at.windows(2).all(|pair| pair[0] == pair[1]);
    if let (true, Some(&at)) = (uniform, at.first()) {
        return insert_at(embeddings, soft, at);
    }
    let rows = at.iter().enumerate().map(|(row, &at)| {
        let one = |t: &Tensor<3>| t.clone().narrow(0, row, 1);
        insert_at(one(&embeddings), one(&soft), at)
    });
    Tensor::cat(rows.collect(), 0)
}

fn insert_at(embeddings: Tensor<3>, soft: Tensor<3>, at: usize) -> Tensor<3> {
    let [_, seq, _] = embeddings.dims();
    let mut parts = Vec::with_capacity(3);
    if at > 0 {
        parts.push(embeddings.clone().narrow(1, 0, at));
    }
    parts.push(soft);
    if at < seq {
        parts.push(embeddings.narrow(1, at, seq - at));
    }
    Tensor::cat(parts, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn soft_tokens_go_where_each_row_wants_them() {
        let device = Device::flex();
        let embeddings = Tensor::<3>::from_data([[[1.], [2.]], [[3.], [4.]]], &device);
        let soft = Tensor::<3>::from_data([[[10.], [11.]], [[12.], [13.]]], &device);
        let rows = |at: &[usize]| {
            insert(embeddings.clone(), soft.clone(), at)
                .into_data()
                .try_to_vec::<f32>()
                .unwrap()
        };
        assert_eq!(rows(&[1, 1]), [1., 10., 11., 2., 3., 12., 13., 4.]);
        assert_eq!(rows(&[0, 2]), [10., 11., 1., 2., 3., 4., 12., 13.]);
    }
}
