//! The largest singular values and vectors of a weight, with which PiSSA begins (arXiv 2404.02948, section 3).
//!
//! By subspace iteration (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4), with more vectors than are asked for, until what
//! they take of the weight no longer rises; by all of the weight's vectors at once where that is no more work. What is subtracted
//! of the weight is what the factors begin with, so a vector that is not quite there costs nothing but a little of the start.

use burn::tensor::{DType, Tensor, TensorData};
use rayon::prelude::*;

use super::rules::Shape;
use crate::matrix::cast_if_needed;
use crate::model::host;
use crate::random::{named_rng, normal};

/// Vectors beside twice the rank.
const MORE: usize = 8;
/// When iteration ends.
#[derive(Clone, Copy)]
pub(super) struct Care {
    /// Rounds at most.
    rounds: usize,
    /// So many in a row without a rise of what is taken by the share `rise`.
    quiet: usize,
    rise: f64,
}

/// For a start of our own, which need not be the very best.
pub(super) const START: Care = Care {
    rounds: 16,
    quiet: 1,
    rise: 1e-6,
};

/// For the start that somebody else made of the same weight.
pub(super) const AGAIN: Care = Care {
    rounds: 60,
    quiet: 3,
    rise: 1e-9,
};

/// Column vectors, each of the same length.
type Vectors = Vec<Vec<f64>>;

/// `A`, `[d_in, r]`, and `B`, `[r, d_out]`, of the weight `W`, `[d_out, d_in]`: with its largest singular values `s`, `scale A B` is
/// `V diag(s) U^T`, each factor with the root of `s / scale`.
pub(super) fn factors(weight: Tensor<2>, shape: Shape, care: Care) -> [Vec<f32>; 2] {
    let mut weight = cast_if_needed(weight.detach(), DType::F32);
    let [d_out, d_in] = weight.dims();
    let is_tall = d_out > d_in;
    if is_tall {
        weight = weight.transpose();
    }
    let (left, right) = subspaces(&weight, shape.rank, care);
    let (values, rotation) = symmetric_eigen(gram(&right));
    let mut left = rotated(&left, &rotation[..shape.rank]);
    let mut right = rotated(&right, &rotation[..shape.rank]);
    for ((left, right), square) in left.iter_mut().zip(&mut right).zip(values) {
        // `right` is `s` times a unit vector.
        let s = square.max(0.0).sqrt();
        let root = (s / shape.scale).sqrt();
        left.iter_mut().for_each(|value| *value *= root);
        let by = if s > 0.0 { root / s } else { 0.0 };
        right.iter_mut().for_each(|value| *value *= by);
    }
    if is_tall {
        (left, right) = (right, left);
    }
    let a = (0..d_in)
        .flat_map(|i| right.iter().map(move |vector| vector[i] as f32))
        .collect();
    let b = left.iter().flatten().map(|value| *value as f32).collect();
    [a, b]
}

/// Orthonormal vectors `U` that span what the largest right vectors of a weight, not taller than wide, are mapped to, and `W^T U`.
fn subspaces(weight: &Tensor<2>, rank: usize, care: Care) -> (Vectors, Vectors) {
    let [height, width] = weight.dims();
    let count = 2 * rank + MORE;
    if 4 * count >= height {
        let unit = |i: usize| (0..height).map(move |j| f64::from(u8::from(i == j)));
        let left: Vectors = (0..height).map(|i| unit(i).collect()).collect();
        let right = applied(weight.clone().transpose(), &left);
        return (left, right);
    }
    let mut rng = named_rng(0, "pissa");
    let mut draw = || (0..width).map(|_| f64::from(normal(&mut rng))).collect();
    let mut right: Vectors = (0..count).map(|_| draw()).collect();
    let (mut left, mut taken, mut quiet) = (Vectors::new(), 0.0, 0);
    for _ in 0..care.rounds {
        left = orthonormal(applied(weight.clone(), &orthonormal(right)));
        right = applied(weight.clone().transpose(), &left);
        let values = eigenvalues(gram(&right));
        let now: f64 = values.iter().take(rank).sum();
        quiet = match now > taken * (1.0 + care.rise) {
            true => 0,
            false => quiet + 1,
        };
        taken = now;
        if quiet == care.quiet {
            break;
        }
    }
    (left, right)
}

