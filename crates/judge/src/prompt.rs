//! A file of prompts: what is said to the judge, as templates.
//!
//! ```toml
//! fields = ["instruction", "preference"]   # every item has these
//! optional = ["history"]                   # none where an item lacks it
//! system = "..."                           # Jinja; may be left out
//! user = "... {{ instruction }} ... {{ output_a }} ... {{ output_b }} ... {{ verdict.marker }}"
//! [verdict]
//! marker = "Verdict:"
//! first = "Output (a)"
//! second = "Output (b)"
//! tie = "TIE"
//! ```
//!
//! Beside the fields, a template may use `output_a`, `output_b` and `verdict`. A list is never printed as such: a
//! template has to loop over it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Deserialize;

use crate::chat::Message;
use crate::error::JudgeError;
use crate::outcome::Item;
use crate::verdict::Labels;

/// What a template may use beside the fields of its file.
const GIVEN: [&str; 3] = ["output_a", "output_b", "verdict"];
const TEMPLATES: [&str; 2] = ["system", "user"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    fields: Vec<String>,
    #[serde(default)]
    optional: Vec<String>,
    #[serde(default)]
    system: String,
    user: String,
    verdict: Labels,
}

/// Compiled prompts.
#[derive(Debug, Clone)]
pub struct PromptFile {
    file: String,
    fields: Vec<String>,
    optional: Vec<String>,
    labels: Labels,
    environment: Environment<'static>,
}

impl PromptFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`JudgeError::PromptFile`] or [`JudgeError::Template`], with the file's path.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, JudgeError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(file, &text),
            Err(error) => Err(JudgeError::PromptFile {
                file,
                message: error.to_string(),
            }),
        }
    }

    /// Reads the text of a file; `file` is its name in messages.
    ///
    /// # Errors
    /// [`JudgeError::PromptFile`] for an unknown or missing key, [`JudgeError::Template`] for a template that is not valid
    /// or uses a variable that is neither a field nor given.
    pub fn parse(file: impl Into<String>, text: &str) -> Result<Self, JudgeError> {
        let file = file.into();
        let wrong = |message: String| JudgeError::PromptFile {
            file: file.clone(),
            message,
        };
        let layout: Layout = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        layout.verdict.validate().map_err(wrong)?;
        let mut names = layout.fields.iter().chain(&layout.optional);
        if let Some(name) = names.find(|name| GIVEN.contains(&name.as_str())) {
            return Err(wrong(format!(
                "the field `{name}` has a name that is taken"
            )));
        }
        let mut prompt = Self {
            file,
            fields: layout.fields,
            optional: layout.optional,
            labels: layout.verdict,
            environment: environment(),
        };
        prompt.compile("system", layout.system)?;
        prompt.compile("user", layout.user)?;
        Ok(prompt)
    }

    /// The words of its verdicts.
    pub(crate) fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The messages for an item. Fields that no template uses are ignored.
    ///
    /// # Errors
    /// [`JudgeError::Template`] if the item lacks a field, or has a list where a template prints text.
    pub fn messages(&self, item: &Item, ours_first: bool) -> Result<Vec<Message>, JudgeError> {
        let values = self.values(item, ours_first)?;
        let mut messages = Vec::new();
        for role in TEMPLATES {
            let text = self
                .environment
                .get_template(role)
                .and_then(|template| template.render(&values))
                .map_err(|error| self.fault(role, &error, Some(&item.id)))?;
            if !text.trim().is_empty() {
                messages.push(Message::new(role, text.trim()));
            }
        }
        Ok(messages)
    }

    fn values(&self, item: &Item, ours_first: bool) -> Result<BTreeMap<&str, Value>, JudgeError> {
        let mut values = BTreeMap::new();
        for name in &self.fields {
            let value = item.fields.get(name).ok_or_else(|| JudgeError::Template {
                file: self.file.clone(),
                template: self.user_of(name),
                variable: Some(name.clone()),
                item: Some(item.id.clone()),
                message: "found no such field in the item, expected one".into(),
            })?;
            values.insert(name.as_str(), value.clone());
        }
        for name in &self.optional {
            let value = item.fields.get(name).cloned();
            values.insert(name.as_str(), value.unwrap_or(Value::from(())));
        }
        let (a, b) = match ours_first {
            true => (&item.ours, &item.theirs),
            false => (&item.theirs, &item.ours),
        };
        values.insert("output_a", Value::from(a.as_str()));
        values.insert("output_b", Value::from(b.as_str()));
        values.insert("verdict", Value::from_serialize(&self.labels));
        Ok(values)
    }

    /// The template that uses a field; `user` if none does.
    fn user_of(&self, field: &str) -> &'static str {
        let uses = |role: &&&str| {
            let template = self.environment.get_template(role);
            template.is_ok_and(|template| template.undeclared_variables(false).contains(field))
        };
        TEMPLATES.iter().find(uses).unwrap_or(&"user")
    }

    fn compile(&mut self, role: &'static str, source: String) -> Result<(), JudgeError> {
        self.environment
            .add_template_owned(role, source)
            .map_err(|error| self.fault(role, &error, None))?;
        let template = self
            .environment
            .get_template(role)
            .map_err(|error| self.fault(role, &error, None))?;
        let known = |name: &String| {
            GIVEN.contains(&name.as_str())
                || self.fields.contains(name)
                || self.optional.contains(name)
                || self.environment.globals().any(|(global, _)| global == name)
        };
        let mut names: Vec<_> = template.undeclared_variables(false).into_iter().collect();
        names.sort();
        match names.into_iter().find(|name| !known(name)) {
            None => Ok(()),
            Some(variable) => Err(JudgeError::Template {
                file: self.file.clone(),
                template: role,
                variable: Some(variable),
                item: None,
                message: format!(
                    "found in neither `fields` nor `optional`, expected one of them or {}",
                    GIVEN.join(", ")
                ),
            }),
        }
    }

    fn fault(
        &self,
        template: &'static str,
        error: &minijinja::Error,
        item: Option<&String>,
    ) -> JudgeError {
        let words = error.detail().map(|detail| format!(": {detail}"));
        let line = error.line().map(|line| format!("line {line}: "));
        let message = [line, Some(error.kind().to_string()), words];
        JudgeError::Template {
            file: self.file.clone(),
            template,
            variable: self.at_fault(template, error),
            item: item.cloned(),
            message: message.into_iter().flatten().collect(),
        }
    }

    /// The expression that an error is about, if it could be compiled.
    fn at_fault(&self, template: &str, error: &minijinja::Error) -> Option<String> {
        let template = self.environment.get_template(template).ok()?;
        let expression = template.source().get(error.range()?)?;
        Some(expression.to_owned())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_formatter(text_only);
    environment
}

/// Prints text and numbers; refuses the rest, which would show a judge brackets and quotes, or `none`.
fn text_only(
    out: &mut Output<'_>,
    state: &State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => {
            minijinja::escape_formatter(out, state, value)
        }
        kind => Err(minijinja::Error::new(
            ErrorKind::InvalidOperation,
            format!("found {kind} where text is printed, expected text or a number"),
        )),
    }
}
