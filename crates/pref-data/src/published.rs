//! Comparisons of many people as others published them, from their files as they are.
//!
//! | layout | data set | the user | |
//! |---|---|---|---|
//! | `arena` | Chatbot Arena conversations, MT-Bench human judgments | `judge` | votes on two conversations |
//! | `arena-55k` | LMSYS Arena human preference, 55k | not published | the same with lists of texts |
//! | `community-alignment` | Community Alignment 1.1 | `annotator_id` | up to four turns with four responses each |
//! | `prism-lore` | PRISM as LoRe prepares it | `extra_info.user_id` | one turn a record, all rejected responses |
//! | `personalllm` | PersonalLLM and its interaction database | a reward model, or `person_id` | eight scored responses; or pairs with a choice |
//!
//! Ties, turns that are not whole, and votes on conversations that differ before the last answer are left out and counted.

mod arena;
mod arena_55k;
mod community;
mod personalllm;
mod prism_lore;

use std::path::Path;

use crate::comparison::{Comparison, Prompt, UserId};
use crate::error::DataError;
use crate::general::{TIE, Verdict, no_signal, source_of};
use crate::message::Message;
use crate::place::Place;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{Fields, Format, Json, list};
use crate::skipped::Skipped;

/// A published layout: the fields that its records are known by, which of them are read, and what they mean.
pub(crate) struct Published {
    /// All required.
    pub fields: &'static [&'static str],
    wanted: fn(&str) -> bool,
    decode: fn(&Fields) -> Result<Judged, DataError>,
}

pub(crate) const ARENA: Published = Published {
    fields: arena::FIELDS,
    wanted: |name| arena::FIELDS.contains(&name),
    decode: arena::decode,
};
pub(crate) const ARENA_55K: Published = Published {
    fields: arena_55k::FIELDS,
    wanted: |name| arena_55k::FIELDS.contains(&name),
    decode: arena_55k::decode,
};
pub(crate) const COMMUNITY_ALIGNMENT: Published = Published {
    fields: community::FIELDS,
    wanted: community::wanted,
    decode: community::decode,
};
pub(crate) const PRISM_LORE: Published = Published {
    fields: prism_lore::FIELDS,
    wanted: prism_lore::wanted,
    decode: prism_lore::decode,
};
/// Responses with the scores of ten reward models.
pub(crate) const PERSONALLLM: Published = Published {
    fields: personalllm::SCORED,
    wanted: |_| true,
    decode: personalllm::decode,
};
/// The fields of what simulated people chose, which [`PERSONALLLM`] reads, too.
pub(crate) const PERSONALLLM_CHOICES: &[&str] = personalllm::CHOSEN;

/// Every comparison of some files, with what was left out.
pub(crate) fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
    layout: &Published,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let decode = layout.decode;
    let decode = move |fields: &Fields| decode(fields).map(Decoded::Keep);
    let mut reader = Reader::of(list(paths, &Format::ALL)?, options, layout.wanted, decode);
    let (mut comparisons, mut skipped) = (Vec::new(), Skipped::default());
    for judged in reader.by_ref() {
        let judged = judged?;
        for reason in judged.left_out {
            skipped.add(reason, &judged.place);
        }
        comparisons.extend(judged.comparisons);
    }
    skipped.merge(reader.skipped());
    Ok((comparisons, skipped))
}

/// What one record gives.
struct Judged {
    place: Place,
    comparisons: Vec<Comparison>,
    /// Why parts of it are none, a reason each.
    left_out: Vec<&'static str>,
}

impl Judged {
    /// Nothing so far.
    fn new(fields: &Fields) -> Self {
        Self {
            place: fields.place(),
            comparisons: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// One comparison, as long as it says something. What splits keep together is the prompt, unless a `source` is named.
    fn add(
        &mut self,
        user: Option<&str>,
        prompt: Prompt,
        source: Option<&str>,
        [chosen, rejected]: [&str; 2],
    ) {
        if let Some(reason) = no_signal(chosen, rejected) {
            self.left_out.push(reason);
            return;
        }
        self.comparisons.push(Comparison {
            user: user.map(UserId::new),
            user_text: None,
            source: source.map_or_else(|| source_of(&prompt), str::to_owned),
            prompt,
            template: Default::default(),
            chosen: chosen.to_owned(),
            rejected: rejected.to_owned(),
            place: self.place.clone(),
            group: None,
            thumb: None,
        });
    }

    /// The comparison of two responses that a verdict makes; a tie is counted.
    fn add_verdict(
        &mut self,
        user: Option<&str>,
        prompt: Prompt,
        verdict: Verdict,
        responses: [&str; 2],
    ) {
        match verdict.order(responses) {
            Some(ordered) => self.add(user, prompt, None, ordered),
            None => self.left_out.push(TIE),
        }
    }
}

/// A vote on two conversations, which must be the same before the last answer: else no response answers the same prompt.
fn vote(
    fields: &Fields,
    user: Option<&str>,
    conversations: [Vec<Message>; 2],
    verdict: Verdict,
) -> Result<Judged, DataError> {
    const DIVERGED: &str = "the two conversations differ before the last answer";
    let mut judged = Judged::new(fields);
    let [(history, first), (other, second)] = conversations.map(|mut messages| {
        let last = messages.pop_if(|last| last.role() == "assistant");
        (messages, last.map(|last| last.content().into_owned()))
    });
    let (Some(first), Some(second)) = (first, second) else {
        let found = "a last message by somebody else".into();
        return Err(fields.error(
            "conversation",
            found,
            "two conversations that end in an answer",
        ));
    };
    if history != other {
        judged.left_out.push(DIVERGED);
    } else {
        judged.add_verdict(user, Prompt::Chat(history), verdict, [&first, &second]);
    }
    Ok(judged)
}
