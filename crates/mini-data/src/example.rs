//! The data of `configs/example.toml` and `configs/example-thumbs.toml`, in the general layout: four users who judge answers to everyday questions.
//!
//! Every question has four answers of the same content: short (ada prefers it), full (ben), formal (chen) and friendly
//! (dora). A user's comparison sets the own kind against one of the other three, so that neither length nor tone
//! alone tells what everybody wants. Questions and contents are handwritten, the frames around the contents seeded. One question of
//! five is in the test file, for all four users, and in no other.

mod frames;
mod health;
mod home;
mod kitchen;
mod leisure;
mod work;

use serde_json::{Value, json};

use crate::random::Random;

/// Seed of the shipped files.
pub const SEED: u64 = 1;
/// The users, each with the kind of answers that has the same place in [`Topic::answers`].
const USERS: [&str; 4] = ["ada", "ben", "chen", "dora"];

/// One question and what its answers are made of.
struct Topic {
    ask: &'static str,
    /// 2 to 7 words.
    short: &'static str,
    /// What to do, as infinitives without "to".
    steps: [&'static str; 3],
    /// A reason that can follow "because".
    reason: &'static str,
}

const fn topic(
    ask: &'static str,
    short: &'static str,
    steps: [&'static str; 3],
    reason: &'static str,
) -> Topic {
    Topic {
        ask,
        short,
        steps,
        reason,
    }
}

impl Topic {
    /// Short, full, formal and friendly.
    fn answers(&self, random: &mut Random) -> [String; 4] {
        let mut fill = |forms: &[&'static str]| {
            let [first, second, third] = self.steps;
            random
                .pick(forms)
                .replace("{1}", first)
                .replace("{2}", second)
                .replace("{3}", third)
                .replace("{R}", self.reason)
        };
        [
            self.short.to_owned(),
            fill(&frames::FULL),
            fill(&frames::FORMAL),
            fill(&frames::FRIENDLY),
        ]
    }
}

/// The comparisons to train on, and those of the held-out questions; a pure function of the seed.
pub fn records(seed: u64) -> [Vec<Value>; 2] {
    let mut random = Random::new("mini example", seed);
    sides(&mut random).map(|topics| {
        let rows = topics.iter().flat_map(|topic| judged(topic, &mut random));
        rows.collect()
    })
}

/// One answer to each training question for each user, who says whether it is of the wanted kind: half of them are. A pure
/// function of the seed.
pub fn thumbs(seed: u64) -> Vec<Value> {
    let [topics, _] = sides(&mut Random::new("mini example", seed));
    let mut random = Random::new("mini thumbs", seed);
    let mut rows = Vec::new();
    for topic in topics {
        let answers = topic.answers(&mut random);
        for (place, user) in USERS.iter().enumerate() {
            let liked = random.unit() < 0.5;
            let shown = if liked {
                place
            } else {
                other(place, &mut random)
            };
            rows.push(json!({
                "prompt": topic.ask,
                "completion": answers[shown],
                "label": liked,
                "user": user,
            }));
        }
    }
    rows
}

/// Questions to train on, and held-out ones.
fn sides(random: &mut Random) -> [Vec<&'static Topic>; 2] {
    let groups = [
        &kitchen::TOPICS,
        &home::TOPICS,
        &health::TOPICS,
        &work::TOPICS,
        &leisure::TOPICS,
    ];
    let mut topics: Vec<&Topic> = groups.into_iter().flatten().collect();
    random.shuffle(&mut topics);
    let test = topics.split_off(topics.len() - topics.len() / 5);
    [topics, test]
}

/// A kind of answers that a user does not want.
fn other(place: usize, random: &mut Random) -> usize {
    (place + 1 + random.below(USERS.len() - 1)) % USERS.len()
}

/// One comparison of each user.
fn judged(topic: &Topic, random: &mut Random) -> Vec<Value> {
    let answers = topic.answers(random);
    let row = |(place, user): (usize, &&str)| {
        let other = other(place, random);
        json!({
            "prompt": topic.ask,
            "chosen": answers[place],
            "rejected": answers[other],
            "user": user,
        })
    };
    USERS.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests;
