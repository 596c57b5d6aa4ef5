//! A product by blocks, on all threads.
#![expect(unsafe_code, reason = "threads write blocks of one matrix")]

use std::cell::RefCell;
use std::sync::Mutex;

use rayon::prelude::*;

use crate::kernel::{self, DEPTH, Step, Tiles};
use crate::pack::Lines;
use crate::view::View;
use crate::{BLOCK, Right};

/// Steps of the right side that a thread keeps at a time: about a megabyte, half of a core's second cache.
const PANEL: usize = 175;
/// Inner steps at a time, about.
const DEEP: usize = 20;
/// Tasks for each of several threads, so that they end together. One thread has as few as there are panels, each of which it packs once.
const EACH: usize = 4;

/// Whether this processor has the unit and the system lets us use it. Asked once.
pub fn is_supported() -> bool {
    kernel::is_supported()
}

/// The right side of products, cut once for many of them: 6 bytes a number, and zeros up to whole blocks of 32 by 32.
#[derive(Debug)]
pub struct Packed {
    /// Blocks of columns, each with all its steps.
    steps: Vec<Step>,
    shape: [usize; 2],
}

impl Packed {
    /// Of `b`, `[k, n]`. All of rayon's threads take part.
    ///
    /// # Panics
    /// Where [`is_supported`] is false.
    pub fn new(b: View<'_>) -> Self {
        let shape = b.shape();
        let [depth, columns] = shape.map(|len| len.div_ceil(BLOCK));
        let mut steps = vec![Step::ZERO; columns * depth];
        pack_all(Lines::columns_of(b), &mut steps, [0, depth], depth);
        Self { steps, shape }
    }

    /// `[k, n]`.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }
}

/// The left side of products, cut once for some of them.
///
/// Besides its own inner steps it has room for those of a second, thin product that is added to one with it.
#[derive(Debug)]
pub struct Left {
    /// Blocks of rows, each with all its steps and the room behind them.
    scratch: Scratch,
    /// `[m, k]`
    shape: [usize; 2],
    /// Steps of `k`, and of the room.
    depths: [usize; 2],
}

impl Left {
    /// Of `a`, `[m, k]`, with room for `room` inner steps more. All of rayon's threads take part.
    ///
    /// # Panics
    /// Where [`is_supported`] is false.
    pub fn new(a: View<'_>, room: usize) -> Self {
        let shape = a.shape();
        let [rows, depth] = shape.map(|len| len.div_ceil(BLOCK));
        let depths = [depth, room.div_ceil(BLOCK)];
        let stride = depths[0] + depths[1];
        let mut scratch = Scratch::of(rows * stride);
        pack_all(Lines::rows_of(a), scratch.steps_mut(), [0, depth], stride);
        Self {
            scratch,
            shape,
            depths,
        }
    }

    /// Whether [`times_and`](Self::times_and) can add a product with so many inner steps.
    pub fn has_room_for(&self, inner: usize) -> bool {
        inner.div_ceil(BLOCK) <= self.depths[1]
    }

    /// `a b`, `[m, n]` row by row. All of rayon's threads take part.
    ///
    /// # Panics
    /// Where shapes differ.
    pub fn times(&self, b: Right<'_>) -> Vec<f32> {
        self.product(b, None)
    }

    /// `a b + u v`, `[m, n]` row by row, of `u`, `[m, r]`, and `v`, `[r, n]`. All of rayon's threads take part.
    ///
    /// # Panics
    /// Where shapes differ, or there is no room for `r`.
    pub fn times_and(&mut self, b: Right<'_>, [u, v]: [View<'_>; 2]) -> Vec<f32> {
        let ([rows, r], [depth, room]) = (u.shape(), self.depths);
        let fits = rows == self.shape[0] && v.shape() == [r, b.shape()[1]];
        assert!(fits && self.has_room_for(r), "shapes of a product");
        let more = r.div_ceil(BLOCK);
        let lines = Lines::rows_of(u);
        let steps = self.scratch.steps_mut();
        pack_all(lines, steps, [depth, more], depth + room);
        self.product(b, Some((Lines::columns_of(v), more)))
    }

    fn product(&self, b: Right<'_>, also: Option<(Lines<'_>, usize)>) -> Vec<f32> {
        let ([m, k], [of_right, n]) = (self.shape, b.shape());
        assert_eq!(k, of_right, "shapes of a product");
        let all = m * n;
        let more = also.map_or(0, |(_, more)| more);
        if all == 0 || self.depths[0] + more == 0 {
            return vec![0.0; all];
        }
        let mut c = Vec::with_capacity(all);
        let work = Work {
            left: self,
            right: b,
            also,
            columns: n,
            out: Out(c.as_mut_ptr()),
        };
        work.all();
        // SAFETY: all numbers are written.
        unsafe { c.set_len(all) };
        c
    }
}