/// A matrix by each of some vectors, on its device.
fn applied(matrix: Tensor<2>, vectors: &Vectors) -> Vectors {
    let width = vectors.first().map_or(0, Vec::len);
    let numbers = vectors
        .iter()
        .flatten()
        .map(|value| *value as f32)
        .collect();
    let data = TensorData::new(numbers, [vectors.len(), width]);
    let rows = Tensor::<2>::from_data(data, &matrix.device());
    let [height, _] = matrix.dims();
    let products = host(rows.matmul(matrix.transpose()));
    let products = products.chunks(height.max(1));
    products
        .map(|product| product.iter().map(|value| f64::from(*value)).collect())
        .collect()
}

#[allow(clippy::needless_range_loop)] // An iterator over so few makes it ten times slower.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    /// Sums side by side, so that the processor adds several at a time.
    const LANES: usize = 8;
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    let rest = a_rest.iter().zip(b_rest);
    sums.iter().sum::<f64>() + rest.map(|(a, b)| a * b).sum::<f64>()
}

/// `to + factor * vector`
fn add(to: &mut [f64], factor: f64, vector: &[f64]) {
    for (to, value) in to.iter_mut().zip(vector) {
        *to += factor * value;
    }
}

/// The same space by orthogonal unit vectors (Gram and Schmidt, twice); what adds nothing to it becomes zero.
fn orthonormal(mut vectors: Vectors) -> Vectors {
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        let Some((vector, _)) = rest.split_first_mut() else {
            break;
        };
        let before = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let share = dot(vector, other);
                add(vector, -share, other);
            }
        }
        let norm = dot(vector, vector).sqrt();
        let by = if norm > 1e-9 * before {
            1.0 / norm
        } else {
            0.0
        };
        vector.iter_mut().for_each(|value| *value *= by);
    }
    vectors
}

/// The inner products of vectors with each other.
fn gram(vectors: &Vectors) -> Vectors {
    let row = |a: &Vec<f64>| vectors.iter().map(|b| dot(a, b)).collect();
    vectors.par_iter().map(row).collect()
}

/// A sum of vectors for each row of weights.
fn rotated(vectors: &Vectors, weights: &[Vec<f64>]) -> Vectors {
    let length = vectors.first().map_or(0, Vec::len);
    let sum = |weights: &Vec<f64>| {
        let mut sum = vec![0.0; length];
        for (vector, weight) in vectors.iter().zip(weights) {
            add(&mut sum, *weight, vector);
        }
        sum
    };
    weights.par_iter().map(sum).collect()
}

/// Eigenvalues of a symmetric matrix, the largest first, and its eigenvectors: by Householder's reflections to three diagonals, and
/// rotations from there (Golub and Van Loan, Matrix Computations, sections 8.3.1 and 8.3.3).
fn symmetric_eigen(m: Vectors) -> (Vec<f64>, Vectors) {
    let n = m.len();
    let (mut diagonal, mut beside, reflections) = tridiagonal(m);
    let mut vectors = reflected(&reflections, n);
    diagonalise(&mut diagonal, &mut beside, &mut vectors);
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| diagonal[*b].total_cmp(&diagonal[*a]));
    let values = order.iter().map(|i| diagonal[*i]).collect();
    let sorted = order.iter().map(|i| std::mem::take(&mut vectors[*i]));
    (values, sorted.collect())
}

/// The eigenvalues alone, the largest first.
fn eigenvalues(m: Vectors) -> Vec<f64> {
    let (mut diagonal, mut beside, _) = tridiagonal(m);
    diagonalise(&mut diagonal, &mut beside, &mut []);
    diagonal.sort_by(|a, b| b.total_cmp(a));
    diagonal
}

