//! Products of four rows and more with blocks, where the processor multiplies pairs of 16-bit integers and adds them up at once (AVX-512 VNNI).
//!
//! Sixteen rows of the matrix become a panel: of each of their blocks sixteen vectors, in which every row has a pair of quants. One
//! instruction multiplies such a vector with a pair of `x` and adds up: a block takes sixteen of them and four more for scale and minimum,
//! where f32 takes 32. Rows of `x` are rounded to 16 bits by blocks, as one to three rows are.
#![expect(
    unsafe_code,
    reason = "pulp tells whether a processor has VNNI, but has no name for the instruction"
)]

use core::arch::x86_64::{__m128i, __m256i, __m512, __m512i, _mm512_dpwssd_epi32};
use std::marker::PhantomData;

use pulp::NullaryFnOnce;
use pulp::x86::V3;

use super::Block;
use super::rounded;

pulp::simd_type! {
    /// AVX-512 with VNNI.
    pub(super) struct Vnni {
        sse: "sse",
        sse2: "sse2",
        avx: "avx",
        avx2: "avx2",
        fma: "fma",
        avx512f: "avx512f",
        avx512bw: "avx512bw",
        avx512dq: "avx512dq",
        avx512vl: "avx512vl",
        avx512vnni: "avx512vnni",
    }
}

/// Rows of the matrix in a panel.
const PANEL: usize = 16;
/// Pairs of numbers in a block.
pub(super) const PAIRS: usize = 16;
/// Rows of `x` at a time.
pub(super) const ROWS: usize = 4;

/// A block of a row of `x`.
struct Rounded {
    /// Two 16-bit integers each, in the order of [`Block::PAIRS`].
    pairs: [i32; PAIRS],
    /// What an integer has to be multiplied with.
    scale: f32,
    /// The sum of the integers.
    sum: i32,
}

/// Rows of `x`, ready for products; at least [`ROWS`] of them.
pub(super) struct Factor {
    simd: Vnni,
    rows: Vec<Rounded>,
    in_row: usize,
}

impl Factor {
    /// Of rows of `in_row` blocks, for a matrix in blocks of `T`; `None` without VNNI.
    pub(super) fn new<const B: usize, T: Block<B>>(
        simd: V3,
        x: &[[f32; 32]],
        in_row: usize,
    ) -> Option<Self> {
        let vnni = Vnni::try_new()?;
        let rows = simd.vectorize(Round::<B, T> {
            simd,
            x,
            kind: PhantomData,
        });
        Some(Self {
            simd: vnni,
            rows,
            in_row,
        })
    }

    /// See [`super::Factor::products`].
    pub(super) fn products<const B: usize, T: Block<B>>(
        &self,
        blocks: &[[u8; B]],
        out: &mut [&mut [f32]],
    ) {
        self.simd.vectorize(Products::<B, T> {
            factor: self,
            blocks,
            out,
            kind: PhantomData,
        });
    }
}

/// See [`Factor::new`].
struct Round<'a, const B: usize, T> {
    simd: V3,
    x: &'a [[f32; 32]],
    kind: PhantomData<T>,
}

impl<const B: usize, T: Block<B>> NullaryFnOnce for Round<'_, B, T> {
    type Output = Vec<Rounded>;

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut rows = Vec::with_capacity(self.x.len());
        for block in self.x {
            let (integers, scale) = rounded::integers(self.simd, block);
            let mut row = Rounded {
                pairs: [0; PAIRS],
                scale,
                sum: integers.iter().sum(),
            };
            for (pair, [a, b]) in row.pairs.iter_mut().zip(T::PAIRS) {
                let low = integers[usize::from(a)] & 0xffff;
                *pair = integers[usize::from(b)] << 16 | low;
            }
            rows.push(row);
        }
        rows
    }
}

/// A block of [`PANEL`] rows of the matrix.
pub(super) struct Panel {
    /// A pair of each row's quants, in the order of [`Block::PAIRS`].
    pub(super) quants: [__m512i; PAIRS],
    scale: __m512,
    minimum: __m512,
}

/// See [`Factor::products`].
struct Products<'a, 'o, const B: usize, T> {
    factor: &'a Factor,
    blocks: &'a [[u8; B]],
    out: &'a mut [&'o mut [f32]],
    kind: PhantomData<T>,
}

impl<const B: usize, T: Block<B>> NullaryFnOnce for Products<'_, '_, B, T> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let rows = self.out.first().map_or(0, |out| out.len());
        let in_row = self.factor.in_row;
        let mut first: Vec<Panel> = Vec::with_capacity(in_row);
        let mut second: Vec<Panel> = Vec::with_capacity(in_row);
        let mut j = 0;
        while j < rows {
            self.fill(j, &mut first);
            if j + PANEL < rows {
                self.fill(j + PANEL, &mut second);
                self.multiply([&first, &second], j);
            } else {
                self.multiply([&first], j);
            }
            j += 2 * PANEL;
        }
    }
}

