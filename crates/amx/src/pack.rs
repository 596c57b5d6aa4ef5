//! Numbers into the parts and the order in which tiles take them.
#![expect(unsafe_code, reason = "vector instructions of one processor")]

use std::arch::x86_64::{
    __m256i, __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_castsi256_si512,
    _mm512_castsi512_ps, _mm512_cvtepu16_epi32, _mm512_cvtneps_pbh, _mm512_inserti64x4,
    _mm512_maskz_loadu_ps, _mm512_or_si512, _mm512_setzero_si512, _mm512_shuffle_i32x4,
    _mm512_slli_epi32, _mm512_storeu_si512, _mm512_sub_ps, _mm512_unpackhi_epi32,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi32, _mm512_unpacklo_epi64,
};
use std::array::from_fn;
use std::mem::transmute;

use crate::BLOCK;
use crate::kernel::{DEPTH, NUMBERS, PARTS, Step, TILE};
use crate::view::View;

/// The rows of a left matrix or the columns of a right one: what inner products are taken of.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a> {
    numbers: &'a [f32],
    lines: usize,
    depth: usize,
    stride: usize,
    /// Whether the numbers of a line lie side by side, not those of one inner step.
    whole: bool,
    /// Whether a row of a tile is a line, as on the left, or two inner steps of all its lines, as on the right.
    in_rows: bool,
}

/// Numbers that are asked for ahead of their use.
const AHEAD: usize = 128;

/// Pairs of bf16 of sixteen lines, or of sixteen pairs of inner steps, one of each in a row.
type Square = [__m512i; TILE];

impl<'a> Lines<'a> {
    pub(crate) fn rows_of(a: View<'a>) -> Self {
        Self {
            numbers: a.numbers,
            lines: a.rows,
            depth: a.columns,
            stride: a.stride,
            whole: !a.transposed,
            in_rows: true,
        }
    }

    pub(crate) fn columns_of(b: View<'a>) -> Self {
        Self {
            in_rows: false,
            ..Self::rows_of(b.transposed())
        }
    }

    /// Packs blocks of lines, from line `first` on, `steps` steps of each, from inner step `depth` on; zeros where there is none. Blocks begin
    /// `stride` steps after each other in `out`, and are as many as begin there.
    pub(crate) fn pack(
        &self,
        first: usize,
        depth: usize,
        steps: usize,
        stride: usize,
        out: &mut [Step],
    ) {
        // SAFETY: tiles are supported, so these vectors are, too.
        unsafe { self.pack_with_vectors(first, depth, [steps, stride], out) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn pack_with_vectors(
        &self,
        first: usize,
        depth: usize,
        [steps, stride]: [usize; 2],
        out: &mut [Step],
    ) {
        let mut squares = [[_mm512_setzero_si512(); TILE]; PARTS];
        let blocks = out.len().div_ceil(stride);
        // In the order of memory.
        let places = (0..blocks * steps).map(|i| match self.whole {
            true => (i / steps, i % steps),
            false => (i % blocks, i / blocks),
        });
        for (block, step) in places {
            let out = &mut out[block * stride + step];
            let depth = depth + step * DEPTH;
            for tile in 0..2 {
                let first = first + block * BLOCK + tile * TILE;
                let mut place = |row: usize, parts: [__m512i; PARTS]| {
                    for (part, values) in parts.into_iter().enumerate() {
                        store(&mut out.0[part * 2 + tile], row, values);
                    }
                };
                if self.whole == self.in_rows {
                    self.rows(first, depth, place);
                    continue;
                }
                self.rows(first, depth, |row, parts| {
                    for part in 0..PARTS {
                        squares[part][row] = parts[part];
                    }
                });
                let [high, middle, low] = &squares;
                let [high, middle, low] = [transposed(high), transposed(middle), transposed(low)];
                for row in 0..TILE {
                    place(row, [high[row], middle[row], low[row]]);
                }
            }
        }
    }

    /// Sixteen rows of pairs: a line in each where lines are whole, else two inner steps of all lines.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    fn rows(&self, first: usize, depth: usize, mut put: impl FnMut(usize, [__m512i; PARTS])) {
        let lines = self.lines.saturating_sub(first);
        for row in 0..TILE {
            if self.whole {
                let start = (first + row) * self.stride;
                let half = |from: usize| {
                    let there = if row < lines {
                        self.depth.saturating_sub(from)
                    } else {
                        0
                    };
                    split(self.load(start + from, there))
                };
                let (left, right) = (half(depth), half(depth + TILE));
                put(
                    row,
                    from_fn(|part| {
                        let left = _mm512_castsi256_si512(left[part]);
                        _mm512_inserti64x4::<1>(left, right[part])
                    }),
                );
            } else {
                let step = |at: usize| {
                    let there = if at < self.depth { lines } else { 0 };
                    split(self.load(at * self.stride + first, there))
                };
                let (even, odd) = (step(depth + 2 * row), step(depth + 2 * row + 1));
                put(
                    row,
                    from_fn(|part| {
                        let odd = _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(odd[part]));
                        _mm512_or_si512(_mm512_cvtepu16_epi32(even[part]), odd)
                    }),
                );
            }
        }
    }

