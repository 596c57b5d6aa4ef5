//! What is odd about texts for a tokenizer and its chat template: trained all the same, but told.

use pref_data::{Comparison, Message, Prompt, TemplateInputs};
use serde_json::Value;

use super::prompt::{Prepared, text_of};
use super::{Formatter, SpecialTokens};
use crate::error::TrainError;

/// Comparisons that are looked at for what takes time.
const LOOKED_AT: usize = 100;

/// Longest example, in characters.
const SHOWN: usize = 60;

/// What well-known chat templates write around messages. Where the model's own tokenizer or template writes it too, it is
/// told as that.
const FOREIGN: [&str; 14] = [
    "[INST]",
    "[/INST]",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<|start_header_id|>",
    "<|eot_id|>",
    "<|endoftext|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|user|>",
    "<|assistant|>",
    "<|end|>",
    INSTRUCTION,
];

/// Alpaca's template, which is usual in raw data of a model without a template.
const INSTRUCTION: &str = "### Instruction:";

/// How often something was seen, and where first.
#[derive(Debug, Default)]
struct Seen {
    count: usize,
    example: String,
}

/// What was seen in the texts.
#[derive(Debug, Default)]
struct Found {
    comparisons: usize,
    /// Prompts that are or are not for the chat template.
    chats: usize,
    raw: Seen,
    /// Special tokens that users spelled, by whether a chat template is used.
    spelled_in_chat: Seen,
    spelled_raw: Seen,
    /// Marks of another model's template.
    foreign: Seen,
    /// Responses that bring what the generation prompt opens.
    opened: Seen,
    /// Responses that do not close it.
    unclosed: Seen,
    /// Responses of which the template leaves something out.
    changed: Seen,
    /// Prompts of which it does.
    prompts: Seen,
    /// Tools, or calls of them, that it does not show.
    tools: Seen,
    /// The first chat: the end of its prompt, and its response.
    cue: String,
    response: String,
}

