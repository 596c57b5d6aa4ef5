//! A preallocated key/value cache.

use burn::tensor::{DType, Device, Tensor};

/// Keys and values of every layer, `[batch, kv_heads, capacity, head_dim]` each, filled from slot 0 upwards.
///
/// All rows of a batch write to the same slots. Rows of different lengths leave gaps, which the caller's mask hides;
/// positions are given by the caller and need not equal slots.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<Option<(Tensor<4>, Tensor<4>)>>,
    filled: usize,
    capacity: usize,
}

impl KvCache {
    /// Zeroed memory for `capacity` slots.
    pub fn new(
        layers: usize,
        [batch, kv_heads, capacity, head_dim]: [usize; 4],
        dtype: DType,
        device: &Device,
    ) -> Self {
        let zeros = || Tensor::zeros([batch, kv_heads, capacity, head_dim], (device, dtype));
        Self {
            layers: (0..layers).map(|_| Some((zeros(), zeros()))).collect(),
            filled: 0,
            capacity,
        }
    }

    /// Slots written so far.
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Slots in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Writes `seq` new slots of one layer and returns all keys and values up to and including them.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        k: Tensor<4>,
        v: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let seq = k.dims()[2];
        let (start, end) = (self.filled, self.filled + seq);
        // Taken out of its place, so that the buffer has one owner and is written in place.
        let (keys, values) = self.layers[layer]
            .take()
            .unwrap_or_else(|| (k.clone(), v.clone()));
        let keys = keys.slice_assign(
            [0..k.dims()[0], 0..k.dims()[1], start..end, 0..k.dims()[3]],
            k,
        );
        let values = values.slice_assign(
            [0..v.dims()[0], 0..v.dims()[1], start..end, 0..v.dims()[3]],
            v,
        );
        let seen = (
            keys.clone().narrow(2, 0, end),
            values.clone().narrow(2, 0, end),
        );
        self.layers[layer] = Some((keys, values));
        seen
    }

    /// Marks the slots that every layer has written in this forward pass.
    pub(crate) fn advance(&mut self, seq: usize) {
        self.filled += seq;
    }

    /// Keeps the given rows of the batch, in that order.
    pub fn select_rows(&mut self, rows: &burn::tensor::Tensor<1, burn::tensor::Int>) {
        for (k, v) in self.layers.iter_mut().flatten() {
            *k = k.clone().select(0, rows.clone());
            *v = v.clone().select(0, rows.clone());
        }
    }
}
