//! Conversations: who asks what, what the responses are like, and which one is chosen.

use serde_json::{Value, json};

use super::odd::Oddity;
use super::people::Person;
use super::words::{DETAILS, FEELINGS, FOLLOW_UPS, OPEN_FEEDBACK, QUESTIONS, TOPICS, Topic};
use super::{Manner, Tone};
use crate::random::Random;

const FIRST_ID: usize = 90_000;
const KINDS: [&str; 3] = ["unguided", "values guided", "controversy guided"];
const MODELS: [&str; 4] = ["mini-a", "mini-b", "mini-c", "mini-d"];

/// A turn before it is written down: the message, and responses with whether they are chosen.
pub(super) struct Draft {
    pub message: String,
    pub responses: Vec<(String, bool)>,
}

/// All conversations, person by person; one of eighteen is odd.
pub(super) fn conversations(random: &mut Random, people: &[Person]) -> Vec<Value> {
    let mut conversations = Vec::new();
    for person in people {
        let mut topics: Vec<&Topic> = TOPICS.iter().collect();
        random.shuffle(&mut topics);
        for topic in topics.into_iter().take(person.conversations) {
            let number = conversations.len();
            let mut turns = turns(random, person, topic);
            let opening = turns.first().map(|turn| turn.message.clone());
            if let Some(oddity) = Oddity::of(number) {
                oddity.apply(&mut turns);
            }
            let opening = opening.unwrap_or_default();
            conversations.push(written(random, person, number, opening, turns));
        }
    }
    conversations
}

fn turns(random: &mut Random, person: &Person, topic: &Topic) -> Vec<Draft> {
    let count = match random.unit() {
        share if share < 0.5 => 1,
        share if share < 0.85 => 2,
        _ => 3,
    };
    let mut follow_ups = FOLLOW_UPS;
    random.shuffle(&mut follow_ups);
    (0..count)
        .map(|turn| {
            let message = match turn {
                0 => opening(random, topic),
                _ => follow_ups[turn].to_owned(),
            };
            let last = turn + 1 == count;
            let traits = traits(random, person, turn == 0, last);
            Draft {
                message,
                responses: responses(random, topic, &traits),
            }
        })
        .collect()
}

fn opening(random: &mut Random, topic: &Topic) -> String {
    let (detail, question) = (random.pick(&DETAILS), random.pick(&QUESTIONS));
    format!("{}.{detail} {question}", topic.problem)
}

/// Manner and tone of the responses of a turn, the chosen one first.
fn traits(random: &mut Random, person: &Person, first: bool, last: bool) -> Vec<(Manner, Tone)> {
    let (manner, mut tone) = (person.manner, person.tone);
    let mut traits = Vec::new();
    if last {
        traits.extend([(manner, tone), (manner, tone.other())]);
        if first && random.unit() < 0.5 {
            traits.push((manner.other(), tone));
        }
        if first {
            traits.push((manner, tone.other()));
        }
    } else {
        tone = random.pick(&Tone::ALL);
        traits.extend([(manner, tone), (manner.other(), tone)]);
        if first && random.unit() < 0.2 {
            traits.push((manner.other(), tone));
        }
    }
    traits
}

/// Different texts in random order; the first of the traits is chosen.
fn responses(random: &mut Random, topic: &Topic, traits: &[(Manner, Tone)]) -> Vec<(String, bool)> {
    const TRIES: usize = 50;
    let mut responses: Vec<(String, bool)> = Vec::new();
    for (place, &(manner, tone)) in traits.iter().enumerate() {
        let mut text = response(random, topic, manner, tone);
        for _ in 0..TRIES {
            if responses.iter().all(|(other, _)| *other != text) {
                break;
            }
            text = response(random, topic, manner, tone);
        }
        responses.push((text, place == 0));
    }
    random.shuffle(&mut responses);
    responses
}

fn response(random: &mut Random, topic: &Topic, manner: Manner, tone: Tone) -> String {
    let mut steps = topic.steps;
    random.shuffle(&mut steps);
    let said = random
        .pick(&manner.forms())
        .replace("{a}", steps[0])
        .replace("{b}", steps[1])
        .replace("{feel}", random.pick(&FEELINGS))
        .replace("{thing}", topic.thing);
    let opening = random.pick(&tone.openings());
    let closing = random.pick(&tone.closings());
    format!("{opening} {said} {closing}")
}

/// The conversation as a record; `number` counts all of them.
fn written(
    random: &mut Random,
    person: &Person,
    number: usize,
    opening: String,
    turns: Vec<Draft>,
) -> Value {
    let minutes = 2.0 + random.below(20) as f64 / 2.0;
    json!({
        "conversation_id": format!("c{}", FIRST_ID + number),
        "user_id": person.id,
        "conversation_type": KINDS[number % 3],
        "opening_prompt": opening,
        "conversation_turns": turns.len(),
        "conversation_history": history(random, turns),
        "performance_attributes": ratings(random),
        "choice_attributes": ratings(random),
        "open_feedback": random.pick(&OPEN_FEEDBACK),
        "generated_datetime": format!("2024-04-{:02} 10:00:00", 1 + random.below(30)),
        "timing_duration_s": minutes * 60.0,
        "timing_duration_mins": minutes,
        "included_in_balanced_subset": person.conversations >= 5,
    })
}

fn history(random: &mut Random, turns: Vec<Draft>) -> Vec<Value> {
    let mut history = Vec::new();
    let mut models = MODELS;
    random.shuffle(&mut models);
    for (turn, draft) in turns.into_iter().enumerate() {
        history.push(json!({"role": "user", "turn": turn, "content": draft.message}));
        for (place, (content, chosen)) in draft.responses.into_iter().enumerate() {
            let low = if chosen { 70 } else { 10 };
            // Later turns sample the model that was chosen.
            let model = if turn == 0 { place % MODELS.len() } else { 0 };
            history.push(json!({
                "role": "model",
                "turn": turn,
                "content": content,
                "model_provider": "mini",
                "model_name": models[model],
                "score": low + random.below(30),
                "if_chosen": chosen,
                "within_turn_id": place,
            }));
        }
    }
    history
}

/// By attribute; some do not apply.
fn ratings(random: &mut Random) -> Value {
    const ATTRIBUTES: [&str; 7] = [
        "values",
        "fluency",
        "factuality",
        "safety",
        "diversity",
        "creativity",
        "helpfulness",
    ];
    let mut rating = || (random.unit() < 0.9).then(|| 30 + random.below(71));
    ATTRIBUTES
        .into_iter()
        .map(|name| (name, rating()))
        .collect()
}