/// Packs `depth` steps of all blocks of lines, which begin `stride` steps after each other in `out`, to place `first` of each.
fn pack_all(lines: Lines<'_>, out: &mut [Step], [first, depth]: [usize; 2], stride: usize) {
    assert!(is_supported(), "this processor has no tiles");
    if depth > 0 {
        let blocks = out.par_chunks_exact_mut(stride).enumerate();
        blocks.for_each(|(block, out)| {
            let out = &mut out[first..][..depth];
            lines.pack(block * BLOCK, 0, depth, depth, out);
        });
    }
}

/// Memory for packed numbers, kept for the next product.
#[derive(Debug)]
struct Scratch {
    kept: Vec<Step>,
    count: usize,
}

static KEPT: Mutex<Vec<Vec<Step>>> = Mutex::new(Vec::new());

impl Scratch {
    /// So many steps of any content.
    fn of(count: usize) -> Self {
        let smallest_that_fits = |kept: &mut Vec<Vec<Step>>| {
            let lens = kept.iter().map(Vec::len).enumerate();
            let best = lens.min_by_key(|(_, len)| (*len < count, len.abs_diff(count)));
            best.map(|(place, _)| kept.swap_remove(place))
        };
        let kept = KEPT.lock().ok();
        let kept = kept.and_then(|mut kept| smallest_that_fits(&mut kept));
        let mut kept = kept.unwrap_or_default();
        if kept.len() < count {
            kept.resize(count, Step::ZERO);
        }
        Self { kept, count }
    }

    fn steps(&self) -> &[Step] {
        &self.kept[..self.count]
    }

