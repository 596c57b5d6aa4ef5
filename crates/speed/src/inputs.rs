//! What both sides read: the model as a Hugging Face directory, comparisons and prompts as token ids.

use std::path::Path;

use serde::{Deserialize, Serialize};
use terminal::hub;
use trainer::burn::tensor::Device;
use trainer::config::Dtype;
use trainer::llm_backbone::weights::write_safetensors;
use trainer::pref_data::{ReadOptions, tldr};
use trainer::tokenise::{Formatter, PromptConfig, TokenizedPair};
use trainer::{TrainError, files, source};

use crate::{DECODE_BATCHES, DECODE_NEW, DECODE_PROMPT};

/// Prompts of this many tokens are taken as they are.
const PROMPT: std::ops::RangeInclusive<usize> = 180..=280;
/// Responses of this many tokens, EOS included.
const RESPONSE: std::ops::RangeInclusive<usize> = 15..=45;
/// What prompts are made to have where there are too few of that length.
const LENGTHENED: usize = 230;

/// What a model needs room for: a prompt with soft tokens and a response, or a prompt and what is decoded after it.
const LONGEST: usize = {
    let trained = *PROMPT.end() + 10 + *RESPONSE.end();
    let decoded = DECODE_PROMPT + DECODE_NEW + 1;
    if trained > decoded { trained } else { decoded }
};

/// One comparison of `comparisons.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Whose it is.
    pub user: String,
    /// The shared prefix.
    pub prompt_ids: Vec<u32>,
    /// The preferred response with its EOS.
    pub chosen_ids: Vec<u32>,
    /// The other with its EOS.
    pub rejected_ids: Vec<u32>,
}

/// What the comparisons are like.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facts {
    /// Their number.
    pub comparisons: usize,
    /// Mean tokens of a prompt.
    pub prompt_tokens: f64,
    /// Mean tokens of a response.
    pub response_tokens: f64,
    /// True if prompts were filled up with the tokens of other prompts.
    pub lengthened: bool,
}

/// The GGUF file that the model comes from, in the folder of the inputs.
pub const STORED: &str = "stored.gguf";

/// Writes `model/`, `comparisons.jsonl` and `prompts.json` into `folder`, and a copy of the model's GGUF file as [`STORED`].
///
/// # Errors
/// A model or data that cannot be read, too few comparisons, or a file that cannot be written.
pub fn write(
    folder: &Path,
    model: &str,
    data: &[String],
    count: usize,
) -> Result<Facts, TrainError> {
    let target = folder.join("model");
    std::fs::create_dir_all(&target).map_err(|e| TrainError::io(&target, e))?;
    let file = hub::locate(model)?;
    let base = source::open(&file, Dtype::F32, &Device::flex())?;
    let context = base.model.config().max_positions();
    if context < LONGEST {
        let found = format!("a model with a context of {context} tokens");
        let expected = format!("at least {LONGEST}");
        return Err(TrainError::config("model", found, expected));
    }
    if file.extension().is_some_and(|end| end == "gguf") {
        let copy = folder.join(STORED);
        std::fs::copy(&file, &copy).map_err(|e| TrainError::io(&copy, e))?;
    }
    write_safetensors(target.join("model.safetensors"), base.model.export())?;
    let path = target.join("config.json");
    let mut config = base.model.config().to_hf_json();
    config["torch_dtype"] = "float32".into();
    files::replace_file(&path, format!("{config:#}"))?;
    base.tokenizer.save(&target)?;

    let limits = PromptConfig {
        max_prompt_length: 1024,
        ..PromptConfig::default()
    };
    let formatter = Formatter::new(base.tokenizer, limits, 0)?;
    let (records, _) = tldr::read(data, ReadOptions::default())?.read_all()?;
    let mut all = Vec::new();
    for comparison in records.iter().filter_map(tldr::TldrRecord::stated) {
        let user = comparison.user.as_ref().map_or("", |user| user.as_str());
        all.push(row(user, formatter.pair(&comparison)?));
    }
    let tokens: Vec<u32> = all
        .iter()
        .flat_map(|row| &row.prompt_ids)
        .copied()
        .collect();
    let (rows, lengthened) = choose(&all, &tokens, count).ok_or_else(|| TrainError::Empty {
        after: format!("of the {count} comparisons with responses of {RESPONSE:?} tokens"),
    })?;
    write_rows(&folder.join("comparisons.jsonl"), &rows)?;
    let prompts: Vec<&[u32]> = tokens
        .chunks_exact(DECODE_PROMPT)
        .take(DECODE_BATCHES[1])
        .collect();
    if prompts.len() < DECODE_BATCHES[1] {
        let found = format!("prompts of {} tokens in all", tokens.len());
        let expected = format!("{} or more", DECODE_BATCHES[1] * DECODE_PROMPT);
        return Err(TrainError::config("data", found, expected));
    }
    let path = folder.join("prompts.json");
    let text = serde_json::to_string(&prompts).map_err(|e| TrainError::format(&path, e))?;
    files::replace_file(&path, text)?;
    Ok(facts(&rows, lengthened))
}

