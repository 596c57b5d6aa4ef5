//! The data in the official TL;DR layout.
//!
//! Simple English with a small vocabulary, so that a tiny model learns it in minutes. Every post tells one story (see
//! [`story`]); its summaries are made of the post's own phrases: short ones of 5 to 9 words, long ones of 16 to 28,
//! and some of 10 to 14 between them. Nine of ten comparisons are short against long. Of two summaries the one with more
//! words always has more characters. Sixteen workers with uneven counts: ten are seen, six appear mostly in evaluation.

mod deal;
mod story;
mod words;

use serde_json::{Value, json};

use crate::random::Random;
use deal::{Deal, EVALUATION_QUOTAS, TRAIN_QUOTAS, WORKERS, deal};
use story::Summaries;

/// Seed of the shipped file.
pub const SEED: u64 = 1;
/// Posts in the shipped file.
pub const POSTS: usize = 200;

const TRAIN_SHARE: f64 = 0.7;
const POLICIES: [&str; 2] = ["sup-mini-a", "sup-mini-b"];
const WORKER_ID_CHARACTERS: usize = 30;

/// `posts` posts and about five comparisons of each; a pure function of its arguments.
pub fn records(seed: u64, posts: usize) -> Vec<Value> {
    let workers = worker_ids(&mut Random::new("mini workers", seed), WORKERS);
    let stories = story::stories(&mut Random::new("mini stories", seed), posts);
    let is_train = training_posts(&mut Random::new("mini split", seed), posts);
    let dealt = workers_of_posts(seed, &is_train);
    let mut random = Random::new("mini records", seed);
    let mut records = Vec::new();
    for (post, story) in stories.iter().enumerate() {
        let summaries = story.summaries(&mut random);
        let (split, batch) = match (is_train[post], post % 2) {
            (true, _) => ("train", "mini1"),
            (false, 0) => ("valid1", "mini2"),
            (false, _) => ("valid2", "mini2"),
        };
        for &worker in &dealt[post] {
            records.push(json!({
                "info": {
                    "id": format!("mini_{:04}", post + 1),
                    "post": story.post,
                    "title": story.title,
                    "subreddit": story.subreddit,
                },
                "split": split,
                "summaries": pair(&mut random, &summaries),
                "choice": random.below(2),
                "worker": workers[worker],
                "batch": batch,
                "extra": { "confidence": 1 + random.below(9) },
            }));
        }
    }
    records
}

/// For each post the workers who judge it.
fn workers_of_posts(seed: u64, is_train: &[bool]) -> Vec<Vec<usize>> {
    let mut dealt = vec![Vec::new(); is_train.len()];
    for (train, purpose, quotas) in [
        (true, "mini deal train", TRAIN_QUOTAS),
        (false, "mini deal evaluation", EVALUATION_QUOTAS),
    ] {
        let posts = (0..is_train.len()).filter(|&post| is_train[post] == train);
        let posts: Vec<usize> = posts.collect();
        let part = Deal {
            posts: &posts,
            quotas,
        };
        deal(&mut Random::new(purpose, seed), &part, &mut dealt);
    }
    dealt
}

/// Opaque ids of letters and digits, as the official files have.
fn worker_ids(random: &mut Random, count: usize) -> Vec<String> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = || {
        (0..WORKER_ID_CHARACTERS)
            .map(|_| char::from(random.pick(ALPHABET)))
            .collect()
    };
    (0..count).map(|_| id()).collect()
}

fn training_posts(random: &mut Random, posts: usize) -> Vec<bool> {
    let train = (posts as f64 * TRAIN_SHARE).round() as usize;
    let mut is_train: Vec<bool> = (0..posts).map(|post| post < train).collect();
    random.shuffle(&mut is_train);
    is_train
}

/// Two summaries of different length, in either order, by either policy.
fn pair(random: &mut Random, summaries: &Summaries) -> Vec<Value> {
    let mut one = |texts: &[String]| texts[random.below(texts.len())].clone();
    let [short, middle, long] =
        [&summaries.short, &summaries.middle, &summaries.long].map(|texts| one(texts));
    let kind = random.unit();
    let mut texts = match kind {
        _ if kind < 0.9 => [short, long],
        _ if kind < 0.95 => [short, middle],
        _ => [middle, long],
    };
    let mut policies = POLICIES;
    random.shuffle(&mut texts);
    random.shuffle(&mut policies);
    let mut summary = |(text, policy)| {
        let note = (random.unit() < 0.5).then(|| random.pick(&NOTES));
        json!({"text": format!(" {text}"), "policy": policy, "note": note})
    };
    texts.into_iter().zip(policies).map(&mut summary).collect()
}

const NOTES: [&str; 4] = ["ok", "", "clear and true to the post", "says what matters"];

#[cfg(test)]
mod tests;