/// A symmetric matrix as `H_0 .. H_k T H_k .. H_0`: the diagonal of `T`, what is beside it, and for each `H = I - v v^T` the end of
/// `v`, which begins with zeros.
fn tridiagonal(mut m: Vectors) -> (Vec<f64>, Vec<f64>, Vectors) {
    let n = m.len();
    let mut reflections = Vectors::new();
    let mut beside = vec![0.0; n];
    for k in 0..n.saturating_sub(2) {
        // `I - v v^T` with `|v|^2 = 2` makes all but the first of these zero.
        let mut v = m[k][k + 1..].to_vec();
        let norm = dot(&v, &v).sqrt();
        beside[k] = if v[0] > 0.0 { -norm } else { norm };
        v[0] -= beside[k];
        let square = dot(&v, &v);
        let by = if square > 0.0 {
            (2.0 / square).sqrt()
        } else {
            0.0
        };
        v.iter_mut().for_each(|value| *value *= by);
        let block = &mut m[k + 1..];
        let mut w: Vec<f64> = block.par_iter().map(|row| dot(&row[k + 1..], &v)).collect();
        let half = dot(&w, &v) / 2.0;
        add(&mut w, -half, &v);
        block.par_iter_mut().enumerate().for_each(|(i, row)| {
            add(&mut row[k + 1..], -v[i], &w);
            add(&mut row[k + 1..], -w[i], &v);
        });
        reflections.push(v);
    }
    if n > 1 {
        beside[n - 2] = m[n - 2][n - 1];
    }
    ((0..n).map(|i| m[i][i]).collect(), beside, reflections)
}

/// `H_0 .. H_k` of each unit vector of length `n`.
fn reflected(reflections: &Vectors, n: usize) -> Vectors {
    let unit = |i: usize| {
        let mut unit = vec![0.0; n];
        unit[i] = 1.0;
        for v in reflections.iter().rev() {
            let end = &mut unit[n - v.len()..];
            let share = dot(end, v);
            add(end, -share, v);
        }
        unit
    };
    (0..n).into_par_iter().map(unit).collect()
}

/// Rotates `vectors`, if there are any, until nothing is beside the diagonal: the implicit QL method.
fn diagonalise(d: &mut [f64], e: &mut [f64], vectors: &mut [Vec<f64>]) {
    let n = d.len();
    for first in 0..n {
        // Far more rounds than it ever takes.
        for _ in 0..100 {
            let is_small =
                |i: &usize| e[*i].abs() <= f64::EPSILON * (d[*i].abs() + d[*i + 1].abs());
            let last = (first..n - 1).find(is_small).unwrap_or(n - 1);
            if last == first {
                break;
            }
            let g = (d[first + 1] - d[first]) / (2.0 * e[first]);
            let shift = g + g.hypot(1.0).copysign(g);
            let mut g = d[last] - d[first] + e[first] / shift;
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut is_whole = true;
            for i in (first..last).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[last] = 0.0;
                    is_whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = d[i + 1] - p;
                let r = (d[i] - g) * s + 2.0 * c * b;
                p = s * r;
                d[i + 1] = g + p;
                g = c * r - b;
                rotate(vectors, i, (c, s));
            }
            if is_whole {
                d[first] -= p;
                e[first] = g;
                e[last] = 0.0;
            }
        }
    }
}

