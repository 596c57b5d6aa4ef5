//! Margins that are taken for linear around a row.

use super::vectors::dot;
use super::{Belief, Margins, log_likelihood};
use crate::chance::sigmoid;
use crate::dense::{Lower, Symmetric};

/// Margins that are linear in the row: a Gaussian process with one point per answer.
pub(super) struct Linear {
    /// The margins at the prior's mean.
    prior: Vec<f64>,
    /// Their covariance before any answer.
    covariance: Symmetric,
}

impl Linear {
    pub(super) fn new(belief: &Belief, margins: &Margins, away: &[f32]) -> Self {
        let gradients = &margins.gradients;
        let times: Vec<Vec<f32>> = gradients.iter().map(|g| belief.times(g)).collect();
        let prior = margins.values.iter().zip(gradients);
        Self {
            prior: prior.map(|(value, g)| value - dot(g, away)).collect(),
            covariance: Symmetric::from_fn(gradients.len(), |i, j| dot(&gradients[i], &times[j])),
        }
    }

    /// `a` of the most probable margins, `prior + covariance a`, and their log-posterior (Rasmussen and Williams, Gaussian Processes for Machine
    /// Learning, algorithm 3.1).
    pub(super) fn most_probable(&self) -> (Vec<f64>, f64) {
        const STEPS: usize = 100;
        let count = self.prior.len();
        let (mut weights, mut margins) = (vec![0.0; count], self.prior.clone());
        let mut value = self.value(&weights, &margins);
        for _ in 0..STEPS {
            let (factor, roots) = self.curvature(&margins);
            let b: Vec<f64> = (0..count)
                .map(|i| roots[i].powi(2) * (margins[i] - self.prior[i]) + sigmoid(-margins[i]))
                .collect();
            let rooted = |values: Vec<f64>| -> Vec<f64> {
                values
                    .iter()
                    .zip(&roots)
                    .map(|(x, root)| x * root)
                    .collect()
            };
            let inner = factor.solve(&rooted(self.covariance.times(&b)));
            let inner = rooted(factor.solve_transposed(&inner));
            let full: Vec<f64> = b.iter().zip(inner).map(|(b, x)| b - x).collect();
            let mut share = 1.0;
            let gained = loop {
                let mix = |(&old, &new): (&f64, &f64)| old + share * (new - old);
                let next: Vec<f64> = weights.iter().zip(&full).map(mix).collect();
                let moved = self.covariance.times(&next);
                let at: Vec<f64> = self.prior.iter().zip(moved).map(|(p, m)| p + m).collect();
                let found = self.value(&next, &at);
                if found >= value || share < 1e-3 {
                    let gained = found - value;
                    if gained > 0.0 {
                        (weights, margins, value) = (next, at, found);
                    }
                    break gained;
                }
                share /= 2.0;
            };
            if gained < 1e-9 {
                break;
            }
        }
        (weights, value)
    }

    fn value(&self, weights: &[f64], margins: &[f64]) -> f64 {
        let away = margins.iter().zip(&self.prior).map(|(m, p)| m - p);
        let penalty: f64 = weights.iter().zip(away).map(|(w, away)| w * away).sum();
        log_likelihood(margins) - 0.5 * penalty
    }

    /// The factor of `I + W^1/2 K W^1/2` and `W^1/2`, with `W` the curvature of the likelihood at these margins.
    pub(super) fn curvature(&self, margins: &[f64]) -> (Lower, Vec<f64>) {
        let root = |&margin: &f64| (sigmoid(margin) * sigmoid(-margin)).sqrt();
        let roots: Vec<f64> = margins.iter().map(root).collect();
        let matrix = Symmetric::from_fn(roots.len(), |i, j| {
            let one = if i == j { 1.0 } else { 0.0 };
            one + roots[i] * self.covariance.at(i, j) * roots[j]
        });
        (matrix.cholesky(), roots)
    }
}

/// `L^-1` times the matrix of these rows.
pub(super) fn solved(factor: &Lower, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let Some(width) = rows.first().map(Vec::len) else {
        return Vec::new();
    };
    let mut solved = vec![Vec::with_capacity(width); rows.len()];
    for column in 0..width {
        let b: Vec<f64> = rows.iter().map(|row| f64::from(row[column])).collect();
        for (row, x) in solved.iter_mut().zip(factor.solve(&b)) {
            row.push(x as f32);
        }
    }
    solved
}
