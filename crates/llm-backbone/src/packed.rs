//! Sides of products that stay cut for the tiles of Intel's processors, so that products with them do not cut them anew: frozen matrices from step
//! to step, and inputs for the layers that they all go into.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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

/// What goes into several layers, cut for tiles once for all of them. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct SharedInput(Arc<Mutex<Option<Input>>>);

struct Input {
    /// The tensor that was cut, as in [`Side`].
    of: FlexTensor,
    cut: amx::Left,
}

impl SharedInput {
    /// What `work` makes of `x`, which `cut` cuts unless it was the last one here and has `room` for so many inner steps more.
    pub(crate) fn with<R>(
        &self,
        x: &FlexTensor,
        room: usize,
        cut: impl FnOnce() -> amx::Left,
        work: impl FnOnce(&mut amx::Left) -> R,
    ) -> R {
        // What a panic left behind is of its tensor all the same: products write into its room before they read it.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept.take();
        let fits = |last: &Input| same(&last.of, x) && last.cut.has_room_for(room);
        let input = kept.insert(last.filter(fits).unwrap_or_else(|| Input {
            of: x.clone(),
            cut: cut(),
        }));
        work(&mut input.cut)
    }
}

impl fmt::Debug for SharedInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedInput")
    }
}

/// How a product goes through a frozen matrix, and where both sides may be cut already.
#[derive(Clone, Debug)]
pub(crate) struct Through {
    pub(crate) way: Way,
    pub(crate) weight: PackedWeight,
    pub(crate) input: SharedInput,
}

impl Through {
    /// From input to output.
    pub(crate) fn forward(weight: &PackedWeight, input: &SharedInput) -> Self {
        Self {
            way: Way::Forward,
            weight: weight.clone(),
            input: input.clone(),
        }
    }

    /// The way back, with an input of its own.
    pub(crate) fn back(&self) -> Self {
        Self {
            way: Way::Backward,
            weight: self.weight.clone(),
            input: SharedInput::default(),
        }
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
