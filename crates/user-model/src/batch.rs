//! The rows of one batch as a leaf tensor.

use burn::tensor::{DType, Int, Tensor};

use crate::UserRef;

/// The distinct rows of a batch of users, copied once into a leaf tensor. Made by
/// [`UserTable::batch`](crate::UserTable::batch).
#[derive(Debug, Clone)]
pub struct RowBatch {
    /// The rows of the distinct users, `[distinct, row_len]` in f32; requires a gradient on an
    /// autodiff device. `None` if no user of the batch owns a row.
    pub leaf: Option<Tensor<2>>,
    /// Per batch entry its row in `leaf`, `[batch]`; `distinct` stands for the constant zero row.
    pub index: Tensor<1, Int>,
    /// The owners of the leaf's rows, in its order.
    pub(crate) users: Vec<UserRef>,
    /// Whether some entry is a user without offset: the generic user beside `e_0`.
    pub(crate) zero_row: bool,
}

impl RowBatch {
    /// The number of batch entries.
    pub fn len(&self) -> usize {
        self.index.dims()[0]
    }

    /// Whether the batch has no entries; [`UserTable::batch`](crate::UserTable::batch) makes none
    /// of these.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The owners of the leaf's rows, in its order.
    pub fn users(&self) -> &[UserRef] {
        &self.users
    }

    /// One row per batch entry, `[batch, row_len]`; `None` if no entry owns a row.
    pub(crate) fn gather(&self) -> Option<Tensor<2>> {
        let mut rows = self.leaf.clone()?;
        if self.zero_row {
            let [_, row_len] = rows.dims();
            let zero = Tensor::zeros([1, row_len], (&rows.device(), DType::F32));
            rows = Tensor::cat(vec![rows, zero], 0);
        }
        Some(rows.select(0, self.index.clone()))
    }
}
