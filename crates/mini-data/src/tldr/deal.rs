//! Who judges which post: every worker gets a quota, every post about equally many judgements by different workers.

use crate::random::Random;

/// Workers.
pub(super) const WORKERS: usize = 50;

const TRAIN_POSTS: usize = 336;
const EVALUATION_POSTS: usize = 144;

/// Training comparisons of each worker for 336 posts: the first ten have more than a hundred, thirty more have some, so
/// that experiments with 40 workers are possible, ten have a few. No two have as many, so the ranks are plain.
pub(super) fn train_quota(worker: usize) -> usize {
    match worker {
        0..10 => 190 - 8 * worker,
        10..40 => 55 - worker,
        _ => 14 - (worker - 40),
    }
}

/// Evaluation comparisons of each worker for 144 posts: those who are unseen, of ten workers or of 40, have many in all, so that the
/// generic user is measured well.
pub(super) fn evaluation_quota(worker: usize) -> usize {
    match worker {
        0..10 => 45 - worker,
        10..40 => 17,
        _ => 33,
    }
}

/// One part of the posts and the quotas of its workers.
pub(super) struct Deal<'a> {
    posts: &'a [usize],
    quota: fn(usize) -> usize,
    /// The number of posts that the quotas are made for.
    base: usize,
}

impl<'a> Deal<'a> {
    /// The training part.
    pub fn train(posts: &'a [usize]) -> Self {
        Self {
            posts,
            quota: train_quota,
            base: TRAIN_POSTS,
        }
    }

    /// The rest.
    pub fn evaluation(posts: &'a [usize]) -> Self {
        Self {
            posts,
            quota: evaluation_quota,
            base: EVALUATION_POSTS,
        }
    }

    /// The quota for as many posts as there are; at most one judgement a post.
    fn quota(&self, worker: usize) -> usize {
        let scaled = ((self.quota)(worker) * self.posts.len()).div_ceil(self.base);
        scaled.min(self.posts.len())
    }

    /// Adds each worker to as many posts as the quota says, those with the fewest judgements first, ties at random; then
    /// shuffles the workers of every post.
    pub fn deal(&self, random: &mut Random, dealt: &mut [Vec<usize>]) {
        for worker in 0..WORKERS {
            let mut order: Vec<(usize, u64, usize)> = self
                .posts
                .iter()
                .map(|&post| (dealt[post].len(), random.any(), post))
                .collect();
            order.sort_unstable();
            for &(_, _, post) in order.iter().take(self.quota(worker)) {
                let place = random.below(dealt[post].len() + 1);
                dealt[post].insert(place, worker);
            }
        }
    }
}