    fn steps_mut(&mut self) -> &mut [Step] {
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

/// A product that is not empty.
struct Work<'a> {
    left: &'a Left,
    right: Right<'a>,
    /// The right side of a thin product that is added, and its steps.
    also: Option<(Lines<'a>, usize)>,
    columns: usize,
    out: Out,
}

thread_local! {
    static RIGHT: RefCell<Vec<Step>> = const { RefCell::new(Vec::new()) };
}

impl Work<'_> {
    /// All blocks.
    fn all(&self) {
        let [rows, columns] = [self.left.shape[0], self.columns].map(|len| len.div_ceil(BLOCK));
        let widest = (PANEL / self.deep()).max(1);
        let panels = columns.div_ceil(widest);
        let width = columns.div_ceil(panels);
        let wanted = match rayon::current_num_threads() {
            1 => 1,
            threads => EACH * threads,
        };
        let groups = wanted.div_ceil(panels).min(rows.div_ceil(EACH));
        let height = rows.div_ceil(groups);
        let tasks = rows.div_ceil(height) * panels;
        (0..tasks).into_par_iter().for_each(|task| {
            let (group, panel) = (task / panels, task % panels);
            let of_group = [group * height, rows.min((group + 1) * height)];
            let of_panel = [panel, panel + 1].map(|panel| columns.min(panel * width));
            self.part(of_group, of_panel);
        });
    }

    /// Inner steps at a time.
    fn deep(&self) -> usize {
        let steps = self.steps();
        steps.div_ceil(steps.div_ceil(DEEP))
    }

    /// Steps of both products.
    fn steps(&self) -> usize {
        self.left.depths[0] + self.also.map_or(0, |(_, more)| more)
    }

    /// The blocks in ranges of rows and columns.
    fn part(&self, rows: [usize; 2], columns: [usize; 2]) {
        let Some(tiles) = Tiles::new() else {
            panic!("this processor has no tiles")
        };
        let (own, steps, each) = (self.left.depths[0], self.steps(), self.deep());
        RIGHT.with_borrow_mut(|right| {
            let mut from = 0;
            while from < steps {
                let mut deep = each.min(steps - from);
                // What is cut already is not side by side with what is added.
                if matches!(self.right, Right::Packed(_)) && from < own {
                    deep = deep.min(own - from);
                }
                let part = self.panel(columns, [from, deep], right);
                for row in rows[0]..rows[1] {
                    let left = self.left.block(row, [from, deep]);
                    for column in columns[0]..columns[1] {
                        let right = part.block(column - columns[0], deep);
                        self.block(&tiles, (left, right), [row, column], from > 0);
                    }
                }
                from += deep;
            }
        });
    }

    /// Steps `[from, from + deep)` of the blocks of columns in a range, packed into `room` where they are not cut already.
    fn panel<'a>(
        &'a self,
        columns: [usize; 2],
        [from, deep]: [usize; 2],
        room: &'a mut Vec<Step>,
    ) -> Panel<'a> {
        let own = self.left.depths[0];
        if let (Right::Packed(packed), true) = (&self.right, from < own) {
            return Panel {
                steps: &packed.steps[columns[0] * own + from..],
                stride: own,
            };
        }
        let count = (columns[1] - columns[0]) * deep;
        if room.len() < count {
            room.resize(count, Step::ZERO);
        }
        let steps = &mut room[..count];
        let first = columns[0] * BLOCK;
        let of_own = own.saturating_sub(from).min(deep);
        if let (Right::Plain(view), true) = (self.right, of_own > 0) {
            Lines::columns_of(view).pack(first, from * DEPTH, of_own, deep, steps);
        }
        if let (Some((lines, _)), true) = (self.also, of_own < deep) {
            let depth = (from + of_own - own) * DEPTH;
            lines.pack(first, depth, deep - of_own, deep, &mut steps[of_own..]);
        }
        Panel {
            steps,
            stride: deep,
        }
    }

    /// One block of the result.
    fn block(
        &self,
        tiles: &Tiles,
        sides: (&[Step], &[Step]),
        [row, column]: [usize; 2],
        adds: bool,
    ) {
        let [m, n] = [self.left.shape[0], self.columns];
        let (row, column) = (row * BLOCK, column * BLOCK);
        let (rows, columns) = (BLOCK.min(m - row), BLOCK.min(n - column));
        // SAFETY: the block lies in the result.
        let place = unsafe { self.out.place().add(row * n + column) };
        if rows == BLOCK && columns == BLOCK {
            // SAFETY: only this task writes this block.
            return unsafe { tiles.multiply_at(sides, place, n, adds) };
        }
        let mut whole = [0.0; BLOCK * BLOCK];
        let places = || {
            let of_row = move |i: usize| (0..columns).map(move |j| (i * BLOCK + j, i * n + j));
            (0..rows).flat_map(of_row)
        };
        if adds {
            for (at, in_result) in places() {
                // SAFETY: the number lies in the block, and was written before.
                whole[at] = unsafe { place.add(in_result).read() };
            }
        }
        tiles.multiply(sides, &mut whole, BLOCK, adds);
        for (at, in_result) in places() {
            // SAFETY: the number lies in the block, which only this task writes.
            unsafe { place.add(in_result).write(whole[at]) };
        }
    }
}

impl Left {
    /// Steps `[from, from + deep)` of a block of rows.
    fn block(&self, row: usize, [from, deep]: [usize; 2]) -> &[Step] {
        let stride = self.depths[0] + self.depths[1];
        &self.scratch.steps()[row * stride + from..][..deep]
    }
}

/// Some steps of some blocks of columns.
struct Panel<'a> {
    steps: &'a [Step],
    /// From one block to the next.
    stride: usize,
}

impl Panel<'_> {
    fn block(&self, column: usize, deep: usize) -> &[Step] {
        &self.steps[column * self.stride..][..deep]
    }
}
