//! Frozen matrices kept as their file stores them, quantised or in 16 bits, and turned into 32-bit numbers where a product
//! needs them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rayon::prelude::*;

use crate::dequant::{self, Factor};
use crate::thin;
use crate::types::TensorType;

/// Numbers that a thread turns at a time.
const PER_TASK: usize = 1 << 16;

/// A matrix `[d_out, d_in]`, row by row, in the blocks of a file. Clones share the blocks.
#[derive(Clone)]
pub struct StoredMatrix(Arc<Blocks>);

struct Blocks {
    kind: TensorType,
    bytes: Bytes,
    shape: [usize; 2],
    finite: bool,
}

impl StoredMatrix {
    /// A matrix of `shape` `[d_out, d_in]`; `None` where `bytes` are not `d_out` rows of whole blocks.
    pub fn new(kind: TensorType, bytes: Vec<u8>, shape: [usize; 2]) -> Option<Self> {
        let [d_out, d_in] = shape;
        let row = d_in / kind.block() * kind.block_bytes();
        let whole = d_in > 0 && d_in.is_multiple_of(kind.block());
        (whole && bytes.len() == d_out * row).then(|| {
            Self(Arc::new(Blocks {
                kind,
                finite: dequant::finite(kind, &bytes),
                bytes: Bytes::from(bytes),
                shape,
            }))
        })
    }

    /// `[d_out, d_in]`.
    pub fn shape(&self) -> [usize; 2] {
        self.0.shape
    }

    /// How the numbers are stored.
    pub fn kind(&self) -> TensorType {
        self.0.kind
    }

    /// The blocks, row by row.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The same matrix with its blocks somewhere else.
    pub fn at(&self, bytes: Bytes) -> Self {
        debug_assert!(*bytes == *self.0.bytes);
        let Blocks {
            kind,
            shape,
            finite,
            ..
        } = *self.0;
        Self(Arc::new(Blocks {
            kind,
            bytes,
            shape,
            finite,
        }))
    }

    /// `x W^T`, `[n, d_out]`, of `x`, `[n, d_in]`; made for at most [`MOST_ROWS`](crate::MOST_ROWS) rows.
    ///
    /// Rows may be rounded to 16 bits, by blocks of 32 numbers; where it is to be `exact`, up to three rows alone.
    pub fn thin_product(&self, x: &[f32], exact: bool) -> Vec<f32> {
        thin::stored_product(x, self, exact)
    }

    /// The numbers of as many rows as `out` holds, from row `first` on.
    pub fn rows(&self, first: usize, out: &mut [f32]) {
        let [_, d_in] = self.0.shape;
        let bytes = self.bytes_of(first, out.len() / d_in);
        dequant::dequantise_into(self.0.kind, bytes, out);
    }

    /// `n` rows of `x`, each as long as the matrix's, ready for [`products`](Self::products); `None` where only
    /// [`rows`](Self::rows) can be had.
    pub(crate) fn factor<'a>(&self, x: &'a [f32], n: usize, exact: bool) -> Option<Factor<'a>> {
        debug_assert_eq!(x.len(), n * self.0.shape[1]);
        if !self.0.finite {
            return None;
        }
        Factor::new(self.0.kind, x, n, exact)
    }

    /// Fills each row of `out` with the inner products of rows from row `first` on and the row of `x` of the same index.
    pub(crate) fn products(&self, first: usize, x: &Factor<'_>, out: &mut [&mut [f32]]) {
        let rows = out.first().map_or(0, |out| out.len());
        x.products(self.bytes_of(first, rows), out);
    }

    fn bytes_of(&self, first: usize, rows: usize) -> &[u8] {
        let [_, d_in] = self.0.shape;
        let row = d_in / self.0.kind.block() * self.0.kind.block_bytes();
        &self.0.bytes[first * row..][..rows * row]
    }

    /// The index of a number that is infinite or none, the first of its block where blocks have factors; `None` where all are
    /// finite.
    pub fn not_finite(&self) -> Option<usize> {
        const HALF: u16 = 0x7c00;
        const BFLOAT: u16 = 0x7f80;
        const LARGE_POWER: u8 = 253;
        let (kind, bytes) = (self.0.kind, self.bytes());
        let has = |exponent: u16, block: &[u8], at: usize| {
            u16::from_le_bytes([block[at], block[at + 1]]) & exponent == exponent
        };
        let mut blocks = bytes.chunks_exact(kind.block_bytes());
        let block = match kind {
            TensorType::F32 => blocks.position(|block| has(BFLOAT, block, 2)),
            TensorType::F16 => blocks.position(|block| has(HALF, block, 0)),
            TensorType::BF16 => blocks.position(|block| has(BFLOAT, block, 0)),
            // A power of two times twelve at most, which only the largest are too large for.
            TensorType::MXFP4 => blocks.position(|block| {
                let numbers = || dequant::dequantise(kind, block);
                block[0] >= LARGE_POWER && numbers().iter().any(|number| !number.is_finite())
            }),
            _ => blocks.position(|block| {
                let mut factors = kind.factors().iter();
                factors.any(|at| has(HALF, block, *at))
            }),
        };
        block.map(|block| block * kind.block())
    }

    /// All numbers, row by row.
    pub fn to_vec(&self) -> Vec<f32> {
        let [d_out, d_in] = self.0.shape;
        let mut all = vec![0.0; d_out * d_in];
        let each = (PER_TASK / d_in).max(1);
        all.par_chunks_mut(each * d_in)
            .enumerate()
            .for_each(|(task, out)| self.rows(task * each, out));
        all
    }
}

