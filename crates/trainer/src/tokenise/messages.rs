//! What is left of a chat that is too long.

use llm_backbone::tokenizer::{Quotes, Specials};
use pref_data::{Message, TemplateInputs};

use super::prompt::Fitted;
use super::{Formatter, fit};
use crate::error::TrainError;

/// A question that is too long by itself leaves a system message this part of the room.
const SYSTEM_SHARE: usize = 4;

/// Makes chats fit.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    formatter: &'a Formatter,
    template: &'a TemplateInputs,
    quotes: &'a Quotes,
    budget: usize,
}

/// A chat in text and ids.
struct Made {
    text: String,
    ids: Vec<u32>,
}

/// A chat that fits, or what is left of one that does not.
type Shortened = Result<(Vec<Message>, Made), Vec<Message>>;

impl<'a> Messages<'a> {
    pub(super) fn new(
        formatter: &'a Formatter,
        template: &'a TemplateInputs,
        quotes: &'a Quotes,
        budget: usize,
    ) -> Self {
        Self {
            formatter,
            template,
            quotes,
            budget,
        }
    }

    /// The chat as it is, or what fits of it: without its oldest turns, then with less of its system message, then of the
    /// last turn what stands around the question, and at last with less of the question.
    pub(super) fn fit(&self, messages: Vec<Message>) -> Result<Fitted, TrainError> {
        if let Some(whole) = self.fitting(&messages)? {
            return Ok(fitted(messages, whole, false));
        }
        let turns = usize::from(messages.first().is_some_and(is_system));
        let starts = starts(&messages, turns);
        let from = |i: usize| [&messages[..turns], &messages[starts[i]..]].concat();
        let kept = fit::longest(starts.len(), |i| self.fitting(&from(i)))?;
        if let Some((i, made)) = kept {
            return Ok(fitted(from(i), made, true));
        }
        let last = starts.len().saturating_sub(1);
        self.shorten(
            if starts.is_empty() {
                messages
            } else {
                from(last)
            },
            turns,
        )
    }

    /// Shortens a chat of one turn.
    fn shorten(&self, mut messages: Vec<Message>, turns: usize) -> Result<Fitted, TrainError> {
        if turns == 1 {
            let (system, made) = self.shortened(&messages, 0, true)?;
            if let Some(made) = made {
                messages[0].set_content(system);
                return Ok(fitted(messages, made, true));
            }
            let system = self.share(&messages[0].content())?;
            messages[0].set_content(system);
        }
        let is_user = |message: &Message| message.role() == "user";
        let question = messages.iter().rposition(is_user);
        let question = question.unwrap_or(messages.len().saturating_sub(1));
        let mut messages = match self.without_oldest(&messages, question)? {
            Ok((messages, made)) => return Ok(fitted(messages, made, true)),
            Err(messages) => messages,
        };
        let (text, made) = self.shortened(&messages, question, false)?;
        messages[question].set_content(text);
        let made = match made {
            Some(made) => made,
            None => self.made(&messages)?,
        };
        let formatter = self.formatter;
        let room = formatter.config.max_prompt_length - formatter.user_tokens;
        if made.ids.len() > room {
            return Err(TrainError::NoRoom {
                found: formatter.config.max_prompt_length,
                needed: made.ids.len() + formatter.user_tokens,
            });
        }
        Ok(fitted(messages, made, true))
    }

    /// The chat without the oldest messages behind the question; the oldest that is left loses its beginning if more of it does
    /// not fit. If the question does not fit even without any of them: the question without them, or with empty ones where
    /// the template wants them.
    fn without_oldest(
        &self,
        messages: &[Message],
        question: usize,
    ) -> Result<Shortened, TrainError> {
        let behind = question + 1;
        let from = |at: usize| [&messages[..behind], &messages[at..]].concat();
        let count = messages.len() - behind + 1;
        let kept = fit::longest(count, |i| self.accepted(&from(behind + i)))?;
        let Some((dropped, made)) = kept else {
            let alone = from(messages.len());
            return match self.accepts(&alone)? {
                true => Ok(Err(alone)),
                false => Ok(Err(emptied(messages, behind))),
            };
        };
        if dropped > 0 {
            let mut more = from(behind + dropped - 1);
            if self.accepts(&more)?
                && let (text, Some(made)) = self.shortened(&more, behind, false)?
            {
                more[behind].set_content(text);
                return Ok(Ok((more, made)));
            }
        }
        Ok(Ok((from(behind + dropped), made)))
    }

