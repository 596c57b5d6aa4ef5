//! The largest singular values and vectors of a weight, with which PiSSA begins (arXiv 2404.02948, section 3).
//!
//! By subspace iteration (Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4), with more vectors than are asked for, until what
//! the largest of them take of the weight no longer rises. What is subtracted of the weight is what the factors begin with, so a
//! vector that is not quite there costs nothing but a little of the start.

use burn::tensor::{DType, Tensor, TensorData};

use super::rules::Shape;
use crate::matrix::cast_if_needed;
use crate::model::host;
use crate::random::{named_rng, normal};

/// Vectors beside twice the rank.
const MORE: usize = 8;
/// Rounds, at most.
const MOST_ROUNDS: usize = 60;
/// Rounds in a row without a rise by this share.
const QUIET: (usize, f64) = (3, 1e-9);

/// Column vectors, each of the same length.
type Vectors = Vec<Vec<f64>>;

/// `A`, `[d_in, r]`, and `B`, `[r, d_out]`, of the weight `W`, `[d_out, d_in]`: with its largest singular values `s`, `scale A B` is
/// `V diag(s) U^T`, each factor with the root of `s / scale`.
pub(super) fn factors(weight: Tensor<2>, shape: Shape) -> [Vec<f32>; 2] {
    let weight = cast_if_needed(weight.detach(), DType::F32);
    let (mut left, mut right) = subspaces(&weight, shape.rank);
    let (values, rotation) = symmetric_eigen(gram(&right));
    left = rotated(&left, &rotation, shape.rank);
    right = rotated(&right, &rotation, shape.rank);
    for ((left, right), square) in left.iter_mut().zip(&mut right).zip(values) {
        // `right` is `s` times a unit vector.
        let s = square.max(0.0).sqrt();
        let root = (s / shape.scale).sqrt();
        left.iter_mut().for_each(|value| *value *= root);
        let by = if s > 0.0 { root / s } else { 0.0 };
        right.iter_mut().for_each(|value| *value *= by);
    }
    let a = (0..right.first().map_or(0, Vec::len))
        .flat_map(|i| right.iter().map(move |vector| vector[i] as f32))
        .collect();
    let b = left.iter().flatten().map(|value| *value as f32).collect();
    [a, b]
}

/// Orthonormal vectors `U` that span what the weight's largest right vectors are mapped to, and `W^T U`.
fn subspaces(weight: &Tensor<2>, rank: usize) -> (Vectors, Vectors) {
    let [d_out, d_in] = weight.dims();
    let count = (2 * rank + MORE).min(d_out).min(d_in);
    let mut rng = named_rng(0, "pissa");
    let mut draw = || (0..d_in).map(|_| f64::from(normal(&mut rng))).collect();
    let mut right: Vectors = (0..count).map(|_| draw()).collect();
    let is_all = count == d_out.min(d_in);
    let (mut left, mut taken, mut quiet) = (Vectors::new(), 0.0, 0);
    for _ in 0..MOST_ROUNDS {
        left = orthonormal(applied(weight.clone(), &orthonormal(right)));
        right = applied(weight.clone().transpose(), &left);
        let (values, _) = symmetric_eigen(gram(&right));
        let now: f64 = values.iter().take(rank).sum();
        quiet = match now > taken * (1.0 + QUIET.1) {
            true => 0,
            false => quiet + 1,
        };
        taken = now;
        // As many vectors as the weight has dimensions span all of it at once.
        if is_all || quiet == QUIET.0 {
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

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The same space by orthogonal unit vectors (Gram and Schmidt, twice); what adds nothing to it becomes zero.
fn orthonormal(vectors: Vectors) -> Vectors {
    let mut done = Vectors::new();
    for mut vector in vectors {
        let before = dot(&vector, &vector).sqrt();
        for _ in 0..2 {
            for other in &done {
                let share = dot(&vector, other);
                vector
                    .iter_mut()
                    .zip(other)
                    .for_each(|(value, other)| *value -= share * other);
            }
        }
        let norm = dot(&vector, &vector).sqrt();
        let by = if norm > 1e-9 * before {
            1.0 / norm
        } else {
            0.0
        };
        vector.iter_mut().for_each(|value| *value *= by);
        done.push(vector);
    }
    done
}

/// The inner products of vectors with each other.
fn gram(vectors: &Vectors) -> Vectors {
    let row = |a: &Vec<f64>| vectors.iter().map(|b| dot(a, b)).collect();
    vectors.iter().map(row).collect()
}

/// The first `count` sums of vectors with the weights in the columns of `rotation`.
fn rotated(vectors: &Vectors, rotation: &Vectors, count: usize) -> Vectors {
    let length = vectors.first().map_or(0, Vec::len);
    let sum = |k: usize| {
        let mut sum = vec![0.0; length];
        for (vector, row) in vectors.iter().zip(rotation) {
            sum.iter_mut()
                .zip(vector)
                .for_each(|(sum, value)| *sum += row[k] * value);
        }
        sum
    };
    (0..count.min(vectors.len())).map(sum).collect()
}

/// Eigenvalues of a symmetric matrix, the largest first, and eigenvectors as columns, by Jacobi's rotations (Golub and Van Loan,
/// Matrix Computations, section 8.5).
fn symmetric_eigen(mut m: Vectors) -> (Vec<f64>, Vectors) {
    let n = m.len();
    let mut v: Vectors = (0..n)
        .map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect())
        .collect();
    let total: f64 = m.iter().flatten().map(|value| value * value).sum();
    for _ in 0..50 {
        let outside: f64 = (0..n)
            .map(|p| m[p][..p].iter().map(|value| value * value).sum::<f64>())
            .sum();
        if outside <= 1e-30 * total {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut m, &mut v, (p, q));
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|a, b| m[*b][*b].total_cmp(&m[*a][*a]));
    let values = order.iter().map(|i| m[*i][*i]).collect();
    let vectors = v
        .iter()
        .map(|row| order.iter().map(|i| row[*i]).collect())
        .collect();
    (values, vectors)
}

/// Makes the element `(p, q)` zero.
fn rotate(m: &mut Vectors, v: &mut Vectors, (p, q): (usize, usize)) {
    if m[p][q] == 0.0 {
        return;
    }
    let tau = (m[q][q] - m[p][p]) / (2.0 * m[p][q]);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for row in m.iter_mut().chain(v) {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    // `p` is below `q`.
    let (above, below) = m.split_at_mut(q);
    for (p, q) in above[p].iter_mut().zip(&mut below[0]) {
        (*p, *q) = (c * *p - s * *q, s * *p + c * *q);
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    /// `U diag(9, 4, 1) V^T` with known vectors, larger than what is iterated at once.
    #[test]
    fn the_largest_singular_vectors_are_found() {
        let device = Device::flex();
        let (d_out, d_in) = (40, 30);
        let wave = |n: usize, k: usize| -> Vec<f64> {
            let root = (2.0 / n as f64).sqrt();
            (0..n)
                .map(|i| {
                    root * (std::f64::consts::PI * (i as f64 + 0.5) * k as f64 / n as f64).cos()
                })
                .collect()
        };
        let mut weight = vec![0f32; d_out * d_in];
        for k in 1..30 {
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
        let [a, b] = factors(weight, shape);
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
