//! Frozen matrices that stay cut for the tiles of Intel's processors, so that products with them do not cut them anew.

use std::fmt;
use std::sync::{Arc, OnceLock};

use burn::backend::flex::FlexTensor;

/// Where a frozen matrix is kept cut, once for each way that products go through it. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct PackedWeight(Arc<[OnceLock<Side>; 2]>);

/// What products do with a matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// `x W^T`.
    Forward,
    /// `grad W`.
    Backward,
}

struct Side {
    /// The tensor that was cut. While it is here, its memory is no other's and does not change.
    of: FlexTensor,
    packed: amx::Packed,
}

impl PackedWeight {
    /// Keeps the right side `weight`, a matrix as `way` multiplies with it, as `pack` cuts it, unless one is kept already.
    pub(crate) fn keep(&self, way: Way, weight: FlexTensor, pack: impl FnOnce() -> amx::Packed) {
        self.0[way as usize].get_or_init(|| Side {
            of: weight,
            packed: pack(),
        });
    }

    /// The same right side, cut; `None` where nothing is kept, or another matrix is.
    pub(crate) fn get(&self, way: Way, weight: &FlexTensor) -> Option<&amx::Packed> {
        let side = self.0[way as usize].get()?;
        same(&side.of, weight).then_some(&side.packed)
    }
}

/// Whether both are the same view of the same memory.
fn same(a: &FlexTensor, b: &FlexTensor) -> bool {
    let place = |x: &FlexTensor| x.storage::<f32>().as_ptr();
    let (of_a, of_b) = (a.layout(), b.layout());
    a.dtype() == b.dtype()
        && place(a) == place(b)
        && of_a.start_offset() == of_b.start_offset()
        && of_a.shape() == of_b.shape()
        && of_a.strides() == of_b.strides()
}

impl fmt::Debug for PackedWeight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.each_ref().map(|way| way.get().is_some());
        f.debug_tuple("PackedWeight").field(&kept).finish()
    }
}
