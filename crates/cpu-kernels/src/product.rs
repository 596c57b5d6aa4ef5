//! General products of f32 matrices, by the `gemm` crate.
//!
//! It writes into memory that nobody cleared first, and adds one product to another where that one is.
#![expect(unsafe_code, reason = "gemm takes pointers")]

use gemm::{Parallelism, gemm};

/// Products of fewer operations are done by one thread.
const LEAST_FOR_THREADS: usize = 192 * 192 * 192;
/// Fewer columns than this fill no vector: where the left side allows, the transpose of the product is made.
const FEW_COLUMNS: usize = 16;

/// A side of a product: a matrix whose rows and columns lie any number of places apart.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    numbers: &'a [f32],
    shape: [usize; 2],
    strides: [usize; 2],
}

impl<'a> Side<'a> {
    /// `[rows, columns]`, of which number `(i, j)` is at `i * strides[0] + j * strides[1]`. `None` where numbers are missing.
    pub fn new(numbers: &'a [f32], shape: [usize; 2], strides: [usize; 2]) -> Option<Self> {
        let needed = match shape.contains(&0) {
            true => 0,
            false => {
                let last = |dim: usize| (shape[dim] - 1).checked_mul(strides[dim]);
                last(0)?.checked_add(last(1)?)?.checked_add(1)?
            }
        };
        (numbers.len() >= needed).then_some(Self {
            numbers,
            shape,
            strides,
        })
    }

    /// The same matrix with rows and columns changed about; nothing moves.
    #[must_use]
    pub fn transposed(self) -> Self {
        let (shape, strides) = (
            [1, 0].map(|i| self.shape[i]),
            [1, 0].map(|i| self.strides[i]),
        );
        Self {
            shape,
            strides,
            ..self
        }
    }
}

