//! A preallocated key/value cache.

use burn::tensor::{DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};

/// The position of a key that no query is ahead of, however large a window is.
const ALWAYS_SEEN: i32 = i32::MAX;

/// Keys and values of every layer, `[rows, kv_heads, capacity, head_dim]` each. A row fills up from slot 0, however far the
/// others are.
///
/// Rows in use come first; a forward pass has one sequence for each of them. What is behind the slots that a row has filled is
/// for the caller's mask to hide.
#[derive(Debug)]
pub struct KvCache {
    layers: Vec<Option<[Tensor<4>; 2]>>,
    shape: [usize; 4],
    device: Device,
    /// Slots written of each row in use.
    filled: Vec<usize>,
    /// Where the forward pass under way writes, if rows differ: see [`KvCache::places`].
    places: Option<Tensor<1, Int>>,
    /// Positions of the tokens in the slots of each row in use; only of models that ask how far back a token is.
    positions: Vec<Vec<i32>>,
}

impl KvCache {
    /// Zeroed memory for `capacity` slots of each row. All rows are in use, and empty.
    pub fn new(layers: usize, shape: [usize; 4], dtype: DType, device: &Device) -> Self {
        let [rows, ..] = shape;
        let zeros = || Tensor::zeros(shape, (device, dtype));
        Self {
            layers: (0..layers).map(|_| Some([zeros(), zeros()])).collect(),
            shape,
            device: device.clone(),
            filled: vec![0; rows],
            places: None,
            positions: vec![Vec::new(); rows],
        }
    }

    /// Slots in all, of each row.
    pub fn capacity(&self) -> usize {
        let [_, _, capacity, _] = self.shape;
        capacity
    }

    /// The same memory with no row in use.
    pub(crate) fn vacant(mut self) -> Self {
        self.filled.clear();
        self.positions.clear();
        self
    }

    /// Slots written of each row in use.
    pub(crate) fn filled(&self) -> &[usize] {
        &self.filled
    }

    /// Takes the only row of `one` into use, behind those that are.
    pub(crate) fn push(&mut self, one: Self) {
        let row = self.filled.len();
        let slots = one.filled[0];
        for (place, new) in self.layers.iter_mut().zip(one.layers) {
            if let (Some(tensors), Some(new)) = (place.take(), new) {
                *place = Some(zip(tensors, new, |all, new| {
                    put(all, row, new.narrow(2, 0, slots))
                }));
            }
        }
        self.filled.push(slots);
        self.positions.extend(one.positions);
    }

    /// Frees a row; the last one takes its place.
    pub(crate) fn swap_remove(&mut self, row: usize) {
        let last = self.filled.len() - 1;
        let slots = self.filled.swap_remove(row);
        self.positions.swap_remove(row);
        let slots = self.filled.get(row).copied().unwrap_or(slots);
        if row == last {
            return;
        }
        let from = Tensor::<1, Int>::from_data([last as i32], &self.device);
        for place in &mut self.layers {
            // A copy of the moved row, so that the buffer has one owner again and is written in place.
            *place = place.take().map(|tensors| {
                tensors.map(|all| {
                    let moved = all.clone().narrow(2, 0, slots).select(0, from.clone());
                    put(all, row, moved)
                })
            });
        }
    }

    /// Writes `seq` new slots of every row in use, of one layer, and returns the keys and values of these rows, up to the last
    /// slot that any of them has filled.
    pub(crate) fn append(
        &mut self,
        layer: usize,
        k: Tensor<4>,
        v: Tensor<4>,
    ) -> (Tensor<4>, Tensor<4>) {
        let [batch, heads, seq, dim] = k.dims();
        let filled = self.filled.iter().copied().max().unwrap_or(0);
        let places = self.places(seq);
        let [rows, _, capacity, _] = self.shape;
        // Taken out of its place, so that the buffer has one owner and is written in place.
        let Some(tensors) = self.layers[layer].take() else {
            return (k, v); // invariant: it is put back below
        };
        let tensors = zip(tensors, [k, v], |all, new| match &places {
            None => {
                let at = [0..batch, 0..heads, filled..filled + seq, 0..dim];
                all.slice_assign(at, new)
            }
            Some(places) => all
                .reshape([rows * heads * capacity, dim])
                .select_assign(
                    0,
                    places.clone(),
                    new.reshape([batch * heads * seq, dim]),
                    IndexingUpdateOp::Assign,
                )
                .reshape(self.shape),
        });
        let [keys, values] = tensors
            .clone()
            .map(|all| all.narrow(0, 0, batch).narrow(2, 0, filled + seq));
        self.layers[layer] = Some(tensors);
        (keys, values)
    }

    /// Notes the positions `[batch, seq]` of new slots, and returns those of all slots that [`KvCache::append`] returns, `[batch,
    /// keys]`.
    pub(crate) fn note_positions(&mut self, new: Tensor<2, Int>) -> Tensor<2, Int> {
        let [batch, seq] = new.dims();
        let numbers: Vec<i32> = new.into_data().iter::<i32>().collect();
        for (row, new) in self.positions.iter_mut().zip(numbers.chunks(seq.max(1))) {
            row.extend(new);
        }
        let keys = self.positions.iter().map(Vec::len).max().unwrap_or(0);
        let mut all = vec![0; batch * keys];
        for (all, row) in all.chunks_mut(keys.max(1)).zip(&self.positions) {
            all[..row.len()].copy_from_slice(row);
        }
        Tensor::from_data(TensorData::new(all, [batch, keys]), &self.device)
    }

