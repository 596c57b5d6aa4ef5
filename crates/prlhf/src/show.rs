//! Comparisons as tokens, so that a person sees what is trained.

use std::io::{self, IsTerminal};

use terminal::Output;
use trainer::TrainError;
use trainer::config::UserTokens;
use trainer::llm_backbone::tokenizer::{StreamDecoder, Tokenizer};
use trainer::pref_data::{Comparison, Thumb};
use trainer::tokenise::{Formatter, PromptConfig};

/// What a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prefix,
    Prompt,
    Soft,
    Chosen,
    Rejected,
    Cut,
}

impl Part {
    fn label(self) -> &'static str {
        match self {
            Self::Prefix => "prefix",
            Self::Prompt => "prompt",
            Self::Soft => "soft",
            Self::Chosen => "chosen",
            Self::Rejected => "rejected",
            Self::Cut => "cut",
        }
    }

    /// The colour's number in a terminal's escape sequence.
    fn colour(self) -> u8 {
        match self {
            Self::Prompt => 36,
            Self::Prefix | Self::Soft => 35,
            Self::Chosen => 32,
            Self::Rejected => 33,
            Self::Cut => 90,
        }
    }
}

/// A part, with the ids that stand before it in its sequence: what a token is in text depends on them.
struct Shown {
    part: Part,
    before: Vec<u32>,
    ids: Vec<u32>,
}

/// Between two tokens.
const BORDER: char = '\u{2502}';

/// Prints the first `count` comparisons part by part, a bar between two tokens; those that cannot be trained on were left out
/// before, and are here too.
///
/// # Errors
/// A failing tokenizer, or output that cannot be written.
pub fn show<'c>(
    comparisons: impl Iterator<Item = &'c Comparison>,
    count: usize,
    (formatter, users): (&Formatter, UserTokens),
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let whole = formatter.clone().limited(PromptConfig {
        max_prompt_length: usize::MAX / 4,
        max_response_length: usize::MAX / 4,
        ..formatter.config().clone()
    })?;
    let parted = comparisons.filter_map(|c| Some((c, parts(c, (formatter, users), &whole).ok()?)));
    for (at, (comparison, parts)) in parted.take(count).enumerate() {
        let user = comparison
            .user
            .as_ref()
            .map_or("nobody", |user| user.as_str());
        let what = match comparison.thumb {
            Some(Thumb::Up) => "thumb up",
            Some(Thumb::Down) => "thumb down",
            None => "comparison",
        };
        let user = printable::id(user);
        out.line(format_args!("\n  {what} {}, user {user}", at + 1))?;
        for Shown { part, before, ids } in parts {
            let text = match part {
                Part::Soft => format!("{} tokens", users.soft),
                Part::Prefix => format!("{} keys and values at every layer", users.prefix),
                _ => texts(formatter.tokenizer(), &before, &ids)?.join(&BORDER.to_string()),
            };
            let label = format!("    {:<8}  ", part.label());
            out.coloured(&label, &text, colours.then(|| part.colour()))?;
        }
    }
    Ok(())
}

/// The parts of a comparison in their order; those of its user have no ids.
fn parts(
    comparison: &Comparison,
    (formatter, users): (&Formatter, UserTokens),
    whole: &Formatter,
) -> Result<Vec<Shown>, TrainError> {
    let (kept, all) = (formatter.pair(comparison)?, whole.pair(comparison)?);
    let ids = &kept.prompt.ids;
    let mut parts = Vec::new();
    let mut add = |part, before: &[u32], ids: &[u32]| {
        if matches!(part, Part::Soft | Part::Prefix) || !ids.is_empty() {
            let (before, ids) = (before.to_vec(), ids.to_vec());
            parts.push(Shown { part, before, ids });
        }
    };
    if users.prefix > 0 {
        add(Part::Prefix, &[], &[]);
    }
    let (bos, rest) = ids.split_at(kept.prompt.soft_at);
    add(Part::Prompt, &[], bos);
    if users.soft > 0 {
        add(Part::Soft, &[], &[]);
    }
    let all_ids = &all.prompt.ids;
    let all_rest = &all_ids[all.prompt.soft_at.min(all_ids.len())..];
    let front = common(rest.iter(), all_rest.iter());
    let back = common(rest[front..].iter().rev(), all_rest[front..].iter().rev());
    let before_back = &all_ids[..all_ids.len() - back];
    let before_cut = &all_ids[..all_ids.len() - all_rest.len() + front];
    add(Part::Prompt, bos, &rest[..front]);
    add(
        Part::Cut,
        before_cut,
        &all_rest[front..all_rest.len() - back],
    );
    add(Part::Prompt, before_back, &rest[front..]);
    let responses = [
        (Part::Chosen, &kept.chosen, &all.chosen),
        (Part::Rejected, &kept.rejected, &all.rejected),
    ];
    for (part, kept, all) in responses {
        add(part, ids, kept);
        let cut = all.get(kept.len()..).unwrap_or_default();
        add(Part::Cut, &[&ids[..], kept].concat(), cut);
    }
    Ok(parts)
}

/// How many of two sequences are equal from their start on.
fn common<'i>(a: impl Iterator<Item = &'i u32>, b: impl Iterator<Item = &'i u32>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// Ids before a part that decide about its first token.
const CONTEXT: usize = 8;

/// The text of every token behind those before; where a character takes several, the vocabulary's name of all but the last.
fn texts(tokenizer: &Tokenizer, before: &[u32], ids: &[u32]) -> Result<Vec<String>, TrainError> {
    let mut decoder = StreamDecoder::new(tokenizer, false);
    for id in &before[before.len().saturating_sub(CONTEXT)..] {
        decoder.push(*id)?;
    }
    let text = |id: &u32| {
        let text = decoder.push(*id)?;
        let name = || tokenizer.id_to_token(*id).unwrap_or_default();
        Ok(escaped(&if text.is_empty() { name() } else { text }))
    };
    ids.iter().map(text).collect()
}

/// A text in one line, control characters escaped.
fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '\'' | '"' | '\\' => shown.push(character),
            _ => shown.extend(character.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_space_in_front_of_a_response_is_seen() {
        let vocabulary = ["<unk>", "\u{2581}Say", ":", "riv", "\u{2581}riv"];
        let json = serde_json::json!({
            "version": "1.0",
            "decoder": {"type": "Metaspace", "replacement": "\u{2581}", "prepend_scheme": "always", "split": false},
            "model": {
                "type": "Unigram", "unk_id": 0, "byte_fallback": false,
                "vocab": vocabulary.map(|piece| (piece, -1.0)),
            },
        });
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tokenizer.json");
        std::fs::write(&file, json.to_string()).expect("a file");
        let tokenizer = Tokenizer::open(folder.path()).expect("a tokenizer");
        let shown = |before: &[u32], ids: &[u32]| texts(&tokenizer, before, ids).expect("texts");
        assert_eq!(shown(&[], &[1, 2]), ["Say", ":"]);
        assert_eq!(shown(&[1, 2], &[3]), ["riv"]);
        assert_eq!(shown(&[1, 2], &[4, 3]), [" riv", "riv"]);
    }
}
