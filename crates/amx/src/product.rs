//! A product by blocks, on all threads.
#![expect(unsafe_code, reason = "threads write blocks of one matrix")]

use std::cell::RefCell;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::kernel::{BLOCK, DEPTH, Step, Tiles};
use crate::pack::Lines;
use crate::view::View;

/// Steps of the right side that a thread keeps at a time: about a megabyte, half of a core's second cache.
const PANEL: usize = 170;
/// Inner steps at a time, about.
const DEEP: usize = 18;
/// Tasks for each of several threads, so that they end together. One thread has as few as there are panels, each of which it packs once.
const EACH: usize = 4;

pub(crate) fn products(pairs: &[[View<'_>; 2]]) -> Vec<f32> {
    let Some([a, b]) = pairs.first() else {
        return Vec::new();
    };
    let ([m, k], [_, n]) = (a.shape(), b.shape());
    let equal = |pair: &[View<'_>; 2]| pair[0].shape() == [m, k] && pair[1].shape() == [k, n];
    assert!(pairs.iter().all(equal), "shapes of a product");
    let (each, all) = (m * n, pairs.len() * m * n);
    if all == 0 || k == 0 {
        return vec![0.0; all];
    }
    let mut c = Vec::with_capacity(all);
    let out = Out(c.as_mut_ptr());
    let of_pair = |(i, [a, b]): (usize, &[View<'_>; 2])| {
        // SAFETY: there is room for all products.
        let out = Out(unsafe { out.place().add(i * each) });
        product(*a, Right::Lines(Lines::columns_of(*b)), n, out);
    };
    match pairs {
        [pair] => of_pair((0, pair)),
        pairs => pairs.par_iter().enumerate().for_each(of_pair),
    }
    // SAFETY: all products are written.
    unsafe { c.set_len(all) };
    c
}

/// See [`crate::product_with`]; `right` is what [`packed`] made of a right side of `shape`.
pub(crate) fn product_with(a: View<'_>, shape: [usize; 2], right: &[Step]) -> Vec<f32> {
    let ([m, k], [of_right, n]) = (a.shape(), shape);
    assert_eq!(k, of_right, "shapes of a product");
    let all = m * n;
    if all == 0 || k == 0 {
        return vec![0.0; all];
    }
    let mut c = Vec::with_capacity(all);
    product(a, Right::Packed(right), n, Out(c.as_mut_ptr()));
    // SAFETY: all numbers are written.
    unsafe { c.set_len(all) };
    c
}

/// All blocks of the columns of a right side, each with all its steps.
pub(crate) fn packed(b: View<'_>) -> Vec<Step> {
    let [k, n] = b.shape();
    let steps = k.div_ceil(DEPTH);
    let mut packed = vec![Step::ZERO; n.div_ceil(BLOCK) * steps];
    if steps > 0 {
        let columns = Lines::columns_of(b);
        let blocks = packed.par_chunks_exact_mut(steps).enumerate();
        blocks.for_each(|(block, out)| columns.pack(block * BLOCK, 0, steps, out));
    }
    packed
}

/// A product with `n` columns that is not empty, written to `out`.
fn product(a: View<'_>, right: Right<'_>, n: usize, out: Out) {
    let [m, k] = a.shape();
    let steps = k.div_ceil(DEPTH);
    let mut scratch = Scratch::of(m.div_ceil(BLOCK) * steps);
    let left = scratch.steps();
    let rows = Lines::rows_of(a);
    let blocks = left.par_chunks_exact_mut(steps).enumerate();
    blocks.for_each(|(block, out)| rows.pack(block * BLOCK, 0, steps, out));

    let (row_blocks, column_blocks) = (m.div_ceil(BLOCK), n.div_ceil(BLOCK));
    let deep = steps.div_ceil(steps.div_ceil(DEEP));
    let widest = (PANEL / deep).max(1);
    let panels = column_blocks.div_ceil(widest);
    let width = column_blocks.div_ceil(panels);
    let wanted = match rayon::current_num_threads() {
        1 => 1,
        threads => EACH * threads,
    };
    let groups = wanted.div_ceil(panels).min(row_blocks.div_ceil(EACH));
    let height = row_blocks.div_ceil(groups);
    let work = Work {
        left,
        right,
        steps,
        deep,
        shape: [m, n],
        out,
    };
    let tasks = row_blocks.div_ceil(height) * panels;
    (0..tasks).into_par_iter().for_each(|task| {
        let (group, panel) = (task / panels, task % panels);
        let rows = [group * height, row_blocks.min((group + 1) * height)];
        let columns = [panel, panel + 1].map(|panel| column_blocks.min(panel * width));
        work.part(rows, columns);
    });
}

/// Memory for packed numbers, kept for the next product.
struct Scratch {
    kept: Vec<Step>,
    count: usize,
}

static KEPT: Mutex<Vec<Vec<Step>>> = Mutex::new(Vec::new());

impl Scratch {
    /// So many steps of any content.
    fn of(count: usize) -> Self {
        let kept = KEPT.lock().ok().and_then(|mut kept| kept.pop());
        let mut kept = kept.unwrap_or_default();
        if kept.len() < count {
            kept.resize(count, Step::ZERO);
        }
        Self { kept, count }
    }

    fn steps(&mut self) -> &mut [Step] {
        &mut self.kept[..self.count]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(mut kept) = KEPT.lock() {
            kept.push(std::mem::take(&mut self.kept));
        }
    }
}

/// Where blocks of the result go.
struct Out(*mut f32);

impl Out {
    fn place(&self) -> *mut f32 {
        self.0
    }
}

// SAFETY: tasks write different blocks.
unsafe impl Sync for Out {}

/// The right side of a product.
enum Right<'a> {
    /// To be packed on the way.
    Lines(Lines<'a>),
    /// By blocks of columns, each with all steps.
    Packed(&'a [Step]),
}

struct Work<'a> {
    left: &'a [Step],
    right: Right<'a>,
    steps: usize,
    /// Of these, so many at a time.
    deep: usize,
    shape: [usize; 2],
    out: Out,
}

thread_local! {
    static RIGHT: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

impl Work<'_> {
    /// The blocks in ranges of rows and columns.
    fn part(&self, rows: [usize; 2], columns: [usize; 2]) {
        let Some(tiles) = Tiles::new() else {
            panic!("this processor has no tiles")
        };
        RIGHT.with_borrow_mut(|right| {
            for from in (0..self.steps).step_by(self.deep) {
                let deep = self.deep.min(self.steps - from);
                // Where the steps of a block of columns begin, and of the next.
                let (panel, stride) = match &self.right {
                    Right::Lines(lines) => {
                        let count = (columns[1] - columns[0]) * deep;
                        if right.len() < count {
                            right.resize(count, Step::ZERO);
                        }
                        let panel = &mut right[..count];
                        lines.pack(columns[0] * BLOCK, from * DEPTH, deep, panel);
                        (&*panel, deep)
                    }
                    Right::Packed(all) => (&all[columns[0] * self.steps + from..], self.steps),
                };
                for row in rows[0]..rows[1] {
                    let left = &self.left[row * self.steps + from..][..deep];
                    for column in columns[0]..columns[1] {
                        let right = &panel[(column - columns[0]) * stride..][..deep];
                        self.block(&tiles, (left, right), [row, column], from > 0);
                    }
                }
            }
        });
    }

    /// One block of the result.
    fn block(
        &self,
        tiles: &Tiles,
        sides: (&[Step], &[Step]),
        [row, column]: [usize; 2],
        adds: bool,
    ) {
        let [m, n] = self.shape;
        let (row, column) = (row * BLOCK, column * BLOCK);
        let (rows, columns) = (BLOCK.min(m - row), BLOCK.min(n - column));
        // SAFETY: the block lies in the result.
        let place = unsafe { self.out.place().add(row * n + column) };
        if rows == BLOCK && columns == BLOCK {
            // SAFETY: only this task writes this block.
            return unsafe { tiles.multiply_at(sides, place, n, adds) };
        }
        let mut whole = [0.0; BLOCK * BLOCK];
        tiles.multiply(sides, &mut whole, BLOCK, false);
        for (i, numbers) in whole.chunks_exact(BLOCK).take(rows).enumerate() {
            for (j, number) in numbers[..columns].iter().enumerate() {
                // SAFETY: as above; numbers that are added to were written before.
                unsafe {
                    let place = place.add(i * n + j);
                    place.write(if adds { place.read() + number } else { *number });
                }
            }
        }
    }
}