impl<const B: usize, T: Block<B>> Products<'_, '_, B, T> {
    /// The panel of rows from row `j` on; zeros in the place of rows that the matrix lacks.
    #[inline(always)]
    fn fill(&self, j: usize, panel: &mut Vec<Panel>) {
        let (simd, in_row) = (self.factor.simd, self.factor.in_row);
        panel.clear();
        let none = [0; B];
        for t in 0..in_row {
            let mut blocks = [&none; PANEL];
            for (r, block) in blocks.iter_mut().enumerate() {
                if let Some(there) = self.blocks.get((j + r) * in_row + t) {
                    *block = there;
                }
            }
            panel.push(Panel {
                quants: T::panel(simd, blocks),
                scale: halves(simd, blocks, 0),
                minimum: match T::MINIMUM_AT {
                    Some(at) => halves(simd, blocks, at),
                    None => simd.avx512f._mm512_setzero_ps(),
                },
            });
        }
    }

    /// Rows `j` and following of the matrix, which are these panels, by all rows of `x`.
    #[inline(always)]
    fn multiply<const P: usize>(&mut self, panels: [&[Panel]; P], j: usize) {
        let n = self.out.len();
        let mut i = 0;
        while i < n {
            // The last ones once more, where fewer are left.
            self.tile(panels, i.min(n.saturating_sub(ROWS)), j);
            i += ROWS;
        }
    }

    /// By [`ROWS`] rows of `x` from row `i` on.
    #[inline(always)]
    #[allow(clippy::needless_range_loop)] // Closures would not be compiled for the processor at hand.
    fn tile<const P: usize>(&mut self, panels: [&[Panel]; P], i: usize, j: usize) {
        let Factor { simd, rows, in_row } = self.factor;
        let (simd, in_row) = (*simd, *in_row);
        let f = simd.avx512f;
        let mut x: [&[Rounded]; ROWS] = [&[]; ROWS];
        for r in 0..ROWS {
            x[r] = &rows[(i + r) * in_row..][..in_row];
        }
        let mut sums = [[f._mm512_setzero_ps(); ROWS]; P];
        for t in 0..in_row {
            let mut dots = [[f._mm512_setzero_si512(); ROWS]; P];
            if T::ZERO_POINT != 0 {
                for r in 0..ROWS {
                    let zeros = f._mm512_set1_epi32(-i32::from(T::ZERO_POINT) * x[r][t].sum);
                    for p in 0..P {
                        dots[p][r] = zeros;
                    }
                }
            }
            for k in 0..PAIRS {
                for r in 0..ROWS {
                    let pair = f._mm512_set1_epi32(x[r][t].pairs[k]);
                    for p in 0..P {
                        dots[p][r] = simd.add_pairs(dots[p][r], panels[p][t].quants[k], pair);
                    }
                }
            }
            for r in 0..ROWS {
                let x_scale = f._mm512_set1_ps(x[r][t].scale);
                let x_sum = f._mm512_set1_ps(x[r][t].scale * x[r][t].sum as f32);
                for p in 0..P {
                    let panel = &panels[p][t];
                    let dot = f._mm512_mul_ps(f._mm512_cvtepi32_ps(dots[p][r]), x_scale);
                    sums[p][r] = f._mm512_fmadd_ps(dot, panel.scale, sums[p][r]);
                    if T::MINIMUM_AT.is_some() {
                        sums[p][r] = f._mm512_fmadd_ps(x_sum, panel.minimum, sums[p][r]);
                    }
                }
            }
        }
        for r in 0..ROWS {
            for p in 0..P {
                let sums: [f32; PANEL] = pulp::cast(sums[p][r]);
                let out = &mut self.out[i + r][j + p * PANEL..];
                let there = out.len().min(PANEL);
                out[..there].copy_from_slice(&sums[..there]);
            }
        }
    }
}

impl Vnni {
    /// `sums`, each with the products of a pair of `a` and a pair of `b` added.
    #[inline(always)]
    fn add_pairs(self, sums: __m512i, a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: `self` tells that the processor has the instruction.
        unsafe { _mm512_dpwssd_epi32(sums, a, b) }
    }
}

/// The finite halves at byte `at` of each block.
#[inline(always)]
fn halves<const B: usize>(simd: Vnni, blocks: [&[u8; B]; PANEL], at: usize) -> __m512 {
    let mut halves = [0u16; PANEL];
    for (half, block) in halves.iter_mut().zip(blocks) {
        *half = u16::from_le_bytes([block[at], block[at + 1]]);
    }
    let halves: __m256i = pulp::cast(halves);
    simd.avx512f._mm512_cvtph_ps(halves)
}

