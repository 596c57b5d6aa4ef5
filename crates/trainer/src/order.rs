//! The order of training: a pure function of (seed, epoch), so that a resumed run goes on with the same batches.

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Batches whose comparisons are sorted by length together.
const WINDOW: usize = 8;
/// Sets the draws of branches apart from those of orders.
const BRANCHES: u64 = 0x6272_616e_6368;

/// Batches of indices into `lengths` for one epoch: shuffled, then grouped by length within windows of a few batches, so
/// that rows of one batch need little padding, then the batches of a window shuffled again.
pub fn epoch(lengths: &[usize], batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.shuffle(&mut rng);
    let mut batches = Vec::new();
    for window in order.chunks_mut(WINDOW.saturating_mul(batch)) {
        window.sort_by_key(|&i| lengths[i]);
        let mut group: Vec<Vec<usize>> = window.chunks(batch).map(<[usize]>::to_vec).collect();
        group.shuffle(&mut rng);
        batches.append(&mut group);
    }
    batches
}

/// A comparison's own number from 0 to 1, by its place in the data, which its branch is drawn with.
pub fn uniform(seed: u64, comparison: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ BRANCHES);
    rng.set_stream(comparison as u64);
    rng.random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_comes_once_an_epoch_in_an_order_of_its_own() {
        let lengths: Vec<usize> = (0..103).map(|i| i * 7 % 31).collect();
        let first = epoch(&lengths, 4, 1, 0);
        assert_eq!(first, epoch(&lengths, 4, 1, 0));
        assert_ne!(first, epoch(&lengths, 4, 1, 1));
        assert_ne!(first, epoch(&lengths, 4, 2, 0));
        let mut all: Vec<usize> = first.into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
    }

    #[test]
    fn batches_hold_rows_of_similar_length() {
        let lengths: Vec<usize> = (0..64).map(|i| i * 13 % 64).collect();
        let spread = |b: &Vec<usize>| {
            let l = b.iter().map(|&i| lengths[i]);
            l.clone().max().unwrap() - l.min().unwrap()
        };
        let batches = epoch(&lengths, 8, 0, 0);
        assert!(batches.iter().all(|b| spread(b) == 7));
    }
}
