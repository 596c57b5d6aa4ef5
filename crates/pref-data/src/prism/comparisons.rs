//! From the turns of a dialogue to comparisons.

use serde::{Deserialize, Serialize};

use super::{Dialogue, Response, Turn, is_empty};
use crate::comparison::{Comparison, Prompt};
use crate::message::{Message, TemplateInputs};
use crate::place::Place;
use crate::skipped::Skipped;

/// A turn is left out: the user says nothing in it.
const NO_MESSAGE: &str = "turn without a message of the user";
/// A turn is left out: none of its responses is chosen.
const NO_CHOSEN: &str = "turn without a chosen response";
/// A turn is left out: its chosen response is empty.
const EMPTY_CHOSEN: &str = "turn whose chosen response is empty";
/// A turn is left out: all its responses are chosen.
const NO_REJECTED: &str = "turn without a rejected response";
/// A response is left out: it is empty.
const EMPTY_REJECTED: &str = "empty rejected response";
/// A response is left out: the turn has a chosen one already.
const SECOND_CHOSEN: &str = "second chosen response of a turn";
/// A response is left out: a chosen one of its turn has the same text.
const EQUAL_TEXTS: &str = "rejected response equal to a chosen one";
/// A pair is left out: [`ComparisonOptions::released_limits`].
const TOO_LONG: &str = "prompt and response have too many characters";

/// The released limit of prompt and response in characters (reference 2).
const RELEASED_CHARACTERS: usize = 2300;
/// The released limit of user text and history in characters (reference 2).
const RELEASED_HISTORY: usize = 1400;

/// Which rejected responses of a turn are compared with the chosen one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rejected {
    /// Every one, as in the paper's code.
    #[default]
    All,
    /// The first one.
    First,
}

/// How comparisons are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComparisonOptions {
    /// Which rejected responses count.
    pub rejected: Rejected,
    /// The character limits of the released code: a dialogue is left out if in none of its turns the message with each of
    /// its responses has at most 2300 characters; the oldest exchanges are cut until user text and history have at most
    /// 1400; pairs whose user text, prompt and longer response have more than 2300 are left out. (The released code cuts
    /// within a message, and counts template marks; this one does neither.) Off, nothing is cut: the limit in tokens is the
    /// trainer's.
    pub released_limits: bool,
}

/// One exchange that later turns look back to.
type Exchange = [Message; 2];

impl Dialogue {
    /// The comparisons of the dialogue, in its order; what is left out is counted.
    ///
    /// The chosen response is the first that is marked so. A turn that lacks a message or a chosen response gives no comparison
    /// and is no part of the history either, since what was said cannot be known; a turn without a rejected response is.
    pub fn comparisons(
        &self,
        user_text: Option<&str>,
        options: ComparisonOptions,
        skipped: &mut Skipped,
    ) -> Vec<Comparison> {
        let mut history: Vec<Exchange> = Vec::new();
        let mut comparisons = Vec::new();
        if options.released_limits && !self.turns.iter().any(is_short) {
            skipped.add(TOO_LONG, &self.id);
            return comparisons;
        }
        for turn in &self.turns {
            let (message, chosen) = match exchange(turn) {
                Ok(exchange) => exchange,
                Err(reason) => {
                    skipped.add(reason, &self.id);
                    continue;
                }
            };
            if options.released_limits {
                cut(&mut history, user_text);
            }
            let prompt = prompt(&history, message);
            let rejected = rejected(turn, &self.id, skipped);
            if rejected.is_empty() {
                skipped.add(NO_REJECTED, &self.id);
            }
            let wanted = match options.rejected {
                Rejected::All => rejected.len(),
                Rejected::First => 1,
            };
            for response in rejected.into_iter().take(wanted) {
                let comparison = Comparison {
                    user: Some(self.user.clone()),
                    user_text: user_text.map(str::to_owned),
                    prompt: prompt.clone(),
                    template: TemplateInputs::default(),
                    place: Place::default(),
                    chosen: chosen.text.clone(),
                    rejected: response.text.clone(),
                    source: self.id.clone(),
                    group: None,
                    thumb: None,
                };
                if options.released_limits && is_too_long(&comparison) {
                    skipped.add(TOO_LONG, &self.id);
                } else {
                    comparisons.push(comparison);
                }
            }
            history.push([said("user", message), said("assistant", &chosen.text)]);
        }
        comparisons
    }
}

/// What was said in a turn, or why it cannot be known.
fn exchange(turn: &Turn) -> Result<(&str, &Response), &'static str> {
    let message = turn.message.as_deref().filter(|text| !is_empty(text));
    let message = message.ok_or(NO_MESSAGE)?;
    let mut responses = turn.responses.iter();
    let chosen = responses.find(|one| one.chosen).ok_or(NO_CHOSEN)?;
    if is_empty(&chosen.text) {
        return Err(EMPTY_CHOSEN);
    }
    Ok((message, chosen))
}

/// The responses that were truly rejected, in their order.
fn rejected<'a>(turn: &'a Turn, place: &str, skipped: &mut Skipped) -> Vec<&'a Response> {
    let chosen = turn.responses.iter().filter(|one| one.chosen);
    let chosen: Vec<&str> = chosen.map(|one| one.text.as_str()).collect();
    for _ in chosen.iter().skip(1) {
        skipped.add(SECOND_CHOSEN, place);
    }
    let keep = |response: &&Response| {
        let reason = if is_empty(&response.text) {
            EMPTY_REJECTED
        } else if chosen.contains(&response.text.as_str()) {
            EQUAL_TEXTS
        } else {
            return true;
        };
        skipped.add(reason, place);
        false
    };
    let others = turn.responses.iter().filter(|one| !one.chosen);
    others.filter(keep).collect()
}

fn prompt(history: &[Exchange], message: &str) -> Prompt {
    let mut messages: Vec<Message> = history.iter().flatten().cloned().collect();
    messages.push(said("user", message));
    Prompt::Chat(messages)
}

fn said(role: &str, content: &str) -> Message {
    Message::new(role, content)
}

fn characters(text: &str) -> usize {
    text.chars().count()
}

/// Whether the message with each of the responses is within the released limit.
fn is_short(turn: &Turn) -> bool {
    let message = turn.message.as_deref().unwrap_or_default();
    let longest = turn.responses.iter().map(|one| characters(&one.text)).max();
    longest.is_some_and(|longest| characters(message) + longest <= RELEASED_CHARACTERS)
}

fn is_too_long(comparison: &Comparison) -> bool {
    let (chosen, rejected) = comparison.lengths();
    let text = comparison.user_text.as_deref().map_or(0, characters);
    text + comparison.prompt.characters() + chosen.max(rejected) > RELEASED_CHARACTERS
}

/// Cuts the oldest exchanges for good, as the released code does.
fn cut(history: &mut Vec<Exchange>, user_text: Option<&str>) {
    let budget = RELEASED_HISTORY.saturating_sub(user_text.map_or(0, characters));
    let length = |exchange: &Exchange| -> usize {
        exchange
            .iter()
            .map(|message| characters(&message.content()))
            .sum()
    };
    let mut total: usize = history.iter().map(length).sum();
    while total > budget && !history.is_empty() {
        total -= length(&history.remove(0));
    }
}

#[cfg(test)]
mod tests;
