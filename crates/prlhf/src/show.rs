//! Comparisons as tokens, so that a person sees what is trained.

use std::io::{self, IsTerminal};

use terminal::Output;
use trainer::TrainError;
use trainer::llm_backbone::tokenizer::{StreamDecoder, Tokenizer};
use trainer::pref_data::Comparison;
use trainer::tokenise::{Formatter, PromptConfig};

/// What a token belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Prompt,
    Soft,
    Chosen,
    Rejected,
    Cut,
}

impl Part {
    fn label(self) -> &'static str {
        match self {
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
            Self::Soft => 35,
            Self::Chosen => 32,
            Self::Rejected => 33,
            Self::Cut => 90,
        }
    }
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
    formatter: &Formatter,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let whole = formatter.clone().limited(PromptConfig {
        max_prompt_length: usize::MAX / 4,
        max_response_length: usize::MAX / 4,
        ..formatter.config().clone()
    })?;
    let parted = comparisons.filter_map(|c| Some((c, parts(c, formatter, &whole).ok()?)));
    for (at, (comparison, parts)) in parted.take(count).enumerate() {
        let user = comparison
            .user
            .as_ref()
            .map_or("nobody", |user| user.as_str());
        out.line(format_args!(
            "\n  comparison {}, user {}",
            at + 1,
            escaped(user)
        ))?;
        for (part, ids) in parts {
            let text = match part {
                Part::Soft => format!("{} tokens", formatter.user_tokens()),
                _ => texts(formatter.tokenizer(), &ids)?.join(&BORDER.to_string()),
            };
            let label = format!("    {:<8}  ", part.label());
            out.coloured(&label, &text, colours.then(|| part.colour()))?;
        }
    }
    Ok(())
}

/// The parts of a comparison in their order; soft tokens have no ids.
fn parts(
    comparison: &Comparison,
    formatter: &Formatter,
    whole: &Formatter,
) -> Result<Vec<(Part, Vec<u32>)>, TrainError> {
    let (kept, all) = (formatter.pair(comparison)?, whole.pair(comparison)?);
    let ids = &kept.prompt.ids;
    let mut parts = Vec::new();
    let (bos, rest) = ids.split_at(kept.prompt.soft_at);
    parts.push((Part::Prompt, bos.to_vec()));
    if formatter.user_tokens() > 0 {
        parts.push((Part::Soft, Vec::new()));
    }
    let all_rest = &all.prompt.ids[all.prompt.soft_at.min(all.prompt.ids.len())..];
    let front = common(rest.iter(), all_rest.iter());
    let back = common(rest[front..].iter().rev(), all_rest[front..].iter().rev());
    parts.push((Part::Prompt, rest[..front].to_vec()));
    let cut = &all_rest[front..all_rest.len() - back];
    parts.push((Part::Cut, cut.to_vec()));
    parts.push((Part::Prompt, rest[front..].to_vec()));
    let responses = [
        (Part::Chosen, &kept.chosen, &all.chosen),
        (Part::Rejected, &kept.rejected, &all.rejected),
    ];
    for (part, kept, all) in responses {
        parts.push((part, kept.clone()));
        parts.push((
            Part::Cut,
            all.get(kept.len()..).unwrap_or_default().to_vec(),
        ));
    }
    let is_there = |(part, ids): &(Part, Vec<u32>)| *part == Part::Soft || !ids.is_empty();
    parts.retain(is_there);
    Ok(parts)
}

/// How many of two sequences are equal from their start on.
fn common<'i>(a: impl Iterator<Item = &'i u32>, b: impl Iterator<Item = &'i u32>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// The text of every token; where a character takes several, the vocabulary's name of all but the last.
fn texts(tokenizer: &Tokenizer, ids: &[u32]) -> Result<Vec<String>, TrainError> {
    let mut decoder = StreamDecoder::new(tokenizer, false);
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