/// Four bytes of each row in each vector: the first four of sixteen, the next and so on.
#[inline(always)]
fn fours(simd: Vnni, rows: [__m128i; PANEL]) -> [__m512i; 4] {
    let f = simd.avx512f;
    // Rows 0, 4, 8 and 12 side by side, then 1, 5 and so on.
    let mut sides = [f._mm512_setzero_si512(); 4];
    for (r, side) in sides.iter_mut().enumerate() {
        let v = f._mm512_castsi128_si512(rows[r]);
        let v = f._mm512_inserti32x4::<1>(v, rows[r + 4]);
        let v = f._mm512_inserti32x4::<2>(v, rows[r + 8]);
        *side = f._mm512_inserti32x4::<3>(v, rows[r + 12]);
    }
    let [a, b, c, d] = sides;
    let (ab, cd) = (f._mm512_unpacklo_epi32(a, b), f._mm512_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (f._mm512_unpackhi_epi32(a, b), f._mm512_unpackhi_epi32(c, d));
    [
        f._mm512_unpacklo_epi64(ab, cd),
        f._mm512_unpackhi_epi64(ab, cd),
        f._mm512_unpacklo_epi64(ab_high, cd_high),
        f._mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Sixteen bytes of each block, from byte `at` on.
#[inline(always)]
fn sixteen<const B: usize>(blocks: [&[u8; B]; PANEL], at: usize) -> [__m128i; PANEL] {
    let mut rows = [[0u8; 16]; PANEL];
    for (row, block) in rows.iter_mut().zip(blocks) {
        row.copy_from_slice(&block[at..at + 16]);
    }
    pulp::cast(rows)
}

/// [`Block::panel`] of types whose 16 bytes of quants, from byte `at` on, are the first 16 in their low four bits, the others in the high ones.
#[inline(always)]
pub(super) fn nibbles<const B: usize>(
    simd: Vnni,
    blocks: [&[u8; B]; PANEL],
    at: usize,
) -> [__m512i; PAIRS] {
    let f = simd.avx512f;
    let four = f._mm512_set1_epi32(0x000f_000f);
    let mut quants = [four; PAIRS];
    for (k, bytes) in fours(simd, sixteen(blocks, at)).into_iter().enumerate() {
        quants[4 * k] = f._mm512_and_si512(bytes, four);
        quants[4 * k + 1] = f._mm512_and_si512(f._mm512_srli_epi32::<8>(bytes), four);
        quants[4 * k + 2] = f._mm512_and_si512(f._mm512_srli_epi32::<4>(bytes), four);
        quants[4 * k + 3] = f._mm512_and_si512(f._mm512_srli_epi32::<12>(bytes), four);
    }
    quants
}

/// [`Block::PAIRS`] of [`nibbles`].
pub(super) const PAIRS_OF_NIBBLES: [[u8; 2]; PAIRS] = {
    let mut pairs = [[0; 2]; PAIRS];
    let mut k = 0;
    while k < 4 {
        let at = 4 * k as u8;
        pairs[4 * k] = [at, at + 2];
        pairs[4 * k + 1] = [at + 1, at + 3];
        pairs[4 * k + 2] = [16 + at, 16 + at + 2];
        pairs[4 * k + 3] = [16 + at + 1, 16 + at + 3];
        k += 1;
    }
    pairs
};

/// [`Block::panel`] of types whose quants are 32 signed bytes, from byte `at` on.
#[inline(always)]
pub(super) fn bytes<const B: usize>(
    simd: Vnni,
    blocks: [&[u8; B]; PANEL],
    at: usize,
) -> [__m512i; PAIRS] {
    let (f, bw) = (simd.avx512f, simd.avx512bw);
    let mut quants = [f._mm512_setzero_si512(); PAIRS];
    for half in 0..2 {
        let rows = sixteen(blocks, at + 16 * half);
        for (k, bytes) in fours(simd, rows).into_iter().enumerate() {
            let even = bw._mm512_slli_epi16::<8>(bytes);
            quants[8 * half + 2 * k] = bw._mm512_srai_epi16::<8>(even);
            quants[8 * half + 2 * k + 1] = bw._mm512_srai_epi16::<8>(bytes);
        }
    }
    quants
}

/// [`Block::PAIRS`] of [`bytes`].
pub(super) const PAIRS_OF_BYTES: [[u8; 2]; PAIRS] = {
    let mut pairs = [[0; 2]; PAIRS];
    let mut k = 0;
    while k < PAIRS / 2 {
        let at = 4 * k as u8;
        pairs[2 * k] = [at, at + 2];
        pairs[2 * k + 1] = [at + 1, at + 3];
        k += 1;
    }
    pairs
};
