//! Chat templates: Jinja as `transformers` runs it (`apply_chat_template`), by the crate `chat-template`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chat_template::{ErrorKind, Limits, Template, Variable};
use serde_json::{Map, Value};

/// Why a chat could not be rendered.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The template is no Jinja, or too large or too deeply nested.
    #[error("{template}: line {line}: {message}")]
    Template {
        /// `chat template`, with its file where that is known.
        template: String,
        /// The line in the template, from 1; 0 if unknown.
        line: u32,
        /// What is wrong.
        message: String,
    },
    /// The template itself refused the messages (`raise_exception`).
    #[error("chat template: the messages were refused: {message}")]
    Refused {
        /// The template's own words.
        message: String,
    },
    /// The template takes too long or too much memory, as it probably does for other messages too.
    #[error("{template}: line {line}: {message}")]
    Exhausted {
        /// `chat template`, with its file where that is known.
        template: String,
        /// The line in the template, from 1; 0 if unknown.
        line: u32,
        /// What is wrong.
        message: String,
    },
    /// The template cannot do with these messages what it wants to.
    #[error("{template}: line {line}: {message}")]
    Failed {
        /// `chat template`, with its file where that is known.
        template: String,
        /// The line in the template, from 1; 0 if unknown.
        line: u32,
        /// What is wrong.
        message: String,
    },
}

impl ChatError {
    /// Whether other messages may be rendered all the same, at little cost.
    pub fn is_of_messages(&self) -> bool {
        !matches!(self, Self::Template { .. } | Self::Exhausted { .. })
    }
}

/// What a template is given.
#[derive(Debug, Clone, Copy)]
pub struct ChatInputs<'a> {
    /// The messages, each with all its fields in their order.
    pub messages: &'a [&'a Map<String, Value>],
    /// The functions that may be called.
    pub tools: Option<&'a Value>,
    /// Further variables.
    pub variables: &'a Map<String, Value>,
    /// Whether the text ends where an answer begins.
    pub add_generation_prompt: bool,
}

/// What belongs to a model's chat template beside its source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// The file that holds it.
    pub(crate) file: Option<PathBuf>,
    /// The template for chats with tools, where it is another.
    pub(crate) tool_use: Option<String>,
    /// Further special tokens by the names that templates know, such as `pad_token`.
    pub(crate) tokens: Vec<(&'static str, String)>,
}

/// A chat template with the special tokens it may name. One that is not valid says so when it is used: nobody may need it.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    template: Read,
    /// For chats with tools.
    tool_use: Option<Read>,
    tokens: Vec<(&'static str, String)>,
    /// The file that holds it.
    file: Option<PathBuf>,
    /// Seconds since 1970.
    clock: u64,
}

type Read = Result<Arc<Template>, chat_template::Error>;

/// A chat may be that many times as large as its messages, beyond what any template may make.
const BYTES_PER_BYTE: u64 = 64;

impl ChatTemplate {
    /// A template. The tokens are what `bos_token` and `eos_token` stand for in it. What is wrong with it is told by
    /// [`check`](Self::check) and by whoever renders.
    pub fn new(source: &str, bos_token: Option<&str>, eos_token: Option<&str>) -> Self {
        // A special token that does not exist is left undefined, as `transformers` does.
        let tokens = [("bos_token", bos_token), ("eos_token", eos_token)];
        let tokens = tokens.into_iter();
        Self {
            template: read(source),
            tool_use: None,
            tokens: tokens
                .filter_map(|(name, token)| Some((name, token?.to_owned())))
                .collect(),
            file: None,
            clock: now(),
        }
    }

    /// The same with what else belongs to it.
    pub(crate) fn with_extras(mut self, extras: &Extras) -> Self {
        self.file.clone_from(&extras.file);
        self.tool_use = extras.tool_use.as_deref().map(read);
        self.tokens.extend(extras.tokens.iter().cloned());
        self
    }

    /// Whether it can be used at all.
    ///
    /// # Errors
    ///
    /// [`ChatError::Template`] if it is not valid.
    pub fn check(&self) -> Result<(), ChatError> {
        let template = self.template.as_ref().map(drop);
        template.map_err(|error| self.error(error))
    }

    /// Sets the time that `strftime_now` tells (seconds since 1970; it is shown in UTC), so that a rendering can be
    /// repeated. Without it, it is the time at which the template was read.
    #[must_use]
    pub fn with_clock(mut self, unix_seconds: u64) -> Self {
        self.clock = unix_seconds;
        self
    }