/// Turns the vectors `i` and `i + 1` into each other.
fn rotate(vectors: &mut [Vec<f64>], i: usize, (c, s): (f64, f64)) {
    if vectors.is_empty() {
        return;
    }
    let (above, below) = vectors.split_at_mut(i + 1);
    for (p, q) in above[i].iter_mut().zip(&mut below[0]) {
        (*p, *q) = (c * *p - s * *q, s * *p + c * *q);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// `M v = value v`, unit vectors, orthogonal, and the sum of the values is that of the diagonal.
    #[test]
    fn eigenvectors_are_orthonormal_and_stretched_by_their_values() {
        for n in [1, 2, 3, 40] {
            let mut rng = named_rng(n as u64, "eigen");
            let mut draw = || (0..n).map(|_| f64::from(normal(&mut rng))).collect();
            let drawn: Vectors = (0..n).map(|_| draw()).collect();
            let at = |i: usize, j: usize| drawn[i][j] + drawn[j][i];
            let row = |i: usize| (0..n).map(|j| at(i, j)).collect();
            let mut m: Vectors = (0..n).map(row).collect();
            if n == 40 {
                // Rows of zeros, and equal values.
                for i in 20..40 {
                    m[i].fill(0.0);
                    m.iter_mut().for_each(|row| row[i] = 0.0);
                }
                (m[38][38], m[39][39]) = (1.0, 1.0);
            }
            let (values, vectors) = symmetric_eigen(m.clone());
            assert!(values.is_sorted_by(|a, b| a >= b));
            for (i, (value, v)) in values.iter().zip(&vectors).enumerate() {
                for (row, at) in m.iter().zip(v) {
                    assert!((dot(row, v) - value * at).abs() < 1e-12 * n as f64, "{n}");
                }
                for (j, other) in vectors.iter().enumerate() {
                    let expected = f64::from(u8::from(i == j));
                    assert!((dot(v, other) - expected).abs() < 1e-12, "{n}: {i}, {j}");
                }
            }
        }
    }

    /// `U diag(9, 4, 1) V^T` with known vectors, larger than what is iterated at once.
    /// By iteration, by all vectors at once, and of weights taller than wide.
    #[test]
    fn the_largest_singular_vectors_are_found() {
        for (d_out, d_in) in [(40, 30), (12, 100), (60, 100), (100, 60)] {
            assert_found(d_out, d_in, START);
            assert_found(d_out, d_in, AGAIN);
        }
    }

    fn assert_found(d_out: usize, d_in: usize, care: Care) {
        let device = Device::flex();
        let wave = |n: usize, k: usize| -> Vec<f64> {
            let root = (2.0 / n as f64).sqrt();
            (0..n)
                .map(|i| {
                    root * (std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / n as f64).cos()
                })
                .collect()
        };
        let mut weight = vec![0f32; d_out * d_in];
        for k in 1..d_out.min(d_in) {
            // 9, 4, 1, and less and less.
            let s = [0.0, 9.0, 4.0, 1.0]
                .get(k)
                .copied()
                .unwrap_or(0.5 / k as f64);
            let (u, v) = (wave(d_out, k), wave(d_in, k));
            for (row, u) in weight.chunks_mut(d_in).zip(&u) {
                row.iter_mut()
                    .zip(&v)
                    .for_each(|(w, v)| *w += (s * u * v) as f32);
            }
        }
        let weight = Tensor::<2>::from_data(TensorData::new(weight, [d_out, d_in]), &device);
        let shape = Shape {
            rank: 2,
            scale: 4.0,
            dropout: 0.0,
        };
        let [a, b] = factors(weight, shape, care);
        let (u, v) = (
            [wave(d_out, 1), wave(d_out, 2)],
            [wave(d_in, 1), wave(d_in, 2)],
        );
        for i in 0..d_in {
            for j in 0..d_out {
                let expected = 9.0 * v[0][i] * u[0][j] + 4.0 * v[1][i] * u[1][j];
                let found: f32 = (0..2).map(|k| 4.0 * a[2 * i + k] * b[k * d_out + j]).sum();
                assert!(
                    (f64::from(found) - expected).abs() < 1e-5,
                    "{found}, expected {expected}"
                );
            }
        }
        // Each factor has the root of what is left of the singular value.
        let norm: f32 = b[..d_out].iter().map(|value| value * value).sum();
        assert!((norm - 9.0 / 4.0).abs() < 1e-5, "{norm}");
    }
}
