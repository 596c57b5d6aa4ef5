//! The order of training: a pure function of (seed, epoch), so that a resumed run goes on with the same batches.

use std::collections::HashMap;
use std::hash::Hash;

use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::example::Example;

/// Batches whose comparisons are sorted by length together.
const WINDOW: usize = 8;
/// Sets the draws of branches apart from those of orders.
const BRANCHES: u64 = 0x6272_616e_6368;

/// Batches of indices into `lengths` for one epoch: shuffled, then grouped by length within windows of a few batches, so
/// that rows of one batch need little padding, then the batches of a window shuffled again.
pub fn epoch(lengths: &[usize], batch: usize, seed: u64, epoch: usize) -> Vec<Vec<usize>> {
    let alone = (0..lengths.len()).map(|i| vec![i]).collect();
    epoch_of_groups(alone, lengths, batch, seed, epoch)
}

/// The same with groups of comparisons shuffled as wholes, whose members stand side by side. Batches are full, so that their ends cut some.
pub(crate) fn epoch_of_groups(
    mut groups: Vec<Vec<usize>>,
    lengths: &[usize],
    batch: usize,
    seed: u64,
    epoch: usize,
) -> Vec<Vec<usize>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch as u64);
    groups.shuffle(&mut rng);
    // Each with the length of its group, whose members stay side by side.
    let longest = |group: &Vec<usize>| group.iter().map(|&i| lengths[i]).max();
    let of_group = |(place, group): (usize, Vec<usize>)| {
        let key = (longest(&group), place);
        group.into_iter().map(move |i| (key, i))
    };
    let mut order: Vec<_> = groups.into_iter().enumerate().flat_map(of_group).collect();
    let mut batches = Vec::new();
    for window in order.chunks_mut(WINDOW.saturating_mul(batch)) {
        window.sort_by_key(|&(key, _)| key);
        let indices: Vec<usize> = window.iter().map(|&(_, i)| i).collect();
        let mut batches_of: Vec<Vec<usize>> =
            indices.chunks(batch).map(<[usize]>::to_vec).collect();
        batches_of.shuffle(&mut rng);
        batches.append(&mut batches_of);
    }
    batches
}

/// Comparisons of one prompt, those of one user side by side; users and prompts in the order of their first comparisons.
pub(crate) fn together(examples: &[Example]) -> Vec<Vec<usize>> {
    let mut groups = Groups::default();
    for (i, example) in examples.iter().enumerate() {
        groups.add(&example.pair().prompt.ids, i);
    }
    let by_user = |prompt: Vec<usize>| {
        let mut users = Groups::default();
        for i in prompt {
            users.add(&examples[i].user, i);
        }
        users.groups.concat()
    };
    groups.groups.into_iter().map(by_user).collect()
}

/// Indices by what they have in common.
struct Groups<K> {
    places: HashMap<K, usize>,
    groups: Vec<Vec<usize>>,
}

impl<K: Eq + Hash> Groups<K> {
    fn add(&mut self, key: K, index: usize) {
        let place = *self.places.entry(key).or_insert(self.groups.len());
        match self.groups.get_mut(place) {
            Some(group) => group.push(index),
            None => self.groups.push(vec![index]),
        }
    }
}

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self {
            places: HashMap::new(),
            groups: Vec::new(),
        }
    }
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
    fn groups_stay_together_and_every_comparison_comes_once() {
        let groups: Vec<Vec<usize>> = (0..40).map(|g| vec![3 * g, 3 * g + 1, 3 * g + 2]).collect();
        let lengths: Vec<usize> = (0..120).map(|i| i / 3 * 7 % 31).collect();
        let batches = epoch_of_groups(groups, &lengths, 8, 1, 0);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..120).collect::<Vec<_>>());
        let batch_of = |i: usize| batches.iter().position(|batch| batch.contains(&i)).unwrap();
        // Of 15 batches' ends two in three cut one.
        let whole = |group: &usize| (1..3).all(|k| batch_of(3 * group) == batch_of(3 * group + k));
        let count = (0..40).filter(whole).count();
        assert!(count >= 28, "{count} of 40 groups are whole");
        assert!(batches.iter().all(|batch| batch.len() == 8));
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