    /// Notes that new slots, so many in every row, are never out of sight.
    pub(crate) fn note_always_seen(&mut self, slots: usize) {
        for row in &mut self.positions {
            row.resize(row.len() + slots, ALWAYS_SEEN);
        }
    }

    /// Keys and values of every layer in turn, `[1, kv_heads, slots, head_dim]`, of a cache of one row.
    pub(crate) fn of_one_row(&self) -> Vec<Tensor<4>> {
        let slots = self.filled.first().copied().unwrap_or(0);
        let layers = self.layers.iter().flatten().flatten();
        layers.map(|all| all.clone().narrow(2, 0, slots)).collect()
    }

    /// Marks the slots that every layer has written in this forward pass.
    pub(crate) fn advance(&mut self, seq: usize) {
        self.filled.iter_mut().for_each(|filled| *filled += seq);
        self.places = None;
    }

    /// Where `seq` new slots of each row go in the rows of `[rows * kv_heads * capacity, head_dim]`; none where that is the same
    /// place in all rows. Made once for all layers.
    fn places(&mut self, seq: usize) -> Option<Tensor<1, Int>> {
        if self.filled.windows(2).all(|pair| pair[0] == pair[1]) {
            return None;
        }
        if self.places.is_none() {
            let [_, heads, capacity, _] = self.shape;
            let mut places = Vec::with_capacity(self.filled.len() * heads * seq);
            for (row, filled) in self.filled.iter().enumerate() {
                for head in 0..heads {
                    let first = (row * heads + head) * capacity + filled;
                    places.extend((first..first + seq).map(|place| place as i32));
                }
            }
            let shape = [places.len()];
            self.places = Some(Tensor::from_data(
                TensorData::new(places, shape),
                &self.device,
            ));
        }
        self.places.clone()
    }
}

/// `all` with the first slots of `row` replaced by `new`, `[1, kv_heads, slots, head_dim]`.
fn put(all: Tensor<4>, row: usize, new: Tensor<4>) -> Tensor<4> {
    let [_, heads, slots, dim] = new.dims();
    all.slice_assign([row..row + 1, 0..heads, 0..slots, 0..dim], new)
}

fn zip<A, B, C>([a, b]: [A; 2], [c, d]: [B; 2], join: impl Fn(A, B) -> C) -> [C; 2] {
    [join(a, c), join(b, d)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 4] = [3, 2, 5, 1];

    /// One slot of each row: the row's tens, the head's hundreds, and what is added.
    fn slot(rows: usize, add: f32) -> Tensor<4> {
        let number = |i: usize| 10.0 * (i / 2) as f32 + 100.0 * (i % 2) as f32 + add;
        let numbers: Vec<f32> = (0..rows * 2).map(number).collect();
        Tensor::from_data(TensorData::new(numbers, [rows, 2, 1, 1]), &Device::flex())
    }

    /// A row with so many slots, numbered from `first`.
    fn row(slots: usize, first: f32) -> KvCache {
        let mut cache = KvCache::new(1, [1, 2, slots, 1], DType::F32, &Device::flex());
        for i in 0..slots {
            cache.append(0, slot(1, first + i as f32), slot(1, -first));
            cache.advance(1);
        }
        cache
    }

    /// Keys of the first head, row by row, as far as each is filled after the append.
    fn append(cache: &mut KvCache, add: f32) -> Vec<Vec<f32>> {
        let rows = cache.filled().len();
        let (keys, values) = cache.append(0, slot(rows, add), slot(rows, -add));
        assert_eq!(keys.dims(), values.dims());
        cache.advance(1);
        let keys = keys.narrow(1, 0, 1);
        let of = |row: usize| {
            keys.clone()
                .narrow(0, row, 1)
                .narrow(2, 0, cache.filled()[row])
        };
        (0..rows)
            .map(|row| of(row).into_data().try_to_vec::<f32>().unwrap())
            .collect()
    }

    #[test]
    fn rows_fill_up_independently() {
        let mut cache = KvCache::new(1, SHAPE, DType::F32, &Device::flex()).vacant();
        cache.push(row(2, 1.0));
        assert_eq!(append(&mut cache, 7.0), [[1.0, 2.0, 7.0]]);
        cache.push(row(1, 5.0));
        assert_eq!(
            append(&mut cache, 8.0),
            [vec![1.0, 2.0, 7.0, 8.0], vec![5.0, 18.0]]
        );
        cache.push(row(3, 3.0));
        let expected = [
            vec![1.0, 2.0, 7.0, 8.0, 9.0],
            vec![5.0, 18.0, 19.0],
            vec![3.0, 4.0, 5.0, 29.0],
        ];
        assert_eq!(append(&mut cache, 9.0), expected);
    }

    #[test]
    fn the_last_row_takes_the_place_of_one_that_leaves() {
        let mut cache = KvCache::new(1, SHAPE, DType::F32, &Device::flex()).vacant();
        for (slots, first) in [(3, 1.0), (1, 5.0), (2, 3.0)] {
            cache.push(row(slots, first));
        }
        cache.swap_remove(0);
        assert_eq!(cache.filled(), [2, 1]);
        assert_eq!(
            append(&mut cache, 7.0),
            [vec![3.0, 4.0, 7.0], vec![5.0, 17.0]]
        );
        cache.swap_remove(1);
        assert_eq!(append(&mut cache, 8.0), [[3.0, 4.0, 7.0, 8.0]]);
        // What was there before does not show in a row that is used again.
        cache.push(row(1, 6.0));
        assert_eq!(append(&mut cache, 9.0)[1], [6.0, 19.0]);
    }
}