    /// As [`fitting`](Self::fitting); a chat that the template refuses does not fit.
    fn accepted(&self, messages: &[Message]) -> Result<Option<Made>, TrainError> {
        match self.fitting(messages) {
            Err(TrainError::Chat(error)) if error.is_of_messages() => Ok(None),
            made => made,
        }
    }

    /// Whether the template takes these messages, however long.
    fn accepts(&self, messages: &[Message]) -> Result<bool, TrainError> {
        match self.text(messages) {
            Ok(_) => Ok(true),
            Err(TrainError::Chat(error)) if error.is_of_messages() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The longest text of one message with which the chat fits; empty, with nothing made, if it does not fit without it.
    fn shortened(
        &self,
        messages: &[Message],
        at: usize,
        keeps_beginning: bool,
    ) -> Result<(String, Option<Made>), TrainError> {
        let mut chat = messages.to_vec();
        let text = messages[at].content();
        let made = |text: &str| {
            chat[at].set_content(text);
            self.fitting(&chat)
        };
        let (text, made) = match keeps_beginning {
            true => fit::beginning(&text, made)?,
            false => fit::end(&text, made)?,
        };
        Ok((text.to_owned(), made))
    }

    /// What a system message keeps beside a question that is too long.
    fn share(&self, text: &str) -> Result<String, TrainError> {
        let most = self.budget / SYSTEM_SHARE;
        let fits = |text: &str| fit::whole(text, most, |text| self.ids(text));
        if fits(text)?.is_some() {
            return Ok(text.to_owned());
        }
        Ok(fit::beginning(text, fits)?.0.to_owned())
    }

    fn fitting(&self, messages: &[Message]) -> Result<Option<Made>, TrainError> {
        let text = self.text(messages)?;
        let ids = fit::whole(&text, self.budget, |text| self.ids(text))?;
        Ok(ids.map(|ids| Made { text, ids }))
    }

    fn made(&self, messages: &[Message]) -> Result<Made, TrainError> {
        let text = self.text(messages)?;
        let ids = self.ids(&text)?;
        Ok(Made { text, ids })
    }

    fn text(&self, messages: &[Message]) -> Result<String, TrainError> {
        let chat = self.formatter.chat.as_ref();
        let chat = chat.ok_or(TrainError::NoChatTemplate)?;
        Ok(chat.prompt(messages, self.template)?)
    }

    fn ids(&self, text: &str) -> Result<Vec<u32>, TrainError> {
        let specials = Specials::Unquoted(self.quotes);
        Ok(self.formatter.tokenizer.encode_as(text, specials)?)
    }
}

fn fitted(messages: Vec<Message>, made: Made, cut: bool) -> Fitted {
    Fitted {
        text: made.text,
        ids: made.ids,
        messages: Some(messages),
        cut,
    }
}

/// The same with nothing in the messages from a place on.
fn emptied(messages: &[Message], from: usize) -> Vec<Message> {
    let mut messages = messages.to_vec();
    for message in &mut messages[from..] {
        message.set_content("");
    }
    messages
}

fn is_system(message: &Message) -> bool {
    matches!(message.role(), "system" | "developer")
}

/// Where a chat may begin: at a user's message, for many templates refuse one that begins with an answer; without any, at
/// the last message.
fn starts(messages: &[Message], turns: usize) -> Vec<usize> {
    let all = turns..messages.len();
    let users: Vec<usize> = all
        .clone()
        .filter(|i| messages[*i].role() == "user")
        .collect();
    match users.is_empty() {
        true => all.last().into_iter().collect(),
        false => users,
    }
}
