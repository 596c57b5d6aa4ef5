//! PRISM as LoRe prepares it (`train.parquet` and `test.parquet` of its `PRISM/prepare.py`): a record is one turn, with what was said
//! before in `prompt`, and in `extra_info` who judged, the chosen response and all rejected ones. The survey is not in it.

use super::{Json, Judged};
use crate::comparison::Prompt;
use crate::error::DataError;
use crate::general::{Said, said};
use crate::prism::is_empty;
use crate::records::Fields;

pub(super) const FIELDS: &[&str] = &["data_source", "prompt", "reward_model", "extra_info"];

pub(super) fn wanted(name: &str) -> bool {
    ["prompt", "extra_info"].contains(&name)
}

pub(super) fn decode(fields: &Fields) -> Result<Judged, DataError> {
    const NO_CHOSEN: &str = "turn without a chosen response";
    const NO_REJECTED: &str = "turn without a rejected response";
    const EMPTY: &str = "empty rejected response";
    let Some(Said::Chat(messages)) = said(fields, "prompt")? else {
        return Err(fields.wrong("prompt", "a list of messages"));
    };
    let extra = fields.object("extra_info")?;
    let (user, dialogue) = (extra.name("user_id")?, extra.name("dialog_id")?);
    let mut judged = Judged::new(fields);
    let chosen = extra.optional_text("chosen_utterance")?;
    let Some(chosen) = chosen.filter(|text| !is_empty(text)) else {
        judged.left_out.push(NO_CHOSEN);
        return Ok(judged);
    };
    let rejected = match extra.get("rejected_utterance") {
        None => &[][..],
        Some(_) => extra.list("rejected_utterance")?,
    };
    if rejected.is_empty() {
        judged.left_out.push(NO_REJECTED);
    }
    for response in rejected {
        match response {
            Json::Text(text) if !is_empty(text) => {
                let prompt = Prompt::Chat(messages.clone());
                judged.add(Some(&user), prompt, Some(&dialogue), [&chosen, text]);
            }
            Json::Text(_) | Json::Null => judged.left_out.push(EMPTY),
            _ => return Err(extra.wrong("rejected_utterance", "a list of texts")),
        }
    }
    Ok(judged)
}