    /// Sixteen numbers, of which `there` are, the others zeros.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(&self, at: usize, there: usize) -> __m512 {
        let mask = match there {
            0 => return _mm512_castsi512_ps(_mm512_setzero_si512()),
            TILE.. => u16::MAX,
            some => (1 << some) - 1,
        };
        let numbers = self.numbers[at..at + there.min(TILE)].as_ptr();
        _mm_prefetch::<_MM_HINT_T0>(numbers.wrapping_add(AHEAD).cast());
        // SAFETY: only numbers of the slice are read.
        unsafe { _mm512_maskz_loadu_ps(mask, numbers) }
    }
}

/// Sixteen numbers as the sums of three bf16 each, the largest part first.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bf16")]
fn split(x: __m512) -> [__m256i; PARTS] {
    // SAFETY: both are sixteen numbers of 16 bits.
    let rounded = |x: __m512| -> __m256i { unsafe { transmute(_mm512_cvtneps_pbh(x)) } };
    let whole =
        |part: __m256i| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(part)));
    let high = rounded(x);
    let rest = _mm512_sub_ps(x, whole(high));
    let middle = rounded(rest);
    let low = rounded(_mm512_sub_ps(rest, whole(middle)));
    [high, middle, low]
}

/// Writes a row of a tile.
#[inline]
#[target_feature(enable = "avx512f")]
fn store(tile: &mut [u16; NUMBERS], row: usize, values: __m512i) {
    let (rows, _) = tile.as_chunks_mut::<DEPTH>();
    // SAFETY: a row has 64 bytes.
    unsafe { _mm512_storeu_si512(rows[row].as_mut_ptr().cast(), values) };
}

/// Rows for columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn transposed(rows: &Square) -> Square {
    let mut pairs = *rows;
    for (pair, rows) in pairs
        .as_chunks_mut::<2>()
        .0
        .iter_mut()
        .zip(rows.as_chunks::<2>().0)
    {
        *pair = [
            _mm512_unpacklo_epi32(rows[0], rows[1]),
            _mm512_unpackhi_epi32(rows[0], rows[1]),
        ];
    }
    let mut fours = pairs;
    for (four, pairs) in fours
        .as_chunks_mut::<4>()
        .0
        .iter_mut()
        .zip(pairs.as_chunks::<4>().0)
    {
        *four = [
            _mm512_unpacklo_epi64(pairs[0], pairs[2]),
            _mm512_unpackhi_epi64(pairs[0], pairs[2]),
            _mm512_unpacklo_epi64(pairs[1], pairs[3]),
            _mm512_unpackhi_epi64(pairs[1], pairs[3]),
        ];
    }
    // A quarter of `fours[4 i + c]` has a column of four rows; quarters of one column come together.
    let mut columns = fours;
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        let (even, odd) = (
            (
                _mm512_shuffle_i32x4::<0x88>(a, b),
                _mm512_shuffle_i32x4::<0x88>(d, e),
            ),
            (
                _mm512_shuffle_i32x4::<0xdd>(a, b),
                _mm512_shuffle_i32x4::<0xdd>(d, e),
            ),
        );
        columns[c] = _mm512_shuffle_i32x4::<0x88>(even.0, even.1);
        columns[4 + c] = _mm512_shuffle_i32x4::<0x88>(odd.0, odd.1);
        columns[8 + c] = _mm512_shuffle_i32x4::<0xdd>(even.0, even.1);
        columns[12 + c] = _mm512_shuffle_i32x4::<0xdd>(odd.0, odd.1);
    }
    columns
}