    /// Renders `(role, content)` messages; with `add_generation_prompt` the text ends where an answer begins.
    ///
    /// # Errors
    ///
    /// As [`render_with`](Self::render_with).
    pub fn render<R: AsRef<str>, C: AsRef<str>>(
        &self,
        messages: &[(R, C)],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let fields = |(role, content): &(R, C)| {
            let text = |text: &str| Value::String(text.to_owned());
            let fields = [
                ("role", text(role.as_ref())),
                ("content", text(content.as_ref())),
            ];
            Map::from_iter(fields.map(|(name, value)| (name.to_owned(), value)))
        };
        let messages: Vec<_> = messages.iter().map(fields).collect();
        self.render_with(&ChatInputs {
            messages: &messages.iter().collect::<Vec<_>>(),
            tools: None,
            variables: &Map::new(),
            add_generation_prompt,
        })
    }

    /// Renders messages with all that a template may be given. Contents in parts of text, and null beside `tool_calls`, are given
    /// as they are; a template that knows only texts gets a text.
    ///
    /// # Errors
    ///
    /// [`ChatError`] if the template is not valid, refuses the messages, or fails.
    pub fn render_with(&self, inputs: &ChatInputs<'_>) -> Result<String, ChatError> {
        let is_text = |message: &&Map<String, Value>| match message.get("content") {
            None | Some(Value::Array(_) | Value::Null) => false,
            Some(_) => true,
        };
        let rendered = self.rendered(inputs);
        if inputs.messages.iter().all(is_text) {
            return rendered;
        }
        match rendered {
            // A list that a template takes for a text is shown as Python writes it.
            Ok(text) if !text.contains("{'type': 'text'") => return Ok(text),
            Err(error) if !error.is_of_messages() => return Err(error),
            _ => {}
        }
        let texts = inputs.messages.iter().map(|message| with_text(message));
        let texts: Vec<_> = texts.collect();
        self.rendered(&ChatInputs {
            messages: &texts.iter().collect::<Vec<_>>(),
            ..*inputs
        })
    }

    fn rendered(&self, inputs: &ChatInputs<'_>) -> Result<String, ChatError> {
        let template = match (&self.tool_use, inputs.tools) {
            (Some(template), Some(_)) => template,
            _ => &self.template,
        };
        let template = template.as_ref().map_err(|error| self.error(error))?;
        let tokens = self.tokens.iter();
        let mut variables: Vec<_> = tokens
            .map(|(name, token)| (*name, Variable::Text(token)))
            .collect();
        variables.push(("documents", Variable::None));
        let further = inputs.variables.iter();
        variables.extend(further.map(|(name, value)| (name.as_str(), Variable::Json(value))));
        variables.extend([
            ("messages", Variable::Objects(inputs.messages)),
            ("tools", inputs.tools.map_or(Variable::None, Variable::Json)),
            (
                "add_generation_prompt",
                Variable::Bool(inputs.add_generation_prompt),
            ),
        ]);
        let size = inputs
            .messages
            .iter()
            .map(|message| size(message))
            .sum::<u64>();
        let usual = Limits::default();
        let limits = Limits {
            bytes: usual
                .bytes
                .saturating_add(size.saturating_mul(BYTES_PER_BYTE)),
            ..usual
        };
        let text = template.render(&variables, self.clock, limits);
        text.map_err(|error| self.error(&error))
    }

    /// Sorts an error of the template into ours.
    fn error(&self, error: &chat_template::Error) -> ChatError {
        let (line, message) = (error.line, error.message.clone());
        let template = match &self.file {
            Some(file) => format!("chat template of {}", file.display()),
            None => "chat template".into(),
        };
        match error.kind {
            ErrorKind::Syntax => ChatError::Template {
                template,
                line,
                message,
            },
            ErrorKind::Refused => ChatError::Refused { message },
            ErrorKind::Exhausted => ChatError::Exhausted {
                template,
                line,
                message,
            },
            _ => ChatError::Failed {
                template,
                line,
                message,
            },
        }
    }
}

fn read(source: &str) -> Read {
    Template::new(source).map(Arc::new)
}

/// The bytes of the texts at the top of a message.
fn size(message: &Map<String, Value>) -> u64 {
    let texts = message.values().filter_map(Value::as_str);
    texts.map(|text| text.len() as u64).sum()
}

/// A message whose content is one text.
fn with_text(message: &Map<String, Value>) -> Map<String, Value> {
    let text = |part: &Value| match part {
        Value::String(text) => Some(text.clone()),
        part => part.get("text")?.as_str().map(str::to_owned),
    };
    let mut message = message.clone();
    let content = message.entry("content").or_insert(Value::Null);
    match content {
        Value::Array(parts) => *content = Value::String(parts.iter().filter_map(text).collect()),
        Value::Null => *content = Value::String(String::new()),
        _ => {}
    }
    message
}

/// Seconds since 1970; 0 on a machine whose clock is before that.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
