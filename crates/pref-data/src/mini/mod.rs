//! The project's own small data sets: written by hand and by seeded templates, free of real people. [`psoups`] is one of
//! them, [`prism`] another; here is the one in the official TL;DR layout.
//!
//! Simple English with a small vocabulary, so that a tiny model learns it in minutes. Every post tells one story (see
//! [`story`]); its summaries are made of the post's own phrases: short ones of 5 to 9 words, long ones of 16 to 28,
//! and some of 10 to 14 between them. Nine of ten comparisons are short against long. Of two summaries the one with more
//! words always has more characters. Sixteen workers with uneven counts: ten are seen, six appear mostly in evaluation.

pub mod prism;
pub mod psoups;
pub mod story;

mod deal;
mod words;

use rand_chacha::ChaCha8Rng;

use crate::seed::{index, rng, shuffle, unit};
use crate::tldr::{Body, Summary, TldrRecord};
use crate::types::UserId;
use deal::{Deal, EVALUATION_QUOTAS, TRAIN_QUOTAS, WORKERS, deal};
use story::Summaries;

/// Seed of the file that the project ships.
pub const SEED: u64 = 1;
/// Posts in the file that the project ships.
pub const POSTS: usize = 200;

const TRAIN_SHARE: f64 = 0.7;
const POLICIES: [&str; 2] = ["sup-mini-a", "sup-mini-b"];
const WORKER_ID_CHARACTERS: usize = 30;

/// Writes `posts` posts and about five comparisons of each; a pure function of its arguments.
pub fn tldr(seed: u64, posts: usize) -> Vec<TldrRecord> {
    let workers = worker_ids(&mut rng("mini workers", seed), WORKERS);
    let stories = story::stories(&mut rng("mini stories", seed), posts);
    let is_train = training_posts(&mut rng("mini split", seed), posts);
    let mut dealt = vec![Vec::new(); posts];
    for (train, quotas) in [(true, TRAIN_QUOTAS), (false, EVALUATION_QUOTAS)] {
        let part: Vec<usize> = (0..posts).filter(|&post| is_train[post] == train).collect();
        let purpose = if train {
            "mini deal train"
        } else {
            "mini deal evaluation"
        };
        deal(
            &mut rng(purpose, seed),
            &Deal {
                posts: &part,
                quotas,
            },
            &mut dealt,
        );
    }
    let mut random = rng("mini records", seed);
    let mut records = Vec::new();
    for (post, story) in stories.iter().enumerate() {
        let summaries = story.summaries(&mut random);
        let split = match (is_train[post], post % 2) {
            (true, _) => "train",
            (false, 0) => "valid1",
            (false, _) => "valid2",
        };
        for &worker in &dealt[post] {
            records.push(TldrRecord {
                id: Some(format!("mini_{:04}", post + 1)),
                title: Some(story.title.clone()),
                body: Body::Post {
                    text: story.post.clone(),
                    subreddit: Some(story.subreddit.to_owned()),
                },
                summaries: pair(&mut random, &summaries),
                choice: index(&mut random, 2),
                worker: workers[worker].clone(),
                batch: Some(if is_train[post] { "mini1" } else { "mini2" }.into()),
                split: split.into(),
                confidence: Some(1 + index(&mut random, 9) as i64),
            });
        }
    }
    records
}

/// The records as JSON Lines, one a line, with a line end after the last.
pub fn json_lines(records: &[TldrRecord]) -> String {
    let mut text = String::new();
    for record in records {
        text.push_str(&record.to_json().to_string());
        text.push('\n');
    }
    text
}

/// Opaque ids of letters and digits, as the official files have.
fn worker_ids(random: &mut ChaCha8Rng, count: usize) -> Vec<UserId> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut character = || char::from(ALPHABET[index(random, ALPHABET.len())]);
    let mut id = || {
        (0..WORKER_ID_CHARACTERS)
            .map(|_| character())
            .collect::<String>()
    };
    (0..count).map(|_| UserId::new(id())).collect()
}

fn training_posts(random: &mut ChaCha8Rng, posts: usize) -> Vec<bool> {
    let train = (posts as f64 * TRAIN_SHARE).round() as usize;
    let mut is_train: Vec<bool> = (0..posts).map(|post| post < train).collect();
    shuffle(random, &mut is_train);
    is_train
}

/// Two summaries of different length, in either order, by either policy.
fn pair(random: &mut ChaCha8Rng, summaries: &Summaries) -> [Summary; 2] {
    let mut one = |texts: &[String]| texts[index(random, texts.len())].clone();
    let [short, middle, long] =
        [&summaries.short, &summaries.middle, &summaries.long].map(|texts| one(texts));
    let kind = unit(random);
    let (first, second) = match kind {
        _ if kind < 0.9 => (short, long),
        _ if kind < 0.95 => (short, middle),
        _ => (middle, long),
    };
    let mut texts = [first, second];
    let mut policies = POLICIES;
    shuffle(random, &mut texts);
    shuffle(random, &mut policies);
    [0, 1].map(|place| Summary {
        text: format!(" {}", texts[place]),
        policy: policies[place].into(),
        note: (unit(random) < 0.5).then(|| NOTES[index(random, NOTES.len())].into()),
    })
}

const NOTES: [&str; 4] = ["ok", "", "clear and true to the post", "says what matters"];
