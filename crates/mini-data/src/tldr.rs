//! The data in the official TL;DR layout.
//!
//! Simple English with a small vocabulary, so that a tiny model learns it in minutes. Every post tells one story (see
//! [`story`]); its summaries are made of the post's own phrases and have any number of words from one to 28. The lengths
//! of the two in a comparison are drawn log-uniformly and independently, so a pair is as often "one word or three" as "eight or
//! 24": whatever the length, there is a shorter text that somebody prefers. Of two summaries the one with more words always
//! has more characters. Fifty workers with uneven counts: ten or 40 of them are seen, the others are not.

mod deal;
mod problems;
mod story;
mod words;

use serde_json::{Value, json};

use crate::random::Random;
use deal::{Deal, WORKERS};
use story::Story;

/// Seed of the shipped file.
pub const SEED: u64 = 1;
/// Posts in the shipped file.
pub const POSTS: usize = 480;

const TRAIN_SHARE: f64 = 0.7;
const POLICIES: [&str; 2] = ["sup-mini-a", "sup-mini-b"];
const WORKER_ID_CHARACTERS: usize = 30;

/// `posts` posts and about eight comparisons of each; a pure function of its arguments.
pub fn records(seed: u64, posts: usize) -> Vec<Value> {
    let workers = worker_ids(&mut Random::new("mini workers", seed), WORKERS);
    let stories = story::stories(&mut Random::new("mini stories", seed), posts);
    let is_train = training_posts(&mut Random::new("mini split", seed), posts);
    let dealt = workers_of_posts(seed, &is_train);
    let mut random = Random::new("mini records", seed);
    let mut records = Vec::new();
    for (post, story) in stories.iter().enumerate() {
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
                "summaries": pair(&mut random, story),
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
    let of = |train: bool| -> Vec<usize> {
        let posts = 0..is_train.len();
        posts.filter(|&post| is_train[post] == train).collect()
    };
    let (train, evaluation) = (of(true), of(false));
    Deal::train(&train).deal(&mut Random::new("mini deal train", seed), &mut dealt);
    let mut random = Random::new("mini deal evaluation", seed);
    Deal::evaluation(&evaluation).deal(&mut random, &mut dealt);
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

/// Two summaries of different length, by either policy.
fn pair(random: &mut Random, story: &Story) -> Vec<Value> {
    let texts = loop {
        let texts = [story.summary(random), story.summary(random)];
        let [first, second] = [0, 1].map(|place: usize| size(&texts[place]));
        if first.0.cmp(&second.0) == first.1.cmp(&second.1) && first.0 != second.0 {
            break texts;
        }
    };
    let mut policies = POLICIES;
    random.shuffle(&mut policies);
    let mut summary = |(text, policy)| {
        let note = (random.unit() < 0.5).then(|| random.pick(&NOTES));
        json!({"text": format!(" {text}"), "policy": policy, "note": note})
    };
    texts.into_iter().zip(policies).map(&mut summary).collect()
}

/// Words and characters.
fn size(text: &str) -> (usize, usize) {
    (story::word_count(text), text.chars().count())
}

const NOTES: [&str; 4] = ["ok", "", "clear and true to the post", "says what matters"];

#[cfg(test)]
mod tests;
