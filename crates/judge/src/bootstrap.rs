//! Percentile bootstrap: how far a figure moves when other users had been asked.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// How the intervals of win rates are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Samples drawn.
    pub draws: usize,
    /// The seed they follow from.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 2,000 draws, seed 123.
    fn default() -> Self {
        Self {
            draws: 2_000,
            seed: 123,
        }
    }
}

impl Bootstrap {
    /// The 2.5th and 97.5th percentile of each figure over samples of the units, drawn with replacement. `None` with
    /// fewer than two units or without draws.
    pub fn intervals<T: Copy, const N: usize>(
        &self,
        units: &[T],
        figures: impl Fn(&[T]) -> [f64; N],
    ) -> Option<[(f64, f64); N]> {
        if units.len() < 2 || self.draws == 0 {
            return None;
        }
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut sample = units.to_vec();
        let mut drawn = [(); N].map(|()| Vec::with_capacity(self.draws));
        for _ in 0..self.draws {
            for slot in &mut sample {
                *slot = units[below(&mut random, units.len())];
            }
            for (values, value) in drawn.iter_mut().zip(figures(&sample)) {
                values.push(value);
            }
        }
        Some(drawn.map(|mut values| {
            values.sort_by(f64::total_cmp);
            (percentile(&values, 0.025), percentile(&values, 0.975))
        }))
    }
}

/// A draw from `0..end`.
fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    // The upper half of a product: below `end`, which is a usize.
    ((u128::from(random.next_u64()) * end as u128) >> 64) as usize
}

/// The percentile of sorted values, linear between neighbours. `values` is not empty.
fn percentile(values: &[f64], share: f64) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let low = values[place.floor() as usize];
    let high = values[place.ceil() as usize];
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_linear_between_neighbours() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0];
        assert_eq!(percentile(&values, 0.5), 2.0);
        assert!((percentile(&values, 0.025) - 0.1).abs() < 1e-12);
        assert!((percentile(&values, 0.975) - 3.9).abs() < 1e-12);
        assert_eq!(percentile(&[7.0], 0.975), 7.0);
    }

    #[test]
    fn the_interval_of_a_mean_is_about_two_standard_errors_wide_on_each_side() {
        let units: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let mean = |units: &[f64]| [units.iter().sum::<f64>() / units.len() as f64];
        let bootstrap = Bootstrap::default();
        let [(low, high)] = bootstrap.intervals(&units, mean).unwrap();
        // Mean 0.5, standard error 0.05.
        assert!((low - 0.402).abs() < 0.015, "{low}");
        assert!((high - 0.598).abs() < 0.015, "{high}");
        assert_eq!(bootstrap.intervals(&units, mean), Some([(low, high)]));
    }

    #[test]
    fn there_is_no_interval_over_a_single_unit() {
        let first = |units: &[f64]| [units[0]];
        assert_eq!(Bootstrap::default().intervals(&[1.0], first), None);
        assert_eq!(Bootstrap::default().intervals(&[], first), None);
    }
}
