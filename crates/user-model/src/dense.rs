//! Small dense symmetric matrices: as many rows as somebody gave answers, or as there are trained users.

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

    /// The columns of a lower triangular root of a matrix whose eigenvalues are 0 or more, but for those that are 0.
    pub fn columns_of_root(&self) -> Vec<Vec<f64>> {
        /// Of the largest number on the diagonal, what counts as 0 there.
        const LEAST: f64 = 1e-12;
        let n = self.size;
        let largest = (0..n).map(|i| self.at(i, i)).fold(0.0, f64::max);
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for column in 0..n {
            let rest = |row: usize| {
                let known: f64 = columns.iter().map(|c| c[row] * c[column]).sum();
                self.at(row, column) - known
            };
            let pivot = rest(column);
            if pivot <= LEAST * largest {
                continue;
            }
            let root = pivot.sqrt();
            let below = (0..n).map(|row| if row < column { 0.0 } else { rest(row) / root });
            columns.push(below.collect());
        }
        columns
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
        for (row, b) in b.iter().enumerate() {
            let known = dot(&self.values[row * n..row * n + row], &x);
            x.push((b - known) / self.values[row * n + row]);
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
    fn a_root_has_no_more_columns_than_the_matrix_has_directions() {
        let all = matrix();
        let columns = all.columns_of_root();
        assert_eq!(columns.len(), 3);
        let (a, b) = ([1.0, 2.0, -1.0], [0.0, 3.0, 0.5]);
        let flat = Symmetric::from_fn(3, |i, j| a[i] * a[j] + b[i] * b[j]);
        let two = flat.columns_of_root();
        assert_eq!(two.len(), 2);
        for (matrix, columns) in [(all, columns), (flat, two)] {
            for (i, j) in [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)] {
                let sum: f64 = columns.iter().map(|c| c[i] * c[j]).sum();
                assert!((sum - matrix.at(i, j)).abs() < 1e-12);
            }
        }
    }
}
