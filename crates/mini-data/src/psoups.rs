//! The data in the official P-SOUPS layout: 90 questions, six profiles, written by hand and by seeded templates.
//!
//! For every question there is a pair of answers a dimension: simple or expert words (P1), 9 to 13 words or 31 to 44
//! (P2), warm or cold (P3). The A and the B profile of a dimension see the same pairs, swapped. Simple, expert, warm and
//! cold answers all have 12 to 25 words, so that length says something on P2 only. Every file also holds a few odd rows:
//! equal answers, repeated rows, and one whose preference text is spelled in another way than in the other rows.

mod body;
mod home;
mod nature;
mod world;

use serde_json::{Value, json};

use crate::random::Random;

/// Seed of the shipped files.
pub const SEED: u64 = 1;
/// Odd rows of every profile whose two answers are equal.
const EQUAL_ROWS: usize = 2;
/// Odd rows of every profile that repeat another one.
const REPEATED_ROWS: usize = 3;
/// Odd rows of every profile that spell the preference text in another way.
const LEAKING_ROWS: usize = 1;

/// One question and what its answers are made of.
struct Question {
    /// The instruction.
    ask: &'static str,
    /// The answer in everyday words, 9 to 11 of them.
    plain: &'static str,
    /// The answer in short words that a pupil knows, 10 to 14 of them.
    simple: &'static str,
    /// The answer in terms of the field, 10 to 14 words.
    expert: &'static str,
}

const fn question(
    ask: &'static str,
    plain: &'static str,
    simple: &'static str,
    expert: &'static str,
) -> Question {
    Question {
        ask,
        plain,
        simple,
        expert,
    }
}

const SIMPLE: [&str; 3] = [
    "In easy words:",
    "It goes like this:",
    "You can say it like this:",
];
const EXPERT: [&str; 3] = [
    "Technically speaking:",
    "In specialist terminology:",
    "Stated with professional precision:",
];
const SHORT: [&str; 3] = ["", "In short:", "Briefly:"];
/// Forms of a full answer: `{P}` plain, `{S}` simple, `{E}` expert.
const FULL: [&str; 3] = [
    "In detail: {P} {S} More precisely: {E}",
    "Fully explained: {P} {E} In other words: {S}",
    "{P} {S} To be exact: {E}",
];
const WARM: [&str; 4] = [
    "What a lovely question, my friend!",
    "I am so glad you asked me this!",
    "Thank you for asking, dear friend!",
    "How nice that you want to know!",
];
const WARM_END: [&str; 4] = [
    "I hope it helps you!",
    "You are doing great!",
    "Enjoy your day!",
    "You will love it!",
];
const COLD: [&str; 4] = ["Obviously.", "Fine.", "Whatever.", "Listen."];
const COLD_END: [&str; 4] = [
    "Look it up next time.",
    "Do not ask again.",
    "Now leave me alone.",
    "That is all.",
];

/// What one end of a dimension wants.
struct Profile {
    name: &'static str,
    /// 0 wording, 1 length, 2 tone.
    dimension: usize,
    is_a: bool,
    /// The text that follows the instruction in every row.
    preference: &'static str,
}

#[rustfmt::skip]
const PROFILES: [Profile; 6] = [
    Profile { name: "P1A", dimension: 0, is_a: true, preference: "Use words that a young pupil already knows." },
    Profile { name: "P1B", dimension: 0, is_a: false, preference: "The reader is a specialist and expects the terms of the field." },
    Profile { name: "P2A", dimension: 1, is_a: true, preference: "Keep the reply brief and to the point." },
    Profile { name: "P2B", dimension: 1, is_a: false, preference: "The reader wants every useful detail, so leave nothing out." },
    Profile { name: "P3A", dimension: 2, is_a: true, preference: "Sound warm and kind, as a good friend would." },
    Profile { name: "P3B", dimension: 2, is_a: false, preference: "The reader expects a cold and unfriendly tone." },
];

/// Two answers to one question for each dimension; the first one suits the A profile.
struct Answers {
    ask: &'static str,
    pairs: [[String; 2]; 3],
}

/// Names and rows of the six profiles; a pure function of the seed.
pub fn rows(seed: u64) -> Vec<(&'static str, Vec<Value>)> {
    let mut random = Random::new("mini psoups answers", seed);
    let groups: [&[Question]; 4] = [
        &nature::QUESTIONS,
        &body::QUESTIONS,
        &home::QUESTIONS,
        &world::QUESTIONS,
    ];
    let answers: Vec<Answers> = groups
        .into_iter()
        .flatten()
        .map(|question| question.answers(&mut random))
        .collect();
    PROFILES
        .iter()
        .map(|profile| (profile.name, of_profile(profile, &answers, seed)))
        .collect()
}

fn of_profile(profile: &Profile, answers: &[Answers], seed: u64) -> Vec<Value> {
    let mut random = Random::new(&format!("mini psoups rows {}", profile.name), seed);
    let mut rows: Vec<Row> = answers.iter().map(|answer| answer.row(profile)).collect();
    let mut odd: Vec<Row> = rows.clone();
    random.shuffle(&mut odd);
    odd.truncate(EQUAL_ROWS + REPEATED_ROWS + LEAKING_ROWS);
    for row in odd.iter_mut().take(EQUAL_ROWS) {
        row.other.clone_from(&row.preferred);
    }
    for row in odd.iter_mut().rev().take(LEAKING_ROWS) {
        row.input = spelled_in_another_way(&row.input);
    }
    rows.extend(odd);
    random.shuffle(&mut rows);
    rows.into_iter().map(Row::into_json).collect()
}

/// One judgement.
#[derive(Clone)]
struct Row {
    input: String,
    preferred: String,
    other: String,
}

impl Row {
    fn into_json(self) -> Value {
        json!({
            "user_input": self.input,
            "completion_a": self.preferred,
            "completion_b": self.other,
        })
    }
}

/// Lower case, and an exclamation mark at the end: an exact replacement of the preference text misses it.
fn spelled_in_another_way(input: &str) -> String {
    format!("{}!", input.trim_end_matches('.').to_lowercase())
}

impl Question {
    fn answers(&self, random: &mut Random) -> Answers {
        let mut one = |forms: &[&'static str]| random.pick(forms);
        let Question {
            ask,
            plain,
            simple,
            expert,
        } = *self;
        let simply = joined([one(&SIMPLE), simple, ""]);
        let expertly = joined([one(&EXPERT), expert, ""]);
        let shortly = joined([one(&SHORT), plain, ""]);
        let fully = one(&FULL)
            .replace("{P}", plain)
            .replace("{S}", simple)
            .replace("{E}", expert);
        let warmly = joined([one(&WARM), plain, one(&WARM_END)]);
        let coldly = joined([one(&COLD), plain, one(&COLD_END)]);
        Answers {
            ask,
            pairs: [[simply, expertly], [shortly, fully], [warmly, coldly]],
        }
    }
}

impl Answers {
    fn row(&self, profile: &Profile) -> Row {
        let [for_a, for_b] = self.pairs[profile.dimension].clone();
        let (preferred, other) = if profile.is_a {
            (for_a, for_b)
        } else {
            (for_b, for_a)
        };
        Row {
            input: joined([self.ask, profile.preference, ""]),
            preferred,
            other,
        }
    }
}

fn joined(parts: [&str; 3]) -> String {
    parts.join(" ").trim().to_owned()
}

#[cfg(test)]
mod tests;
