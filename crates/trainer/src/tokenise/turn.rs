//! How a chat template writes an answer: what it puts before it and behind it.

use llm_backbone::chat::{ChatError, ChatInputs, ChatTemplate};
use llm_backbone::tokenizer::{Tokenizer, TokenizerError};
use pref_data::{Message, TemplateInputs};

use crate::error::TrainError;

/// A question and an answer that no template holds.
const QUESTION: &str = "zqxquestionxqz";
const ANSWER: &str = "zqxanswerxqz";

/// Shorter ones, in bytes, stand in texts by chance.
const SHORTEST_MARK: usize = 5;

/// A chat template and what it does to an answer.
#[derive(Clone, Debug)]
pub(super) struct Chat {
    template: ChatTemplate,
    pub(super) turn: Turn,
}

/// What a chat template writes around an assistant's turn, as it is seen to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// What stands before an answer where the template has no generation prompt, without trailing spaces: those belong to
    /// the answer.
    pub(super) header: String,
    /// All that stands behind an answer at the end of a chat.
    pub(super) behind: String,
    /// What a response is trained to end in: the end of turn, with the white space behind it where its ids say no more. Where the template writes no
    /// special token behind an answer, EOS comes after it.
    pub(super) end: String,
    /// The end of turn; none where there is none, and EOS ends a response.
    pub(super) end_id: Option<u32>,
    /// A tag such as `<think>` that the generation prompt opens.
    pub(super) opens: Option<String>,
    /// What stands before an answer and behind a question: who finds it in data finds a rendered chat.
    pub(super) marks: Vec<String>,
}

impl Chat {
    /// The chat template of a tokenizer, if it has one. What the template writes around messages counts as special from
    /// then on.
    ///
    /// # Errors
    /// Added tokens that make no automaton.
    pub(super) fn of(tokenizer: Tokenizer) -> Result<(Tokenizer, Option<Self>), TrainError> {
        let Some(template) = tokenizer.chat() else {
            return Ok((tokenizer, None));
        };
        let probe = Probe::of(&template);
        let tokenizer = tokenizer
            .with_control(&probe.around_question())?
            .with_control(probe.behind())?;
        let turn = Turn::of(&probe, &tokenizer)?;
        Ok((tokenizer, Some(Self { template, turn })))
    }

    pub(super) fn with_clock(self, unix_seconds: u64) -> Self {
        let template = self.template.with_clock(unix_seconds);
        Self { template, ..self }
    }

    /// Fails if the template is not valid.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), ChatError> {
        self.template.check()
    }

    /// The text of a chat as it stands.
    pub(super) fn whole(
        &self,
        messages: &[Message],
        inputs: &TemplateInputs,
    ) -> Result<String, ChatError> {
        render(&self.template, messages, inputs, false)
    }

    /// The text of a chat up to where an answer begins.
    pub(super) fn prompt(
        &self,
        messages: &[Message],
        inputs: &TemplateInputs,
    ) -> Result<String, ChatError> {
        let mut text = render(&self.template, messages, inputs, true)?;
        text += &self.turn.header;
        Ok(text)
    }
}

fn render(
    template: &ChatTemplate,
    messages: &[Message],
    inputs: &TemplateInputs,
    add_generation_prompt: bool,
) -> Result<String, ChatError> {
    let messages: Vec<_> = messages.iter().map(Message::fields).collect();
    template.render_with(&ChatInputs {
        messages: &messages,
        tools: inputs.tools.as_ref(),
        variables: &inputs.chat_template_kwargs,
        add_generation_prompt,
    })
}

/// One question and one answer, rendered in every way; empty where the template refuses.
#[derive(Debug, Default)]
struct Probe {
    question: String,
    prompt: String,
    answered: String,
    /// With another question behind.
    continued: String,
}

impl Probe {
    fn of(template: &ChatTemplate) -> Self {
        let chat = [
            Message::new("user", QUESTION),
            Message::new("assistant", ANSWER),
            Message::new("user", "And then?"),
        ];
        let none = TemplateInputs::default();
        let made = |messages, generation_prompt| {
            render(template, messages, &none, generation_prompt).unwrap_or_default()
        };
        Self {
            question: made(&chat[..1], false),
            prompt: made(&chat[..1], true),
            answered: made(&chat[..2], false),
            continued: made(&chat, false),
        }
    }

