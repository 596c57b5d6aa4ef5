//! The percentile bootstrap: how far a figure moves when other users had been asked.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Interval;

/// A bootstrap of several figures over the same samples.
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
    /// The 95 % interval of each figure over samples of as many units, drawn with replacement. `None` with fewer than two
    /// units or without draws.
    pub fn intervals<T: Copy, const N: usize>(
        &self,
        units: &[T],
        figures: impl Fn(&[T]) -> [f64; N],
    ) -> Option<[Interval; N]> {
        if units.len() < 2 {
            return None;
        }
        self.drawn(|random| {
            let sample: Vec<T> = (0..units.len())
                .map(|_| units[below(random, units.len())])
                .collect();
            figures(&sample)
        })
    }

    /// The 95 % interval of each figure over draws, each of which `draw` makes and measures. `None` without draws, or where a figure is
    /// never finite.
    pub(crate) fn drawn<const N: usize>(
        &self,
        draw: impl Fn(&mut ChaCha8Rng) -> [f64; N],
    ) -> Option<[Interval; N]> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut drawn = [(); N].map(|()| Vec::with_capacity(self.draws));
        for _ in 0..self.draws {
            for (values, value) in drawn.iter_mut().zip(draw(&mut random)) {
                values.push(value);
            }
        }
        let mut intervals = [Interval {
            low: 0.0,
            high: 0.0,
        }; N];
        for (interval, values) in intervals.iter_mut().zip(drawn) {
            *interval = Interval::of_draws(values)?;
        }
        Some(intervals)
    }
}

/// A draw from `0..end`: the upper half of a product, which is below `end`. It takes 64 bits for every draw.
pub(crate) fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    ((u128::from(random.next_u64()) * end as u128) >> 64) as usize
}
