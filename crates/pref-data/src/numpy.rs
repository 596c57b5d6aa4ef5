//! The pieces of numpy that the paper's code draws with: `RandomState(seed).choice([0, 1], p=..)` for the simulated
//! workers, `RandomState(seed).permutation(n)` for splits by row.

use rand_mt::Mt;

/// `numpy.random.RandomState(seed)`: MT19937 seeded by one 32-bit number.
pub(crate) struct RandomState {
    generator: Mt,
}

impl RandomState {
    /// As `RandomState(seed)`; numpy, too, takes seeds below 2^32 only.
    pub fn new(seed: u32) -> Self {
        Self {
            generator: Mt::new(seed),
        }
    }

    /// `random_sample()`: 53 bits in `[0, 1)` from two draws, `(a >> 5, b >> 6)`.
    pub fn random_sample(&mut self) -> f64 {
        let a = self.generator.next_u32() >> 5;
        let b = self.generator.next_u32() >> 6;
        (f64::from(a) * 67_108_864.0 + f64::from(b)) / 9_007_199_254_740_992.0
    }

    /// `choice([0, 1], p=[1 - share, share]) == 1`. numpy normalises the cumulated probabilities and searches with
    /// `side='right'`, so the answer is 1 if the sample is at or above the first bound.
    pub fn choose_second(&mut self, share: f64) -> bool {
        let first = 1.0 - share;
        let bound = first / (first + share);
        self.random_sample() >= bound
    }

    /// `permutation(n)`: Fisher-Yates from the end over `0..n`. It takes below 2^32 items.
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.interval(last));
        }
        order
    }

    /// A number in `0..=last`: numpy masks a draw to as many bits as `last` has, until the number fits.
    fn interval(&mut self, last: usize) -> usize {
        let last = u32::try_from(last).unwrap_or(u32::MAX);
        let mask = u32::MAX.checked_shr(last.leading_zeros()).unwrap_or(0);
        loop {
            let number = self.generator.next_u32() & mask;
            if number <= last {
                return number as usize;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_equal_numpy() {
        // numpy.random.RandomState(0).random_sample(3) and RandomState(42).random_sample(2).
        let mut zero = RandomState::new(0);
        assert_eq!(zero.random_sample(), 0.548_813_503_927_324_8);
        assert_eq!(zero.random_sample(), 0.715_189_366_372_419_5);
        assert_eq!(zero.random_sample(), 0.602_763_376_071_643_9);
        let mut answer = RandomState::new(42);
        assert_eq!(answer.random_sample(), 0.374_540_118_847_362_5);
        assert_eq!(answer.random_sample(), 0.950_714_306_409_916_2);
    }

    #[test]
    fn permutations_equal_numpy() {
        // numpy.random.RandomState(0).permutation(10) and RandomState(42).permutation(10).
        assert_eq!(
            RandomState::new(0).permutation(10),
            [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]
        );
        assert_eq!(
            RandomState::new(42).permutation(10),
            [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]
        );
        assert_eq!(RandomState::new(1).permutation(1), [0]);
        assert!(RandomState::new(1).permutation(0).is_empty());
    }

    #[test]
    fn choice_takes_the_second_at_or_above_the_bound() {
        // 0.5488 and 0.7152 against the bound 0.7.
        let mut zero = RandomState::new(0);
        assert!(!zero.choose_second(0.3));
        assert!(zero.choose_second(0.3));
        assert!(RandomState::new(5).choose_second(1.0));
        assert!(!RandomState::new(5).choose_second(0.0));
    }
}