    /// What stands right around a user's message: on its line and the one before. A default system message may speak of
    /// other tokens, such as `<think>`, which are for answers to write.
    fn around_question(&self) -> String {
        let (before, behind) = self.question.split_once(QUESTION).unwrap_or_default();
        let mut lines: Vec<&str> = before.rsplit('\n').take(2).collect();
        lines.extend(behind.lines().next());
        lines.join("\n")
    }

    /// What stands behind an answer.
    fn behind(&self) -> &str {
        self.answered
            .rsplit_once(ANSWER)
            .map_or("", |(_, behind)| behind)
    }

    /// What asking for a generation prompt adds.
    fn generation_prompt(&self) -> &str {
        self.prompt.strip_prefix(&self.question).unwrap_or_default()
    }

    fn marks(&self) -> Vec<String> {
        let behind_question = self.question.rsplit_once(QUESTION).map_or("", |(_, b)| b);
        let marks = [behind_question, self.before(), self.generation_prompt()];
        let marks = marks.map(str::trim).into_iter();
        marks
            .filter(|mark| mark.len() >= SHORTEST_MARK)
            .map(String::from)
            .collect()
    }

    /// What stands before an answer and is no part of the chat so far.
    fn before(&self) -> &str {
        let turn = self.answered.strip_prefix(&self.question);
        turn.and_then(|turn| turn.split_once(ANSWER))
            .map_or("", |(before, _)| before)
    }
}

impl Turn {
    fn of(probe: &Probe, tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        let has_generation_prompt = probe.prompt != probe.question;
        let behind = probe.behind();
        let (end, end_id) = end(probe, tokenizer)?;
        let header = match has_generation_prompt {
            true => "",
            false => probe.before().trim_end_matches(' '),
        };
        Ok(Self {
            header: header.into(),
            behind: behind.into(),
            end,
            end_id,
            opens: opened(probe.generation_prompt(), tokenizer)?,
            marks: probe.marks(),
        })
    }
}

/// What ends an answer wherever it stands in a chat, and its last special token. What a template writes at the end of a
/// chat alone, such as EOS behind the end of the last turn, is none of it.
fn end(probe: &Probe, tokenizer: &Tokenizer) -> Result<(String, Option<u32>), TokenizerError> {
    let behind = probe.behind();
    let control = tokenizer.control_in(behind)?;
    let within = match probe.continued.split_once(ANSWER) {
        Some((_, then)) => common(behind, then),
        // Refused: up to the first special token.
        None => control.first().map_or(0, |(_, place)| place.end),
    };
    let mut whole = control.iter().filter(|(_, place)| place.end <= within);
    // Some end the last turn in a token of its own.
    let own = || {
        let first = control.first();
        first.filter(|(_, place)| behind[..place.start].trim().is_empty())
    };
    let Some((id, place)) = whole.next_back().or_else(own) else {
        let cut = control.iter().find(|(_, place)| place.start < within);
        let within = cut.map_or(within, |(_, place)| place.start);
        return Ok((behind[..within].trim_end().to_owned(), None));
    };
    let rest = &behind[place.end..];
    let space = rest.len() - rest.trim_start().len();
    let end = &behind[..place.end + space];
    // Some tokenizers put a space of their own between the two.
    let end = match says(tokenizer, &end[place.start..])? {
        true => end,
        false => &end[..place.end],
    };
    Ok((end.to_owned(), Some(*id)))
}

/// How many bytes of two texts are equal from their start on, in whole characters.
fn common(a: &str, b: &str) -> usize {
    let both = a.chars().zip(b.chars());
    both.take_while(|(a, b)| a == b)
        .map(|(a, _)| a.len_utf8())
        .sum()
}

/// Whether the ids of a text say that text.
fn says(tokenizer: &Tokenizer, text: &str) -> Result<bool, TokenizerError> {
    let ids = tokenizer.encode(text, true)?;
    Ok(tokenizer.decode(&ids, false)? == text)
}

/// The tag at the end of a generation prompt, if it is none of the template's marks of a turn.
fn opened(
    generation_prompt: &str,
    tokenizer: &Tokenizer,
) -> Result<Option<String>, TokenizerError> {
    let text = generation_prompt.trim_end();
    let tag = text.rfind('<').map(|at| &text[at..]);
    let is_tag = |tag: &&str| tag.ends_with('>') && !tag.contains(['|', '/', '\u{ff5c}']);
    let Some(tag) = tag.filter(is_tag) else {
        return Ok(None);
    };
    let is_mark = !tokenizer.control_in(tag)?.is_empty() && !tag.contains("think");
    Ok((!is_mark).then(|| tag.to_owned()))
}