impl Formatter {
    /// What of these comparisons is probably not meant so, in words and with an example each.
    ///
    /// # Errors
    /// As [`pair`](Self::pair).
    pub fn warnings<'c>(
        &self,
        comparisons: impl Iterator<Item = &'c Comparison>,
    ) -> Result<Vec<String>, TrainError> {
        let mut found = Found::default();
        let marks = self.foreign_marks()?;
        for comparison in comparisons {
            self.look_at(comparison, &marks, &mut found)?;
        }
        Ok(self.told(&found))
    }

    fn look_at(
        &self,
        comparison: &Comparison,
        marks: &[&str],
        found: &mut Found,
    ) -> Result<(), TrainError> {
        let messages = self.messages(&comparison.prompt);
        let is_chat = messages.is_some();
        let responses: Vec<&str> = comparison.responses().into_iter().flatten().collect();
        let spelled = self.spelled(comparison, messages.as_deref())?;
        let foreign = foreign(comparison, messages.as_deref(), marks);
        match (spelled, foreign, is_chat) {
            // Without a template of its own, a model may be trained on any.
            (spelled, Some(example), _) if spelled.is_none() || self.chat.is_some() => {
                found.foreign.add(|| example);
            }
            (Some(example), _, true) => found.spelled_in_chat.add(|| example),
            (Some(example), _, false) => found.spelled_raw.add(|| example),
            (None, _, false) => found.raw.add(|| tail(text_of(&comparison.prompt))),
            (None, _, true) => {}
        }
        found.chats += usize::from(is_chat);
        found.comparisons += 1;
        let opens = self.chat.as_ref().and_then(|chat| chat.turn.opens.as_ref());
        if let (true, Some(tag)) = (is_chat, opens) {
            let own = responses
                .iter()
                .find(|r| r.trim_start().starts_with(tag.as_str()));
            own.inspect(|own| found.opened.add(|| head(own)));
        }
        if is_chat && found.chats <= LOOKED_AT {
            let about = comparison.user_text.as_deref();
            let prompt =
                self.prepare(&comparison.prompt, &comparison.template, about, &responses)?;
            let first = responses.first().copied().unwrap_or_default();
            self.look_at_turn(first, &prompt, found)?;
            look_at_prompt(&prompt, found);
        }
        Ok(())
    }

    /// Looks at what the chat template makes of a response.
    fn look_at_turn(
        &self,
        response: &str,
        prompt: &Prepared,
        found: &mut Found,
    ) -> Result<(), TrainError> {
        if found.response.is_empty() {
            let (ids, _) = self.response(prompt, response)?;
            found.response = tail(&self.tokenizer.decode(&ids, false)?);
            found.cue = tail(&prompt.quotes.restore(&prompt.context));
        }
        let text = self.tokenizer.quote(&prompt.quotes, response)?;
        let opens = self
            .chat
            .as_ref()
            .and_then(|chat| chat.turn.opens.as_deref());
        let written = self.written(prompt, &text);
        if let (None, Some(tag)) = (&written, opens)
            && !text.contains(&tag.replace('<', "</"))
        {
            found.unclosed.add(|| head(response));
        }
        let opens = opens.unwrap_or_default();
        if written.is_some_and(|written| !has_words_of(&format!("{opens}\n{written}"), &text)) {
            found.changed.add(|| head(response));
        }
        Ok(())
    }

    /// The first place at which users spelled a special token, or the template's marks of a turn.
    fn spelled(
        &self,
        comparison: &Comparison,
        messages: Option<&[Message]>,
    ) -> Result<Option<String>, TrainError> {
        for text in texts(comparison, messages) {
            if let Some((_, place)) = self.tokenizer.control_in(text)?.first() {
                return Ok(Some(around(text, place.start)));
            }
            let marks = self.chat.iter().flat_map(|chat| &chat.turn.marks);
            if let Some(at) = marks.filter_map(|mark| text.find(mark.as_str())).min() {
                return Ok(Some(around(text, at)));
            }
        }
        Ok(None)
    }

    /// The marks of well-known templates that neither the tokenizer nor the model's own template has.
    fn foreign_marks(&self) -> Result<Vec<&'static str>, TrainError> {
        let mut own = String::new();
        if let Some(chat) = &self.chat {
            let messages = ["user", "assistant"].map(|role| Message::new(role, "a"));
            let inputs = TemplateInputs::default();
            // A template that refuses these is told where it is used.
            own += &chat.prompt(&messages[..1], &inputs).unwrap_or_default();
            own += &chat.whole(&messages, &inputs).unwrap_or_default();
        }
        let mut marks = Vec::new();
        for mark in FOREIGN {
            let is_usual = mark == INSTRUCTION && self.chat.is_none();
            let is_own = own.contains(mark) || !self.tokenizer.control_in(mark)?.is_empty();
            if !is_usual && !is_own {
                marks.push(mark);
            }
        }
        Ok(marks)
    }

    fn told(&self, found: &Found) -> Vec<String> {
        let mut told = Vec::new();
        if found.chats > 0 {
            self.tell_of_template(found, &mut told);
        }
        let all = found.comparisons;
        if let Some(seen) = found.spelled_in_chat.some() {
            told.push(format!(
                "{} of {all} comparisons spell special tokens or marks of a turn, as in {}: that is text there, for the chat template writes its own; data that are rendered already want prompt.template = \"raw\"",
                seen.count, seen.example
            ));
        }
        if let Some(seen) = found.spelled_raw.some()
            && self.config.special_tokens == SpecialTokens::Parse
        {
            told.push(format!(
                "{} of {all} comparisons spell special tokens or marks of a turn, as in {}: that becomes these tokens where the tokenizer has them; prompt.special_tokens = \"text\" keeps it text",
                seen.count, seen.example
            ));
        }
        if let Some(seen) = found.foreign.some() {
            told.push(format!(
                "{} of {all} comparisons spell marks of another model's chat template, as in {}: that is plain text for this model; give prompts and responses without them, as messages",
                seen.count, seen.example
            ));
        }
        if let Some(seen) = found.raw.some()
            && self.chat.is_some()
        {
            told.push(format!(
                "the model has a chat template, and {} of {all} prompts do not go through it, as in {}: prompt.template = \"chat\" presents them as the model is used to",
                seen.count, seen.example
            ));
        }
        told
    }

    /// What the template itself does otherwise than expected.
    fn tell_of_template(&self, found: &Found, told: &mut Vec<String>) {
        let Some(chat) = &self.chat else {
            return;
        };
        let turn = &chat.turn;
        let name = |id: u32| self.tokenizer.id_to_token(id).unwrap_or_default();
        let eos = name(self.eos);
        let response = &found.response;
        match turn.end_id {
            Some(end) if end != self.eos => told.push(format!(
                "the chat template ends an answer in `{}`, and eos_token is `{eos}`: responses are trained to end as the template says, and end there when generated, as in {response}",
                name(end)
            )),
            None => told.push(format!(
                "the chat template writes no special token behind an answer: eos_token, `{eos}`, is put there, as in {response}"
            )),
            Some(_) => {}
        }
        if !turn.header.trim().is_empty() {
            told.push(format!(
                "the chat template has no generation prompt: what it writes before an answer is put behind prompts, as in {}",
                found.cue
            ));
        }
        let of_first = |seen: &Seen| {
            let looked_at = found.chats.min(LOOKED_AT);
            format!("{} of the first {looked_at}", seen.count)
        };
        if let (Some(seen), Some(tag)) = (found.opened.some(), &turn.opens) {
            told.push(format!(
                "the chat template opens {tag} before an answer, and the responses of {} comparisons bring their own, as in {}; look at it with `prlhf check --show 1`",
                seen.count, seen.example
            ));
        }
        if let (Some(seen), Some(tag)) = (found.unclosed.some(), &turn.opens) {
            told.push(format!(
                "the chat template opens {tag} before an answer, and responses do not close it ({}), as in {}: they are trained as what stands inside",
                of_first(seen),
                seen.example
            ));
        }
        if let Some(seen) = found.changed.some() {
            told.push(format!(
                "the chat template leaves out or changes parts of responses ({}), as in {}",
                of_first(seen),
                seen.example
            ));
        }
        if let Some(seen) = found.prompts.some() {
            told.push(format!(
                "the chat template leaves out or changes messages of prompts ({}), as in {}",
                of_first(seen),
                seen.example
            ));
        }
        if let Some(seen) = found.tools.some() {
            told.push(format!(
                "the chat template does not show tools, or calls of them ({} comparisons), such as {}",
                of_first(seen),
                seen.example
            ));
        }
    }
}

