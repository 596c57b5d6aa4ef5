//! Chat templates: Jinja as `transformers` runs it (`apply_chat_template`).

mod functions;
mod python_json;

use minijinja::{Environment, ErrorKind, Value, context};
use serde_json::Map;

/// Why a chat could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The template is not Jinja, or uses something unknown.
    #[error("chat template: line {line}: {message}")]
    Template {
        /// The line in the template, from 1; 0 if unknown.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The template itself refused the messages (`raise_exception`).
    #[error("chat template: the messages were refused: {message}")]
    Refused {
        /// The template's own words.
        message: String,
    },
}

/// What a template is given.
#[derive(Debug, Clone, Copy)]
pub struct ChatInputs<'a> {
    /// The messages, each with all its fields in their order.
    pub messages: &'a [&'a Map<String, serde_json::Value>],
    /// The functions that may be called.
    pub tools: Option<&'a serde_json::Value>,
    /// Further variables.
    pub variables: &'a Map<String, serde_json::Value>,
    /// Whether the text ends where an answer begins.
    pub add_generation_prompt: bool,
}

/// A compiled chat template with the special tokens it may name.
#[derive(Debug, Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: Option<String>,
    eos_token: Option<String>,
}

const NAME: &str = "chat_template";

impl ChatTemplate {
    /// Compiles a template. The tokens are what `bos_token` and `eos_token` stand for in it.
    ///
    /// # Errors
    ///
    /// [`ChatError::Template`] if it is not valid.
    pub fn new(
        source: impl Into<String>,
        bos_token: Option<&str>,
        eos_token: Option<&str>,
    ) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        functions::add(&mut environment, functions::now());
        environment
            .add_template_owned(NAME, source.into())
            .map_err(|error| chat_error(&error))?;
        Ok(Self {
            environment,
            bos_token: bos_token.map(str::to_owned),
            eos_token: eos_token.map(str::to_owned),
        })
    }

    /// Sets the time that `strftime_now` tells (seconds since 1970; it is shown in UTC), so that a rendering can be
    /// repeated. Without it, it is the time at which the template was compiled.
    #[must_use]
    pub fn with_clock(mut self, unix_seconds: u64) -> Self {
        functions::add(&mut self.environment, unix_seconds);
        self
    }

    /// Renders `(role, content)` messages; with `add_generation_prompt` the text ends where an answer begins.
    ///
    /// # Errors
    ///
    /// [`ChatError`] if the template refuses the messages or fails.
    pub fn render<R: AsRef<str>, C: AsRef<str>>(
        &self,
        messages: &[(R, C)],
        add_generation_prompt: bool,
    ) -> Result<String, ChatError> {
        let fields = |(role, content): &(R, C)| {
            let text = |text: &str| serde_json::Value::String(text.to_owned());
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

    /// Renders messages with all that a template may be given.
    ///
    /// # Errors
    ///
    /// [`ChatError`] if the template refuses the messages or fails.
    pub fn render_with(&self, inputs: &ChatInputs<'_>) -> Result<String, ChatError> {
        // A special token that does not exist is left undefined, as `transformers` does.
        let token = |token: &Option<String>| match token {
            Some(token) => Value::from(token.as_str()),
            None => Value::UNDEFINED,
        };
        let given = context! {
            messages => inputs.messages,
            add_generation_prompt => inputs.add_generation_prompt,
            bos_token => token(&self.bos_token),
            eos_token => token(&self.eos_token),
            tools => inputs.tools,
            documents => Value::from(()),
        };
        let variables = Value::from_serialize(inputs.variables);
        self.environment
            .get_template(NAME)
            .and_then(|template| template.render(context! { ..variables, ..given }))
            .map_err(|error| chat_error(&error))
    }
}

/// Sorts an error of the template engine into ours.
fn chat_error(error: &minijinja::Error) -> ChatError {
    let message = error
        .detail()
        .map_or_else(|| error.to_string(), str::to_owned);
    match (error.kind(), message.strip_prefix(functions::REFUSAL)) {
        (ErrorKind::InvalidOperation, Some(words)) => ChatError::Refused {
            message: words.to_owned(),
        },
        (kind, _) => ChatError::Template {
            line: error.line().unwrap_or(0),
            message: format!("{kind}: {message}"),
        },
    }
}

#[cfg(test)]
mod tests;
