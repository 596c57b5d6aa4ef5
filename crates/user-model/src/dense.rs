//! Small dense symmetric matrices: as many rows as somebody gave answers, or as there are users whose rows are compared.

/// A symmetric matrix, row after row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Symmetric {
    size: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// The matrix of `of(row, column)`, asked once for each pair with `column <= row`.
    pub fn from_fn(size: usize, of: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                let value = of(row, column);
                values[row * size + column] = value;
                values[column * size + row] = value;
            }
        }
        Self { size, values }
    }

    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// The product with a vector.
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let rows = self.values.chunks(self.size.max(1)).take(self.size);
        rows.map(|row| dot(row, vector)).collect()
    }

    /// The lower factor `L` of `L L^T`, of a matrix whose eigenvalues are 1 or more: what rounding takes below that is put back.
    pub fn cholesky(&self) -> Lower {
        let n = self.size;
        let mut lower = vec![0.0; n * n];
        for row in 0..n {
            for column in 0..=row {
                let known = dot(
                    &lower[row * n..row * n + column],
                    &lower[column * n..column * n + column],
                );
                let rest = self.at(row, column) - known;
                lower[row * n + column] = match row == column {
                    true => rest.max(1.0).sqrt(),
                    false => rest / lower[column * n + column],
                };
            }
        }
        Lower {
            size: n,
            values: lower,
        }
    }

    /// Eigenvalues, the largest first, each with its eigenvector of length 1 (Jacobi's rotations; Golub and Van Loan, Matrix
    /// Computations, 8.5).
    pub fn eigen(&self) -> Vec<(f64, Vec<f64>)> {
        const SWEEPS: usize = 50;
        let n = self.size;
        let mut a = self.values.clone();
        let mut vectors = vec![0.0; n * n];
        (0..n).for_each(|i| vectors[i * n + i] = 1.0);
        let total: f64 = a.iter().map(|value| value * value).sum();
        for _ in 0..SWEEPS {
            let beside = (0..n * n).filter(|i| i / n != i % n);
            let rest: f64 = beside.map(|i| a[i] * a[i]).sum();
            if rest <= total * 1e-24 {
                break;
            }
            for p in 0..n {
                for q in p + 1..n {
                    rotate(&mut a, &mut vectors, n, (p, q));
                }
            }
        }
        let vector = |j: usize| (0..n).map(|i| vectors[i * n + j]).collect();
        let mut pairs: Vec<(f64, Vec<f64>)> = (0..n).map(|j| (a[j * n + j], vector(j))).collect();
        pairs.sort_by(|(x, _), (y, _)| y.total_cmp(x));
        pairs
    }
}

/// Turns axes `p` and `q` so that nothing is left between them.
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let between = a[p * n + q];
    if between == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * between);
    let sign = if theta < 0.0 { -1.0 } else { 1.0 };
    let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    let turn = |values: &mut [f64], i: usize, j: usize| {
        let (x, y) = (values[i], values[j]);
        values[i] = c * x - s * y;
        values[j] = s * x + c * y;
    };
    for k in 0..n {
        turn(a, k * n + p, k * n + q);
        turn(vectors, k * n + p, k * n + q);
    }
    for k in 0..n {
        turn(a, p * n + k, q * n + k);
    }
}

/// A lower triangular matrix with a positive diagonal.
#[derive(Debug)]
pub(crate) struct Lower {
    size: usize,
    values: Vec<f64>,
}

impl Lower {
    /// `x` of `L x = b`.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut x = Vec::with_capacity(n);
        for row in 0..n {
            let known = dot(&self.values[row * n..row * n + row], &x);
            x.push((b[row] - known) / self.values[row * n + row]);
        }
        x
    }

    /// `x` of `L^T x = b`.
    pub fn solve_transposed(&self, b: &[f64]) -> Vec<f64> {
        let n = self.size;
        let mut x = b.to_vec();
        for row in (0..n).rev() {
            let below = row + 1..n;
            let known: f64 = below.map(|k| self.values[k * n + row] * x[k]).sum();
            x[row] = (x[row] - known) / self.values[row * n + row];
        }
        x
    }

    /// The logarithm of the determinant of `L L^T`.
    pub fn log_determinant(&self) -> f64 {
        let diagonal = (0..self.size).map(|i| self.values[i * self.size + i].ln());
        2.0 * diagonal.sum::<f64>()
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Symmetric {
        let values = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];
        Symmetric::from_fn(3, |row, column| values[row][column])
    }

    #[test]
    fn a_system_is_solved_by_its_factor() {
        let lower = matrix().cholesky();
        let x = lower.solve_transposed(&lower.solve(&[1.0, -2.0, 0.5]));
        let back = matrix().times(&x);
        for (found, expected) in back.iter().zip([1.0, -2.0, 0.5]) {
            assert!((found - expected).abs() < 1e-12);
        }
        // By Sarrus' rule.
        let determinant: f64 = 4.0 * (15.0 - 1.0) - 2.0 * (6.0 - 0.6) + 0.6 * (2.0 - 3.0);
        assert!((lower.log_determinant() - determinant.ln()).abs() < 1e-12);
    }

    #[test]
    fn eigenvectors_are_stretched_by_their_eigenvalues() {
        let pairs = matrix().eigen();
        let trace: f64 = pairs.iter().map(|(value, _)| value).sum();
        assert!((trace - 12.0).abs() < 1e-12);
        assert!(pairs.windows(2).all(|two| two[0].0 >= two[1].0));
        for (value, vector) in &pairs {
            assert!((dot(vector, vector) - 1.0).abs() < 1e-12);
            for (stretched, x) in matrix().times(vector).iter().zip(vector) {
                assert!((stretched - value * x).abs() < 1e-12);
            }
        }
    }
}
