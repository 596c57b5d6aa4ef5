//! Who judges which post: every worker gets a quota, every post about equally many judgements by different workers.

use crate::random::Random;

/// Workers.
pub(super) const WORKERS: usize = 16;
/// Training comparisons of the workers for 140 posts: uneven, the ranks well apart, the last six unseen.
pub(super) const TRAIN_QUOTAS: [usize; WORKERS] =
    [68, 60, 54, 50, 46, 42, 38, 34, 31, 28, 14, 12, 10, 8, 6, 4];
/// Evaluation comparisons for 60 posts: the six unseen workers have many, so that the generic user is measured well.
pub(super) const EVALUATION_QUOTAS: [usize; WORKERS] = [
    27, 26, 24, 24, 22, 22, 21, 21, 20, 18, 46, 44, 43, 42, 41, 40,
];

const TRAIN_POSTS: usize = 140;
const EVALUATION_POSTS: usize = 60;

/// One part of the posts and the quotas of its workers.
pub(super) struct Deal<'a> {
    pub posts: &'a [usize],
    pub quotas: [usize; WORKERS],
}

impl Deal<'_> {
    /// The quota for as many posts as there are; at most one judgement a post.
    fn quota(&self, worker: usize) -> usize {
        let base = if self.quotas == TRAIN_QUOTAS {
            TRAIN_POSTS
        } else {
            EVALUATION_POSTS
        };
        let scaled = (self.quotas[worker] * self.posts.len()).div_ceil(base);
        scaled.min(self.posts.len())
    }
}

/// Adds each worker to as many posts as the quota says, those with the fewest judgements first, ties at random; then
/// shuffles the workers of every post.
pub(super) fn deal(random: &mut Random, deal: &Deal, dealt: &mut [Vec<usize>]) {
    for worker in 0..deal.quotas.len() {
        let mut order: Vec<(usize, u64, usize)> = deal
            .posts
            .iter()
            .map(|&post| (dealt[post].len(), random.any(), post))
            .collect();
        order.sort_unstable();
        for &(_, _, post) in order.iter().take(deal.quota(worker)) {
            let place = random.below(dealt[post].len() + 1);
            dealt[post].insert(place, worker);
        }
    }
}
