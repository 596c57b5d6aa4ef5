//! A weight matrix, and where frozen ones lie in memory.

use burn::module::{Module, Param, ParamId};
use burn::tensor::{AllocationProperty, Bytes, DType, Device, Int, Tensor, TensorData};
use cpu_kernels::{StoredMatrix, side_by_side};

use crate::device::is_cpu;
use crate::fused::{adapted_product, frozen_product, pack, product, stored_product};
use crate::packed::{PackedWeight, SharedInput, Through};

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
    /// Where a frozen tensor may be kept cut for tiles.
    #[module(skip)]
    packed: PackedWeight,
}

impl Matrix {
    /// A frozen tensor, where it is.
    pub(crate) fn plain(weight: Tensor<2>) -> Self {
        Self {
            dense: Some(frozen(weight)),
            stored: None,
            packed: PackedWeight::default(),
        }
    }

    /// A frozen tensor, where a model would have it.
    pub fn dense(weight: Tensor<2>) -> Self {
        let mut matrix = Self::plain(weight);
        settle(vec![&mut matrix]);
        matrix
    }

    /// The blocks of a file. They never get gradients.
    pub(crate) fn stored(blocks: StoredMatrix) -> Self {
        Self {
            dense: None,
            stored: Some(blocks),
            packed: PackedWeight::default(),
        }
    }

    /// Rows and columns.
    pub(crate) fn shape(&self) -> [usize; 2] {
        match (&self.dense, &self.stored) {
            (Some(dense), _) => dense.val().dims(),
            (None, Some(stored)) => stored.shape(),
            (None, None) => [0, 0], // invariant: one of them is there
        }
    }

    /// The type that products with it have.
    pub(crate) fn dtype(&self) -> DType {
        let dense = self.dense.as_ref();
        dense.map_or(DType::F32, |dense| dense.val().dtype())
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        match &self.stored {
            Some(stored) => stored.bytes().len(),
            None => self.shape().iter().product::<usize>() * self.dtype().size(),
        }
    }

    /// Whether it gets gradients.
    pub(crate) fn is_trainable(&self) -> bool {
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
        self.product_of(x, &SharedInput::default())
    }

    /// The same of what goes into other layers as well.
    pub(crate) fn product_of(&self, x: Tensor<2>, input: &SharedInput) -> Tensor<2> {
        let weight = match (&self.dense, &self.stored) {
            (None, Some(stored)) => return stored_product(x, stored.clone()),
            _ => self.weight_for(&x),
        };
        match weight.is_require_grad() || x.dims()[0] <= cpu_kernels::MOST_ROWS {
            true => product(x, weight.transpose()),
            false => frozen_product(x, weight, self.through(input)),
        }
    }

    /// `x W^T + scale (x A) B` with an adapter's factors, `[d_in, r]` and `[r, d_out]`, at once; none where it takes several operations, since the
    /// matrix is no frozen tensor of f32, or `x` is not, or has a few rows.
    pub(crate) fn adapted_product(
        &self,
        x: &Tensor<2>,
        factors: impl FnOnce() -> [Tensor<2>; 2],
        scale: f64,
        input: &SharedInput,
    ) -> Option<Tensor<2>> {
        let all_f32 = [self.dtype(), x.dtype()] == [DType::F32; 2];
        let many = x.dims()[0] > cpu_kernels::MOST_ROWS;
        if !all_f32 || !many || self.dense.is_none() || self.is_trainable() {
            return None;
        }
        let (weight, through) = (self.weight_for(x), self.through(input));
        let product = adapted_product(x.clone(), weight, factors(), scale as f32, through);
        Some(product)
    }

    /// The way forward, where it may be cut already, as `input` may.
    pub(crate) fn through(&self, input: &SharedInput) -> Through {
        Through::forward(&self.packed, input)
    }

    /// The tensor, in the graph where `x` is.
    fn weight_for(&self, x: &Tensor<2>) -> Tensor<2> {
        let weight = self.tensor(&x.device());
        match x.is_autodiff() {
            true => weight,
            false => weight.inner(),
        }
    }

    /// `x W`: `[n, d_out]` to `[n, d_in]`, without gradient.
    pub(crate) fn product_back(&self, x: Tensor<2>) -> Tensor<2> {
        let weight = self.tensor(&x.device()).inner();
        frozen_product(x, weight, self.through(&SharedInput::default()).back())
    }

    /// Keeps it cut for tiles, where the processor has them and it is a frozen tensor in f32.
    pub(crate) fn keep_packed(&self) {
        if let Some(dense) = self.dense.as_ref().filter(|_| !self.is_trainable()) {
            pack(dense.val(), self.packed.clone());
        }
    }

    /// A matrix of the same numbers whose products do not make them anew: a tensor.
    pub(crate) fn as_dense(&self, device: &Device) -> Self {
        match self.stored {
            Some(_) => Self::plain(self.tensor(device)),
            None => self.clone(),
        }
    }

    /// The rows of index `ids`, `[n]` to `[n, d]`.
    pub(crate) fn rows(&self, ids: Tensor<1, Int>) -> Tensor<2> {
        let Some(stored) = &self.stored else {
            return self.tensor(&ids.device()).select(0, ids);
        };
        let [_, d] = stored.shape();
        let device = ids.device();
        let ids: Vec<i64> = ids.into_data().iter::<i64>().collect();
        let mut rows = vec![0.0; ids.len() * d];
        for (row, id) in rows.chunks_exact_mut(d).zip(&ids) {
            stored.rows(*id as usize, row);
        }
        let data = TensorData::new(rows, [ids.len(), d]);
        Tensor::from_data(data, (&device, DType::F32))
    }

