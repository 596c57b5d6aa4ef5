//! A weight matrix, and where frozen ones lie in memory.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Int, Tensor, TensorData};

use crate::device::is_cpu;
use crate::fused::{product, stored_product};
use crate::memory::kept;
use crate::stored::StoredMatrix;

/// A frozen parameter: costs no gradient and no autodiff node. `train()` and `valid()` keep it frozen.
pub(crate) fn frozen<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value).set_require_grad(false)
}

/// Casts unless the tensor has that type already.
pub(crate) fn cast_if_needed<const D: usize>(x: Tensor<D>, dtype: DType) -> Tensor<D> {
    if x.dtype() == dtype { x } else { x.cast(dtype) }
}

/// A weight matrix in the layout of the file, `[d_out, d_in]` or `[vocab, d]`: a tensor, or the blocks of the file.
#[derive(Module, Debug)]
pub struct Matrix {
    /// Absent where `stored` has the numbers.
    dense: Option<Param<Tensor<2>>>,
    #[module(skip)]
    stored: Option<StoredMatrix>,
}

impl Matrix {
    /// A frozen tensor.
    pub fn dense(weight: Tensor<2>) -> Self {
        Self {
            dense: Some(frozen(placed(weight))),
            stored: None,
        }
    }

    /// The blocks of a file. They never get gradients.
    pub fn stored(blocks: StoredMatrix) -> Self {
        Self {
            dense: None,
            stored: Some(blocks),
        }
    }

    /// Rows and columns.
    pub fn shape(&self) -> [usize; 2] {
        match (&self.dense, &self.stored) {
            (Some(dense), _) => dense.val().dims(),
            (None, Some(stored)) => stored.shape(),
            (None, None) => [0, 0], // invariant: one of them is there
        }
    }

    /// The type that products with it have.
    pub fn dtype(&self) -> DType {
        let dense = self.dense.as_ref();
        dense.map_or(DType::F32, |dense| dense.val().dtype())
    }

    /// Whether it gets gradients.
    pub fn is_trainable(&self) -> bool {
        let dense = self.dense.as_ref();
        dense.is_some_and(|dense| dense.val().is_require_grad())
    }

    /// The numbers; `device` is where those of stored blocks go.
    pub fn tensor(&self, device: &Device) -> Tensor<2> {
        match (&self.dense, &self.stored) {
            (Some(dense), _) => dense.val(),
            (None, Some(stored)) => {
                let data = TensorData::new(stored.to_vec(), stored.shape());
                Tensor::from_data(data, (device, DType::F32))
            }
            (None, None) => Tensor::zeros([0, 0], device), // invariant: as above
        }
    }

    /// `x W^T`: `[n, d_in]` to `[n, d_out]`.
    pub fn product(&self, x: Tensor<2>) -> Tensor<2> {
        match (&self.dense, &self.stored) {
            (None, Some(stored)) => stored_product(x, stored.clone()),
            _ => {
                let weight = self.tensor(&x.device()).transpose();
                product(x, weight)
            }
        }
    }

    /// The rows of index `ids`, `[n]` to `[n, d]`.
    pub fn rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let Some(stored) = &self.stored else {
            return self.tensor(&ids.device()).select(0, ids);
        };
        let [_, d] = stored.shape();
        let device = ids.device();
        // invariant: every integer type converts to i64
        let ids = ids.try_into_vec_as::<i64>().unwrap_or_default();
        let mut rows = vec![0.0; ids.len() * d];
        for (row, id) in rows.chunks_exact_mut(d).zip(&ids) {
            stored.rows(*id as usize, row);
        }
        let data = TensorData::new(rows, [ids.len(), d]);
        Tensor::from_data(data, (&device, DType::F32))
    }

    /// `W + delta`, as a frozen tensor.
    pub(crate) fn plus(&self, delta: Tensor<2>) -> Self {
        let weight = self.tensor(&delta.device());
        let delta = cast_if_needed(delta, weight.dtype());
        Self::dense((weight + delta).detach())
    }
}

/// On a CPU, the matrix in memory for frozen weights, with room between its rows where these would fall onto the same
/// places of the cache: products with its transpose read many rows at a time, and take up to twice as long where rows begin
/// multiples of 2048 bytes after each other.
fn placed(weight: Tensor<2>) -> Tensor<2> {
    const SAME_PLACES: usize = 2048;
    const ROOM: usize = 64;
    let [rows, d] = weight.dims();
    let (device, dtype) = (weight.device(), weight.dtype());
    let width = d * dtype.size();
    if !is_cpu(&device) || rows * width == 0 {
        return weight;
    }
    let room = match width.is_multiple_of(SAME_PLACES) {
        true => ROOM,
        false => 0,
    };
    let data = weight.into_data();
    let len = rows * (width + room);
    let spread = |place: &mut [u8]| {
        let places = place.chunks_exact_mut(width + room);
        for (place, row) in places.zip(data.as_bytes().chunks_exact(width)) {
            place[..width].copy_from_slice(row);
        }
    };
    let bytes = match kept(len, spread) {
        Some(kept) => Bytes::from_shared(kept, AllocationProperty::Native),
        None if room == 0 => return Tensor::from_data(data, (&device, dtype)),
        None => {
            let mut place = vec![0; len];
            spread(&mut place);
            Bytes::from_bytes_vec(place)
        }
    };
    let shape = [rows, d + room / dtype.size()];
    let data = TensorData::from_bytes(bytes, shape, dtype);
    Tensor::<2>::from_data(data, (&device, dtype)).narrow(1, 0, d)
}