/// The sum of the products `a b`, `[m, n]` row by row, of pairs of `a`, `[m, k]`, and `b`, `[k, n]`, where each pair may have a `k` of its own.
///
/// # Panics
/// Where shapes differ, there is no pair, or the sum has more numbers than memory has places.
pub fn sum_of_products(pairs: &[[Side<'_>; 2]]) -> Vec<f32> {
    let [a, b] = pairs[0];
    let [m, n] = [a.shape[0], b.shape[1]];
    let fits =
        |[a, b]: &[Side<'_>; 2]| a.shape[0] == m && b.shape[1] == n && a.shape[1] == b.shape[0];
    assert!(pairs.iter().all(fits), "shapes of a product");
    // A stride of 0 makes shapes that no memory has.
    let Some(all) = m.checked_mul(n) else {
        panic!("a product of {m} by {n} numbers")
    };
    if all == 0 || a.shape[1] == 0 {
        return match pairs {
            [_, rest @ ..] if !rest.is_empty() => sum_of_products(rest),
            _ => vec![0.0; all],
        };
    }
    if n < FEW_COLUMNS && n < m && a.strides[0] == 1 {
        let turned = pairs.iter().map(|[a, b]| [b.transposed(), a.transposed()]);
        return transposed(&sum_of_products(&turned.collect::<Vec<_>>()), m);
    }
    let mut sum = Vec::with_capacity(all);
    for (i, pair) in pairs.iter().enumerate() {
        // SAFETY: there is room for the sum. gemm reads it only to add to it, which is after the first product wrote it.
        unsafe { write(*pair, sum.as_mut_ptr(), i > 0) };
    }
    // SAFETY: the first product wrote all numbers.
    unsafe { sum.set_len(all) };
    sum
}

/// The product of a pair, written to `out` row by row or added to what is there.
///
/// # Safety
/// `out` is ours, and has room for the product; where it is added, all of it is written.
unsafe fn write([a, b]: [Side<'_>; 2], out: *mut f32, adds: bool) {
    let ([m, k], [_, n]) = (a.shape, b.shape);
    let threads = match m.saturating_mul(k).saturating_mul(n) < LEAST_FOR_THREADS {
        true => Parallelism::None,
        false => Parallelism::Rayon(0),
    };
    let [a_strides, b_strides] = [a, b].map(|side| side.strides.map(usize::cast_signed));
    // SAFETY: `Side` has the numbers of its shape, and the caller answers for `out`.
    unsafe {
        gemm(
            m,
            n,
            k,
            out,
            1,
            n.cast_signed(),
            adds,
            a.numbers.as_ptr(),
            a_strides[1],
            a_strides[0],
            b.numbers.as_ptr(),
            b_strides[1],
            b_strides[0],
            1.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

/// Columns of length `m` for rows.
fn transposed(rows: &[f32], m: usize) -> Vec<f32> {
    let mut columns = vec![0.0; rows.len()];
    let n = rows.len() / m;
    for (i, row) in rows.chunks_exact(m).enumerate() {
        for (j, number) in row.iter().enumerate() {
            columns[j * n + i] = *number;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_random::numbers;

    /// The numbers of `[rows, columns]`, row by row, as they lie with these strides; others are not numbers.
    fn placed(rows: &[f32], shape: [usize; 2], strides: [usize; 2]) -> Vec<f32> {
        let last: usize = (0..2).map(|dim| (shape[dim] - 1) * strides[dim]).sum();
        let mut places = vec![f32::NAN; last + 1];
        for (at, number) in rows.iter().enumerate() {
            let (i, j) = (at / shape[1], at % shape[1]);
            places[i * strides[0] + j * strides[1]] = *number;
        }
        places
    }

    #[test]
    fn sums_of_products_are_those_of_f64_however_matrices_lie() {
        for ([m, n], depths) in [
            ([1, 1], vec![1]),
            ([40, 70], vec![33]),
            ([70, 8], vec![50]),
            ([70, 9], vec![50, 3]),
            ([33, 257], vec![64, 8, 1]),
            ([300, 200], vec![200]),
        ] {
            for turned in [[false, false], [false, true], [true, false], [true, true]] {
                let lies = |shape: [usize; 2], turned: bool| match turned {
                    false => [shape[1] + 2, 1],
                    true => [1, shape[0] + 2],
                };
                let mut sides = Vec::new();
                let mut exact = vec![0f64; m * n];
                for (pair, k) in depths.iter().copied().enumerate() {
                    let (a, b) = (
                        numbers(2 * pair as u64, m * k),
                        numbers(2 * pair as u64 + 1, k * n),
                    );
                    for (at, sum) in exact.iter_mut().enumerate() {
                        let terms = (0..k).map(|l| (a[at / n * k + l], b[l * n + at % n]));
                        *sum += terms.map(|(a, b)| f64::from(a) * f64::from(b)).sum::<f64>();
                    }
                    let side = |rows: &[f32], shape: [usize; 2], turned: bool| {
                        let strides = lies(shape, turned);
                        (placed(rows, shape, strides), shape, strides)
                    };
                    sides.push([side(&a, [m, k], turned[0]), side(&b, [k, n], turned[1])]);
                }
                let pairs: Vec<[Side<'_>; 2]> = (sides.iter())
                    .map(|pair| {
                        pair.each_ref().map(|(numbers, shape, strides)| {
                            Side::new(numbers, *shape, *strides).expect("all numbers")
                        })
                    })
                    .collect();
                let found = sum_of_products(&pairs);
                assert_eq!(found.len(), exact.len());
                for (found, exact) in found.iter().zip(&exact) {
                    let error = (f64::from(*found) - exact).abs();
                    assert!(
                        error < 1e-4,
                        "{m} {n} {depths:?} {turned:?}: {found} {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn without_inner_steps_a_product_is_zero_and_adds_nothing() {
        let side = |numbers, shape: [usize; 2]| Side::new(numbers, shape, [shape[1], 1]).unwrap();
        let (ones, none) = ([1.0; 4], []);
        let nothing = [side(&none, [2, 0]), side(&none, [0, 2])];
        let something = [side(&ones, [2, 2]), side(&ones, [2, 2])];
        assert_eq!(sum_of_products(&[nothing]), [0.0; 4]);
        assert_eq!(sum_of_products(&[nothing, something]), [2.0; 4]);
        assert_eq!(sum_of_products(&[something, nothing]), [2.0; 4]);
        assert!(sum_of_products(&[[side(&none, [0, 2]), something[1]]]).is_empty());
    }

    #[test]
    #[should_panic(expected = "a product of")]
    fn a_product_that_no_memory_holds_is_refused() {
        let line = Side::new(&[1.0], [usize::MAX / 2, 1], [0, 0]).unwrap();
        let row = Side::new(&[1.0], [1, 3], [0, 0]).unwrap();
        sum_of_products(&[[line, row]]);
    }

    #[test]
    fn a_side_has_all_its_numbers() {
        assert!(Side::new(&[0.0; 5], [2, 2], [3, 1]).is_some());
        assert!(Side::new(&[0.0; 4], [2, 2], [3, 1]).is_none());
        assert!(Side::new(&[0.0; 4], [2, 2], [usize::MAX, 1]).is_none());
    }
}