    /// The rows in f32, with the number of the first: a tensor at once, of the blocks of a file so many at a time.
    pub(crate) fn blocks(&self, device: &Device) -> impl Iterator<Item = (usize, Tensor<2>)> {
        let [rows, d] = self.shape();
        let step = match &self.stored {
            Some(_) => (AT_A_TIME / d.max(1)).clamp(1, rows.max(1)),
            None => rows.max(1),
        };
        (0..rows.max(1)).step_by(step).map(move |first| {
            let Some(stored) = &self.stored else {
                return (first, cast_if_needed(self.tensor(device), DType::F32));
            };
            let count = step.min(rows - first);
            let mut numbers = vec![0.0; count * d];
            stored.rows(first, &mut numbers);
            let data = TensorData::new(numbers, [count, d]);
            (first, Tensor::from_data(data, (device, DType::F32)))
        })
    }

    /// `W + delta`, or that times what is as tall or as wide, as a frozen tensor.
    pub(crate) fn plus(&self, delta: Tensor<2>, times: Option<Tensor<2>>) -> Self {
        let weight = self.tensor(&delta.device());
        let dtype = weight.dtype();
        let sum = match times {
            None => weight + cast_if_needed(delta, dtype),
            Some(times) => {
                let sum = (cast_if_needed(weight, DType::F32) + delta) * times;
                cast_if_needed(sum, dtype)
            }
        };
        Self::plain(sum.detach())
    }
}

/// Numbers of a file's blocks in memory at a time.
const AT_A_TIME: usize = 1 << 20;

/// Bytes of matrices that are worth a piece of memory of their own: many huge pages, so that little is lost at both ends.
const TOGETHER: usize = 64 << 20;

/// Whether matrices are worth a piece of memory.
pub(crate) fn are_enough(matrices: &[&mut Matrix]) -> bool {
    let bytes: usize = matrices.iter().map(|matrix| matrix.bytes()).sum();
    bytes >= TOGETHER
}

/// Puts matrices side by side in memory for frozen weights, where they are on a CPU.
pub(crate) fn settle(matrices: Vec<&mut Matrix>) {
    let (places, contents): (Vec<_>, Vec<_>) = matrices
        .into_iter()
        .filter_map(|matrix| {
            let content = Content::taken_from(matrix)?;
            Some((matrix, content))
        })
        .unzip();
    let lens: Vec<_> = contents.iter().map(Content::len).collect();
    let pieces = side_by_side(&lens, |i, place| contents[i].write(place));
    let mut pieces = pieces.into_iter().flatten();
    for (place, content) in places.into_iter().zip(contents) {
        *place = content.settled(pieces.next());
    }
}

/// The numbers of a matrix on their way.
enum Content {
    Dense {
        data: Box<TensorData>,
        device: Device,
        dtype: DType,
        shape: [usize; 2],
    },
    Stored(StoredMatrix),
}

impl Content {
    /// None, and nothing taken, where the matrix is not on a CPU, or empty.
    fn taken_from(matrix: &mut Matrix) -> Option<Self> {
        if let Some(stored) = &matrix.stored {
            return Some(Self::Stored(stored.clone()));
        }
        let weight = matrix.dense.as_ref()?.val();
        let (device, dtype, shape) = (weight.device(), weight.dtype(), weight.dims());
        if !is_cpu(&device) || shape.contains(&0) {
            return None;
        }
        drop(weight);
        Some(Self::Dense {
            data: Box::new(matrix.dense.take()?.into_value().into_data()),
            device,
            dtype,
            shape,
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Dense { dtype, shape, .. } => {
                let width = shape[1] * dtype.size();
                shape[0] * (width + room(width))
            }
            Self::Stored(stored) => stored.bytes().len(),
        }
    }

    fn write(&self, place: &mut [u8]) {
        match self {
            Self::Dense {
                data, dtype, shape, ..
            } => {
                let width = shape[1] * dtype.size();
                let places = place.chunks_exact_mut(width + room(width));
                for (place, row) in places.zip(data.as_bytes().chunks_exact(width)) {
                    place[..width].copy_from_slice(row);
                }
            }
            Self::Stored(stored) => place.copy_from_slice(stored.bytes()),
        }
    }

    /// The matrix in a piece of memory, or in memory of its own.
    fn settled(self, piece: Option<bytes::Bytes>) -> Matrix {
        let own = || {
            let mut place = vec![0; self.len()];
            self.write(&mut place);
            Bytes::from_bytes_vec(place)
        };
        let (device, dtype, [rows, d]) = match &self {
            Self::Stored(stored) => {
                return Matrix::stored(match piece {
                    Some(piece) => stored.at(piece),
                    None => stored.clone(),
                });
            }
            Self::Dense {
                device,
                dtype,
                shape,
                ..
            } => (device, *dtype, *shape),
        };
        let bytes = match piece {
            Some(piece) => Bytes::from_shared(piece, AllocationProperty::Native),
            None => own(),
        };
        let wide = d + room(d * dtype.size()) / dtype.size();
        let data = TensorData::from_bytes(bytes, [rows, wide], dtype);
        Matrix::plain(Tensor::<2>::from_data(data, (device, dtype)).narrow(1, 0, d))
    }
}

/// Bytes between rows of `width` bytes, where these would fall onto the same places of the cache: products with the
/// transpose read many rows at a time, and take up to twice as long where rows begin multiples of 2048 bytes after each
/// other.
fn room(width: usize) -> usize {
    const SAME_PLACES: usize = 2048;
    const ROOM: usize = 64;
    match width.is_multiple_of(SAME_PLACES) {
        true => ROOM,
        false => 0,
    }
}
