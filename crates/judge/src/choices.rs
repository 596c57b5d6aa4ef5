//! What somebody chose before, for templates that show it.

use std::borrow::Cow;

use minijinja::Value;
use serde::Serialize;

/// A choice between two outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChoice<'a> {
    /// What both answered.
    pub message: Cow<'a, str>,
    /// The output that was preferred.
    pub chosen: &'a str,
    /// The other one.
    pub rejected: &'a str,
}

#[derive(Serialize)]
struct Shown<'a> {
    message: &'a str,
    output_a: &'a str,
    output_b: &'a str,
    choice: &'static str,
}

/// A list for a template: each with `message`, `output_a`, `output_b` and `choice`, which is a name within `verdict`. The preferred output
/// stands first in every other one.
pub fn past_choices(choices: &[PastChoice<'_>]) -> Value {
    let shown = |(number, of): (usize, &PastChoice<'_>)| {
        let (output_a, output_b, choice) = match number % 2 {
            0 => (of.chosen, of.rejected, "first"),
            _ => (of.rejected, of.chosen, "second"),
        };
        Value::from_serialize(Shown {
            message: &of.message,
            output_a,
            output_b,
            choice,
        })
    };
    choices.iter().enumerate().map(shown).collect()
}
