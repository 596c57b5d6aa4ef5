//! What of a belief is kept: where answers have told something, in the directions in which trained users differ.
//!
//! A step out of these directions does little, and all but a hundredth of what is unknown lies in them
//! ([`Belief::of_rows`]). So few numbers say how sure a row is: at most the square of the number of trained users looked at,
//! however long a row is and however many answers were given. Off these directions the belief is then as it was before any.

use sha2::{Digest, Sha256};

use super::Belief;
use super::vectors::{combined, dot};
use crate::dense::Symmetric;

impl Belief {
    /// A hash of the belief as it was before any answer: what [`Belief::told`] means something beside.
    pub fn prior_sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.wider.len() as u64).to_le_bytes());
        hash.update(self.rest.to_le_bytes());
        for value in self.wider.iter().flatten() {
            hash.update(value.to_le_bytes());
        }
        format!("{:x}", hash.finalize())
    }

    /// What answers have told, `[n, r]`: `n` directions in the coordinates of a basis of the `r` directions in which trained users
    /// differ, with `n` of at most `r`.
    pub fn told(&self) -> Vec<Vec<f32>> {
        let basis = basis(&self.wider);
        let along = |direction: &Vec<f32>| -> Vec<f64> {
            basis.iter().map(|unit| dot(unit, direction)).collect()
        };
        let told: Vec<Vec<f64>> = self.narrower.iter().map(along).collect();
        let told = reduced(told, basis.len());
        let rounded = |direction: Vec<f64>| direction.into_iter().map(|x| x as f32).collect();
        told.into_iter().map(rounded).collect()
    }

    /// The belief of a user whose row is `mean`, from what was [`told`](Belief::told) beside this one, the prior. None where that is
    /// of another form.
    pub fn after(&self, mean: Vec<f32>, told: &[Vec<f32>]) -> Option<Self> {
        let basis = basis(&self.wider);
        let fits = |direction: &Vec<f32>| direction.len() == basis.len();
        if mean.len() != self.mean.len() || !told.iter().all(fits) {
            return None;
        }
        let whole = |direction: &Vec<f32>| {
            let weights: Vec<f64> = direction.iter().map(|&x| x.into()).collect();
            combined(&basis, &weights, mean.len())
        };
        Some(Self {
            narrower: told.iter().map(whole).collect(),
            mean,
            ..self.clone()
        })
    }

    /// The standard deviation of the row, its numbers together.
    pub fn spread(&self) -> f64 {
        let length = |direction: &Vec<f32>| dot(direction, direction);
        let wider: f64 = self.wider.iter().map(length).sum();
        let narrower: f64 = self.narrower.iter().map(length).sum();
        let rest = self.rest * self.mean.len() as f64;
        (rest + wider - narrower).max(0.0).sqrt()
    }

    /// The same before any answer.
    pub fn prior_spread(&self) -> f64 {
        Self {
            narrower: Vec::new(),
            ..self.clone()
        }
        .spread()
    }
}

/// At most `most` directions whose outer products have the sum of those of all.
pub(super) fn reduced(directions: Vec<Vec<f64>>, most: usize) -> Vec<Vec<f64>> {
    if directions.len() <= most {
        return directions;
    }
    let product = |i: usize, j: usize| directions.iter().map(|d| d[i] * d[j]).sum();
    Symmetric::from_fn(most, product).columns_of_root()
}

/// An orthonormal basis of what some vectors span, by Gram and Schmidt, twice over.
fn basis(vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
    /// What is left of a vector, of the longest, that counts as a direction of its own.
    const LEAST: f64 = 1e-4;
    let lengths = vectors.iter().map(|vector| dot(vector, vector).sqrt());
    let longest = lengths.fold(0.0, f64::max);
    let mut basis: Vec<Vec<f32>> = Vec::new();
    for vector in vectors {
        let mut left: Vec<f64> = vector.iter().map(|&x| x.into()).collect();
        for unit in basis.iter().chain(&basis) {
            let along: f64 = left.iter().zip(unit).map(|(x, &u)| x * f64::from(u)).sum();
            let terms = left.iter_mut().zip(unit);
            terms.for_each(|(x, &u)| *x -= along * f64::from(u));
        }
        let length = left.iter().map(|x| x * x).sum::<f64>().sqrt();
        if length > LEAST * longest {
            basis.push(left.into_iter().map(|x| (x / length) as f32).collect());
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior() -> Belief {
        Belief {
            mean: vec![0.0; 3],
            rest: 0.01,
            wider: vec![
                vec![2.0, 0.0, 0.0],
                vec![1.0, 1.0, 0.0],
                vec![3.0, 1.0, 0.0],
            ],
            narrower: Vec::new(),
        }
    }

    #[test]
    fn what_is_told_lies_in_the_plane_of_the_trained_users() {
        let mut belief = prior();
        belief.narrower = vec![vec![0.5, 0.2, 0.1], vec![0.0, 0.3, 0.0]];
        // The basis is that of the first two axes; the third row lies in their plane.
        assert_eq!(belief.told(), [[0.5, 0.2], [0.0, 0.3]]);
        let again = prior().after(vec![1.0, 2.0, 3.0], &belief.told()).unwrap();
        assert_eq!(again.mean(), [1.0, 2.0, 3.0]);
        for gradient in [[1.0, 0.0, 0.0], [0.3, -2.0, 0.0]] {
            let (found, expected) = (again.variance(&gradient), belief.variance(&gradient));
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        // Off the plane, as before any answer.
        assert!((again.variance(&[0.0, 0.0, 1.0]) - 0.01).abs() < 1e-9);
        // 3 * 0.01 + 4 + 2 + 10, less 0.29 + 0.09.
        assert!((again.spread() - 15.65_f64.sqrt()).abs() < 1e-6);
        assert!((again.prior_spread() - 16.03_f64.sqrt()).abs() < 1e-6);
        assert_eq!(prior().after(vec![0.0; 2], &[]), None);
        assert_eq!(prior().after(vec![0.0; 3], &[vec![1.0]]), None);
    }

    #[test]
    fn many_answers_are_kept_in_as_many_directions_as_there_are() {
        let mut belief = prior();
        belief.narrower = (0..7)
            .map(|k| vec![0.1 * k as f32, 0.3 - 0.05 * k as f32, 0.0])
            .collect();
        let told = belief.told();
        assert_eq!(told.len(), 2);
        let again = prior().after(vec![0.0; 3], &told).unwrap();
        for gradient in [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.0]] {
            let (found, expected) = (again.variance(&gradient), belief.variance(&gradient));
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        // All along one line: one direction.
        belief.narrower = vec![vec![0.1, 0.2, 0.0]; 5];
        assert_eq!(belief.told().len(), 1);
    }

    #[test]
    fn other_trained_users_are_another_prior() {
        let mut other = prior();
        assert_eq!(other.prior_sha256(), prior().prior_sha256());
        other.narrower.push(vec![1.0; 3]);
        other.mean[0] = 1.0;
        assert_eq!(other.prior_sha256(), prior().prior_sha256());
        other.wider[2][2] = 1e-6;
        assert_ne!(other.prior_sha256(), prior().prior_sha256());
    }
}
