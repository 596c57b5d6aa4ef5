//! Community Alignment 1.1 (`facebook/community-alignment-dataset`): a row is a conversation of an annotator, with up to four turns.
//! A turn has a prompt, the responses `a` to `d`, and in `..._preferred_response` which one she preferred; that one is answered in
//! the next turn. Equal first prompts were given to many annotators, so they are what splits keep together.

use super::Judged;
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::general::source_of;
use crate::message::Message;
use crate::prism::is_empty;
use crate::records::Fields;

pub(super) const FIELDS: &[&str] = &[
    "conversation_id",
    "annotator_id",
    "first_turn_prompt",
    "first_turn_response_a",
    "first_turn_response_b",
    "first_turn_preferred_response",
];
const TURNS: [&str; 4] = ["first", "second", "third", "fourth"];
const LETTERS: [&str; 4] = ["a", "b", "c", "d"];

const NO_PROMPT: &str = "turn without a prompt";
const NO_CHOICE: &str = "turn without a preferred response";
const NO_CHOSEN: &str = "turn whose preferred response is missing";
const NO_RESPONSE: &str = "missing response of a turn";
const BEHIND_GAP: &str = "turn behind one that is not whole";

pub(super) fn wanted(name: &str) -> bool {
    name == "annotator_id"
        || TURNS.iter().any(|turn| {
            let rest = name.strip_prefix(turn);
            let rest = rest.and_then(|rest| rest.strip_prefix("_turn_"));
            rest.is_some_and(|rest| rest == "prompt" || rest.contains("response"))
        })
}

/// What one turn holds.
struct Turn {
    prompt: Option<String>,
    responses: [Option<String>; 4],
    preferred: Option<usize>,
}

impl Turn {
    fn of(fields: &Fields, name: &str) -> Result<Self, DataError> {
        let text = |what: &str| {
            let text = fields.optional_text(&format!("{name}_turn_{what}"))?;
            Ok::<_, DataError>(text.filter(|text| !is_empty(text)))
        };
        let column = format!("{name}_turn_preferred_response");
        let preferred = match text("preferred_response")? {
            None => None,
            Some(found) => {
                let letter = found.trim().strip_prefix("response_");
                let place = LETTERS.iter().position(|known| letter == Some(*known));
                let expected = "response_a, response_b, response_c or response_d";
                Some(place.ok_or_else(|| fields.wrong(&column, expected))?)
            }
        };
        let [a, b, c, d] = LETTERS.map(|letter| text(&format!("response_{letter}")));
        Ok(Self {
            prompt: text("prompt")?,
            responses: [a?, b?, c?, d?],
            preferred,
        })
    }

    fn is_absent(&self) -> bool {
        self.prompt.is_none()
            && self.preferred.is_none()
            && self.responses.iter().all(Option::is_none)
    }

    /// The prompt, and the place and text of the preferred response.
    fn whole(&self) -> Result<(&str, usize, &str), &'static str> {
        let prompt = self.prompt.as_deref().ok_or(NO_PROMPT)?;
        let preferred = self.preferred.ok_or(NO_CHOICE)?;
        let chosen = self.responses[preferred].as_deref().ok_or(NO_CHOSEN)?;
        Ok((prompt, preferred, chosen))
    }
}

pub(super) fn decode(fields: &Fields) -> Result<Judged, DataError> {
    let user = fields.name("annotator_id")?;
    let mut judged = Judged::new(fields);
    let (mut history, mut source, mut behind_gap) = (Vec::new(), None, false);
    for name in TURNS {
        let turn = Turn::of(fields, name)?;
        if turn.is_absent() {
            behind_gap = true;
            continue;
        }
        let (prompt, preferred, chosen) = match turn.whole() {
            Ok(whole) if !behind_gap => whole,
            found => {
                judged.left_out.push(found.err().unwrap_or(BEHIND_GAP));
                behind_gap = true;
                continue;
            }
        };
        history.push(Message::new("user", prompt));
        let asked = Prompt::Chat(history.clone());
        let source = source.get_or_insert_with(|| source_of(&asked)).as_str();
        for (place, response) in turn.responses.iter().enumerate() {
            match response {
                _ if place == preferred => {}
                Some(rejected) => {
                    judged.add(Some(&user), asked.clone(), Some(source), [chosen, rejected]);
                }
                None => judged.left_out.push(NO_RESPONSE),
            }
        }
        history.push(Message::new("assistant", chosen));
    }
    Ok(judged)
}