/// Looks at what the chat template makes of the messages that fit, and of tools.
fn look_at_prompt(prompt: &Prepared, found: &mut Found) {
    let messages = prompt.messages.iter().flatten();
    let restored = |text: &str| prompt.quotes.restore(text);
    // Templates may write what a tool says in a notation of their own.
    let lost = |message: &&Message| {
        message.role() != "tool" && !holds_words_of(&prompt.context, &message.content())
    };
    if let Some(message) = messages.clone().find(lost) {
        let example = || head(&restored(&message.content()));
        found.prompts.add(example);
    }
    let calls = messages.filter_map(|message| message.fields().get("tool_calls"));
    let mut tools = calls
        .chain(&prompt.template.tools)
        .filter_map(Value::as_array);
    let lost = tools.find_map(|tools| {
        let mut names = tools.iter().filter_map(name_of_tool);
        names.find(|name| !prompt.context.contains(name))
    });
    if let Some(name) = lost {
        found.tools.add(|| head(&restored(name)));
    }
}

/// The name of a function that may be called, or is.
fn name_of_tool(tool: &Value) -> Option<&str> {
    tool.get("function").unwrap_or(tool).get("name")?.as_str()
}

impl Seen {
    fn add(&mut self, example: impl FnOnce() -> String) {
        if self.count == 0 {
            self.example = example();
        }
        self.count += 1;
    }

    fn some(&self) -> Option<&Self> {
        (self.count > 0).then_some(self)
    }
}

/// All that users wrote of a comparison.
fn texts<'t>(
    comparison: &'t Comparison,
    messages: Option<&'t [Message]>,
) -> impl Iterator<Item = &'t str> {
    let raw = match &comparison.prompt {
        Prompt::Text(text) if messages.is_none() => Some(text.as_str()),
        _ => None,
    };
    let contents = messages.unwrap_or_default().iter().flat_map(Message::texts);
    let others = comparison.responses().into_iter().flatten();
    let texts = contents.chain(raw).chain(others);
    texts.chain(comparison.user_text.as_deref())
}

/// The first place at which one of these marks stands.
fn foreign(
    comparison: &Comparison,
    messages: Option<&[Message]>,
    marks: &[&str],
) -> Option<String> {
    texts(comparison, messages).find_map(|text| {
        let at = marks.iter().filter_map(|mark| text.find(mark)).min()?;
        Some(around(text, at))
    })
}

/// Whether all words of `text` stand in `written`, in their order.
fn has_words_of(written: &str, text: &str) -> bool {
    let mut words = written.split_whitespace();
    text.split_whitespace()
        .all(|word| words.any(|other| other == word))
}

/// Whether all words of `text` stand in `written`, in their order, also within its words.
fn holds_words_of(written: &str, text: &str) -> bool {
    let mut rest = written;
    text.split_whitespace().all(|word| {
        let at = rest.find(word).map(|at| at + word.len());
        rest = &rest[at.unwrap_or_default()..];
        at.is_some()
    })
}

/// The beginning of a text, in quotes, control characters escaped.
fn head(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    let more = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown:?}{more}")
}

/// The end of a text, in quotes, control characters escaped.
fn tail(text: &str) -> String {
    let skipped = text.chars().count().saturating_sub(SHOWN);
    let shown: String = text.chars().skip(skipped).collect();
    let more = if skipped > 0 { "..." } else { "" };
    format!("{more}{shown:?}")
}

/// A text from a little before a place on.
fn around(text: &str, at: usize) -> String {
    let before = text[..at].char_indices().rev().take(SHOWN / 3);
    let from = before.last().map_or(at, |(from, _)| from);
    head(&text[from..])
}
