//! Products of matrices that fit the caches of a core, on one thread: a few rows at a time by packed panels of columns.
//!
//! A panel has two vectors of columns. Its numbers lie in the order of their use, so that a step of the loop loads two vectors, and multiplies
//! them with a number of each row; the sums stay in registers.

use pulp::{Simd, bytemuck};

/// Rows that meet a panel at a time: as many as the registers of AVX2 have room for.
pub(crate) const ROWS: usize = 6;

/// Sums of `R` rows and a panel of columns.
pub(crate) type Sums<S, const R: usize> = [[<S as Simd>::f32s; 2]; R];

/// Columns of a panel.
pub(crate) const fn width<S: Simd>() -> usize {
    2 * S::F32_LANES
}

/// Numbers that panels of a matrix `[depth, columns]` take.
pub(crate) const fn packed_len<S: Simd>([depth, columns]: [usize; 2]) -> usize {
    columns.div_ceil(width::<S>()) * width::<S>() * depth
}

/// Memory that is kept for the next use. It begins at a line of the cache.
#[derive(Default)]
pub(crate) struct Scratch(Vec<f32>);

impl Scratch {
    /// So many numbers of any content.
    pub(crate) fn of(&mut self, len: usize) -> &mut [f32] {
        const LINE: usize = 64;
        const IN_LINE: usize = LINE / size_of::<f32>();
        if self.0.len() < len + IN_LINE {
            self.0.resize(len + IN_LINE, 0.0);
        }
        let skip = self.0.as_ptr().align_offset(LINE).min(IN_LINE);
        &mut self.0[skip..][..len]
    }
}

/// Panels of a matrix `[depth, columns]` of which `row(l)` are the rows; what the last panel has too many columns is 0.
#[inline(always)]
pub(crate) fn pack_rows<'a, S: Simd>(
    [depth, columns]: [usize; 2],
    row: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    let width = width::<S>();
    for l in 0..depth {
        let row = &row(l)[..columns];
        for (panel, part) in row.chunks(width).enumerate() {
            let place = &mut out[(panel * depth + l) * width..][..width];
            place[..part.len()].copy_from_slice(part);
            place[part.len()..].fill(0.0);
        }
    }
}

/// The same of a matrix of which `column(j)` are the columns.
#[inline(always)]
pub(crate) fn pack_columns<'a, S: Simd>(
    [depth, columns]: [usize; 2],
    column: impl Fn(usize) -> &'a [f32],
    out: &mut [f32],
) {
    // Numbers of a line of the cache of each column, so that what is written is close by.
    const LINE: usize = 16;
    let width = width::<S>();
    for (panel, out) in out.chunks_exact_mut(width * depth).enumerate() {
        let whole = width.min(columns - panel * width);
        for (part, out) in out.chunks_mut(LINE * width).enumerate() {
            for j in 0..whole {
                let column = &column(panel * width + j)[part * LINE..depth];
                for (step, number) in out.chunks_exact_mut(width).zip(column) {
                    step[j] = *number;
                }
            }
            for step in out.chunks_exact_mut(width) {
                step[whole..].fill(0.0);
            }
        }
    }
}

/// Adds products of `R` rows and the steps of a panel; rows are as long as the panel has steps.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // Closures would not be compiled for the processor at hand.
pub(crate) fn add_rows<S: Simd, const R: usize>(
    simd: S,
    sums: &mut Sums<S, R>,
    rows: [&[f32]; R],
    panel: &[f32],
) {
    let (steps, _) = S::as_simd_f32s(panel).0.as_chunks::<2>();
    let mut held = *sums;
    for l in 0..steps.len() {
        for r in 0..R {
            let number = simd.splat_f32s(rows[r][l]);
            held[r][0] = simd.mul_add_e_f32s(number, steps[l][0], held[r][0]);
            held[r][1] = simd.mul_add_e_f32s(number, steps[l][1], held[r][1]);
        }
    }
    *sums = held;
}

/// The same of rows that are columns of a matrix whose rows begin `stride` numbers after each other: those from the first number on.
#[inline(always)]
#[allow(clippy::needless_range_loop)] // As above.
pub(crate) fn add_columns<S: Simd, const R: usize>(
    simd: S,
    sums: &mut Sums<S, R>,
    (matrix, stride): (&[f32], usize),
    panel: &[f32],
) {
    let (steps, _) = S::as_simd_f32s(panel).0.as_chunks::<2>();
    let mut held = *sums;
    for l in 0..steps.len() {
        let numbers = &matrix[l * stride..][..R];
        for r in 0..R {
            let number = simd.splat_f32s(numbers[r]);
            held[r][0] = simd.mul_add_e_f32s(number, steps[l][0], held[r][0]);
            held[r][1] = simd.mul_add_e_f32s(number, steps[l][1], held[r][1]);
        }
    }
    *sums = held;
}

/// No sums yet.
#[inline(always)]
pub(crate) fn no_sums<S: Simd, const R: usize>(simd: S) -> Sums<S, R> {
    [[simd.splat_f32s(0.0); 2]; R]
}

/// Writes the sums of a row, times a factor, to as many numbers as there are in `out`, at most a panel's.
#[inline(always)]
pub(crate) fn write<S: Simd>(simd: S, sums: [S::f32s; 2], factor: f32, out: &mut [f32]) {
    let factor = simd.splat_f32s(factor);
    let sums = [
        simd.mul_f32s(sums[0], factor),
        simd.mul_f32s(sums[1], factor),
    ];
    match S::as_mut_simd_f32s(out).0 {
        [a, b] => [*a, *b] = sums,
        _ => {
            let numbers: &[f32] = bytemuck::cast_slice(&sums);
            let count = out.len();
            out.copy_from_slice(&numbers[..count]);
        }
    }
}

/// Adds the sums of a row to as many numbers as there are in `out`.
#[inline(always)]
pub(crate) fn add_to<S: Simd>(simd: S, sums: [S::f32s; 2], out: &mut [f32]) {
    match S::as_mut_simd_f32s(out).0 {
        [a, b] => {
            *a = simd.add_f32s(*a, sums[0]);
            *b = simd.add_f32s(*b, sums[1]);
        }
        _ => {
            let numbers: &[f32] = bytemuck::cast_slice(&sums);
            for (out, number) in out.iter_mut().zip(numbers) {
                *out += number;
            }
        }
    }
}