impl fmt::Debug for StoredMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [d_out, d_in] = self.0.shape;
        write!(f, "StoredMatrix({d_out} x {d_in}, {})", self.0.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every type has its factors where `dequantise` reads them: an infinite one makes numbers that are not finite.
    #[test]
    fn numbers_that_are_none_are_found_in_every_type() {
        for kind in TensorType::ALL {
            let shape = [2, kind.block()];
            let size = kind.block_bytes();
            let good = vec![0x11; 2 * size];
            let matrix = StoredMatrix::new(kind, good.clone(), shape).expect("two blocks");
            assert_eq!(matrix.not_finite(), None, "{kind}");
            assert!(matrix.to_vec().iter().all(|number| number.is_finite()));

            let factors = match kind {
                TensorType::F32 => &[2],
                TensorType::F16 | TensorType::BF16 | TensorType::MXFP4 => &[0],
                _ => kind.factors(),
            };
            for at in factors {
                let mut bad = good.clone();
                bad[size + at..size + at + 2].copy_from_slice(&[0xff, 0xff]);
                let matrix = StoredMatrix::new(kind, bad, shape).expect("two blocks");
                assert_eq!(matrix.not_finite(), Some(kind.block()), "{kind}");
                let numbers = matrix.to_vec();
                let (first, second) = numbers.split_at(kind.block());
                assert!(first.iter().all(|number| number.is_finite()), "{kind}");
                assert!(second.iter().any(|number| !number.is_finite()), "{kind}");
            }
        }
    }

    /// Products of one row and of several with a matrix of every type, against its numbers in double precision.
    #[test]
    fn products_of_every_type_are_those_of_its_numbers() {
        let mut rng = crate::test_random::generator(3);
        for kind in TensorType::ALL {
            let (rows, d_in) = (9, 512);
            let mut bytes = vec![0; rows * d_in / kind.block() * kind.block_bytes()];
            rand::Rng::fill(&mut rng, bytes.as_mut_slice());
            for block in bytes.chunks_mut(kind.block_bytes()) {
                match kind {
                    TensorType::F32 => {
                        block.copy_from_slice(&(f32::from(block[0]) - 99.0).to_le_bytes())
                    }
                    // An exponent near that of one.
                    TensorType::F16 => block[1] = 0x30 | block[1] & 0x8f,
                    TensorType::BF16 => block[1] = 0x3f | block[1] & 0x80,
                    TensorType::MXFP4 => block[0] = 120 + block[0] % 8,
                    _ => kind
                        .factors()
                        .iter()
                        .for_each(|at| block[at + 1] = 0x2c | block[at + 1] & 0x8b),
                }
            }
            let matrix = StoredMatrix::new(kind, bytes, [rows, d_in]).expect("whole blocks");
            let numbers = matrix.to_vec();
            for (n, exact) in [(1, false), (5, false), (5, true)] {
                let x: Vec<f32> = (0..n * d_in).map(|i| (i as f32 * 0.37).sin()).collect();
                let found = matrix.thin_product(&x, exact);
                for (i, found) in found.into_iter().enumerate() {
                    let (x, w) = (
                        &x[i / rows * d_in..][..d_in],
                        &numbers[i % rows * d_in..][..d_in],
                    );
                    let terms = x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w));
                    let (expected, scale) = terms.fold((0.0, 0.0), |(sum, scale), term: f64| {
                        (sum + term, scale + term.abs())
                    });
                    let tolerance = if exact { 1e-6 } else { 5e-5 };
                    let error = (f64::from(found) - expected).abs();
                    assert!(
                        error <= tolerance * scale,
                        "{kind}, {n} rows: {found}, expected {expected}"
                    );
                }
            }
        }
    }
}