fn row(user: &str, pair: TokenizedPair) -> Row {
    Row {
        user: user.into(),
        prompt_ids: pair.prompt.ids,
        chosen_ids: pair.chosen,
        rejected_ids: pair.rejected,
    }
}

/// The first `count` comparisons of the wanted lengths; where there are not that many, prompts of [`LENGTHENED`] tokens,
/// cut or filled up in front with `filler`. True if they were.
fn choose(all: &[Row], filler: &[u32], count: usize) -> Option<(Vec<Row>, bool)> {
    let short = |row: &&Row| {
        [&row.chosen_ids, &row.rejected_ids]
            .iter()
            .all(|ids| RESPONSE.contains(&ids.len()))
    };
    let natural = all.iter().filter(short);
    let natural = natural.filter(|row| PROMPT.contains(&row.prompt_ids.len()));
    let natural: Vec<Row> = natural.take(count).cloned().collect();
    if natural.len() == count {
        return Some((natural, false));
    }
    let fill = |row: &Row| {
        let own = &row.prompt_ids[row.prompt_ids.len().saturating_sub(LENGTHENED)..];
        let front = filler.iter().cycle().take(LENGTHENED - own.len());
        let prompt_ids = front.chain(own).copied().collect();
        Row {
            prompt_ids,
            ..row.clone()
        }
    };
    let filled: Vec<Row> = all.iter().filter(short).take(count).map(fill).collect();
    (filled.len() == count && !filler.is_empty()).then_some((filled, true))
}

fn facts(rows: &[Row], lengthened: bool) -> Facts {
    let count = rows.len().max(1) as f64;
    let mean = |length: &dyn Fn(&Row) -> usize| {
        let sum: usize = rows.iter().map(length).sum();
        sum as f64 / count
    };
    Facts {
        comparisons: rows.len(),
        prompt_tokens: mean(&|row| row.prompt_ids.len()),
        response_tokens: mean(&|row| row.chosen_ids.len() + row.rejected_ids.len()) / 2.0,
        lengthened,
    }
}

fn write_rows(path: &Path, rows: &[Row]) -> Result<(), TrainError> {
    let mut text = String::new();
    for row in rows {
        text += &serde_json::to_string(row).map_err(|e| TrainError::format(path, e))?;
        text.push('\n');
    }
    files::replace_file(path, text)
}

/// Reads `comparisons.jsonl`.
///
/// # Errors
/// A file that cannot be read, or a line that is none of ours.
pub fn read_rows(path: &Path) -> Result<Vec<Row>, TrainError> {
    let text = std::fs::read_to_string(path).map_err(|e| TrainError::io(path, e))?;
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .map_err(|e| TrainError::format(path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(prompt: usize, response: usize) -> Row {
        Row {
            user: "u".into(),
            prompt_ids: vec![7; prompt],
            chosen_ids: vec![1; response],
            rejected_ids: vec![2; 20],
        }
    }

    #[test]
    fn comparisons_of_the_wanted_lengths_are_taken_as_they_are() {
        let all = [row(100, 30), row(200, 30), row(200, 60), row(280, 45)];
        let (rows, lengthened) = choose(&all, &[9], 2).unwrap();
        assert_eq!(rows, [all[1].clone(), all[3].clone()]);
        assert!(!lengthened);
        let facts = facts(&rows, lengthened);
        assert_eq!(facts.prompt_tokens, 240.0);
        assert_eq!(facts.response_tokens, (30.0 + 20.0 + 45.0 + 20.0) / 4.0);
    }

    #[test]
    fn short_prompts_are_filled_up_in_front_and_long_ones_cut() {
        let all = [row(3, 30), row(500, 30)];
        let (rows, lengthened) = choose(&all, &[8, 9], 2).unwrap();
        assert!(lengthened);
        assert_eq!(rows[0].prompt_ids.len(), 230);
        assert_eq!(rows[0].prompt_ids[225..], [9, 8, 7, 7, 7]);
        assert_eq!(rows[1].prompt_ids, vec![7; 230]);
        assert!(choose(&all, &[8], 3).is_none());
    }

    #[test]
    fn rows_read_back_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("comparisons.jsonl");
        let rows = [row(3, 4), row(1, 2)];
        write_rows(&path, &rows).unwrap();
        assert_eq!(read_rows(&path).unwrap(), rows);
    }
}
