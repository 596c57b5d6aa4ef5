//! Conversations: who asks what, what the responses are like, and which one is chosen.

use rand_chacha::ChaCha8Rng;

use super::odd::Oddity;
use super::people::Person;
use super::words::{DETAILS, FEELINGS, FOLLOW_UPS, OPEN_FEEDBACK, QUESTIONS, TOPICS, Topic};
use super::{HiddenKind, Manner};
use crate::prism::conversation::{Attributes, Conversation, ConversationType, HistoryItem};
use crate::seed::{index, shuffle, unit};

const FIRST_ID: usize = 90_000;
const MODELS: [&str; 4] = ["mini-a", "mini-b", "mini-c", "mini-d"];

/// A turn before it is written down: the message, and responses with whether they are chosen.
pub(super) struct Draft {
    pub message: String,
    pub responses: Vec<(String, bool)>,
}

/// All conversations, person by person; one of twelve is odd.
pub(super) fn conversations(random: &mut ChaCha8Rng, people: &[Person]) -> Vec<Conversation> {
    let mut conversations = Vec::new();
    for person in people {
        let mut topics: Vec<&Topic> = TOPICS.iter().collect();
        shuffle(random, &mut topics);
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

fn turns(random: &mut ChaCha8Rng, person: &Person, topic: &Topic) -> Vec<Draft> {
    let count = match unit(random) {
        share if share < 0.5 => 1,
        share if share < 0.85 => 2,
        _ => 3,
    };
    let mut follow_ups = FOLLOW_UPS;
    shuffle(random, &mut follow_ups);
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

fn opening(random: &mut ChaCha8Rng, topic: &Topic) -> String {
    let detail = DETAILS[index(random, DETAILS.len())];
    let question = QUESTIONS[index(random, QUESTIONS.len())];
    format!("{}.{detail} {question}", topic.problem)
}

/// Manner and tone of the responses of a turn, the chosen one first.
fn traits(
    random: &mut ChaCha8Rng,
    person: &Person,
    first: bool,
    last: bool,
) -> Vec<(Manner, HiddenKind)> {
    let (manner, mut tone) = (person.manner, person.tone);
    let mut traits = Vec::new();
    if last {
        traits.extend([(manner, tone), (manner, tone.other())]);
        if first {
            traits.push((manner.other(), tone));
        }
        if first && unit(random) < 0.75 {
            traits.push((manner, tone.other()));
        }
    } else {
        tone = HiddenKind::ALL[index(random, 2)];
        traits.extend([(manner, tone), (manner.other(), tone)]);
        if first && unit(random) < 0.4 {
            traits.push((manner.other(), tone));
        }
    }
    traits
}

/// Different texts in random order; the first of the traits is chosen.
fn responses(
    random: &mut ChaCha8Rng,
    topic: &Topic,
    traits: &[(Manner, HiddenKind)],
) -> Vec<(String, bool)> {
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
    shuffle(random, &mut responses);
    responses
}

fn response(random: &mut ChaCha8Rng, topic: &Topic, manner: Manner, tone: HiddenKind) -> String {
    let mut steps = topic.steps;
    shuffle(random, &mut steps);
    let forms = manner.forms();
    let said = forms[index(random, forms.len())]
        .replace("{a}", steps[0])
        .replace("{b}", steps[1])
        .replace("{feel}", FEELINGS[index(random, FEELINGS.len())])
        .replace("{thing}", topic.thing);
    let (openings, closings) = (tone.openings(), tone.closings());
    let opening = openings[index(random, openings.len())];
    let closing = closings[index(random, closings.len())];
    format!("{opening} {said} {closing}")
}

fn written(
    random: &mut ChaCha8Rng,
    person: &Person,
    number: usize,
    opening_prompt: String,
    turns: Vec<Draft>,
) -> Conversation {
    let minutes = 2.0 + index(random, 20) as f64 / 2.0;
    Conversation {
        conversation_id: format!("c{}", FIRST_ID + number),
        user_id: person.id.clone(),
        conversation_type: ConversationType::ALL[number % 3],
        opening_prompt,
        conversation_turns: turns.len() as i64,
        conversation_history: history(random, turns),
        performance_attributes: attributes(random),
        choice_attributes: attributes(random),
        open_feedback: OPEN_FEEDBACK[index(random, OPEN_FEEDBACK.len())].into(),
        generated_datetime: format!("2024-04-{:02} 10:00:00", 1 + index(random, 30)),
        timing_duration_s: minutes * 60.0,
        timing_duration_mins: minutes,
        included_in_balanced_subset: person.conversations >= 5,
    }
}

fn history(random: &mut ChaCha8Rng, turns: Vec<Draft>) -> Vec<HistoryItem> {
    let mut history = Vec::new();
    let mut models = MODELS;
    shuffle(random, &mut models);
    for (turn, draft) in (0..).zip(turns) {
        history.push(HistoryItem::User {
            turn,
            content: draft.message,
        });
        for (place, (content, if_chosen)) in draft.responses.into_iter().enumerate() {
            let low = if if_chosen { 70 } else { 10 };
            // Later turns sample the model that was chosen.
            let model = if turn == 0 { place % MODELS.len() } else { 0 };
            history.push(HistoryItem::Model {
                turn,
                content,
                model_provider: "mini".into(),
                model_name: models[model].into(),
                score: low + index(random, 30) as i64,
                if_chosen,
                within_turn_id: place as i64,
            });
        }
    }
    history
}

/// Ratings, some of them "does not apply".
fn attributes(random: &mut ChaCha8Rng) -> Attributes {
    let mut rating = || (unit(random) < 0.9).then(|| 30 + index(random, 71) as i64);
    Attributes(std::array::from_fn(|_| rating()))
}
