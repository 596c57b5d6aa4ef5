//! Errors, each of which says where, what was found and what was expected.

use std::io;
use std::path::PathBuf;

/// What can go wrong between an item and its verdict. No message ever holds the key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// A setting that cannot be used.
    #[error("judge: `{key}`: {message}")]
    Config {
        /// The setting.
        key: &'static str,
        /// What was found and what was expected.
        message: String,
    },
    /// A file of prompts that cannot be read.
    #[error("{file}: {message}")]
    PromptFile {
        /// The file.
        file: String,
        /// What is wrong, with the line or key.
        message: String,
    },
    /// A template that cannot be filled.
    #[error("{file}: template `{template}`{}: {message}", about(variable, item))]
    Template {
        /// The file.
        file: String,
        /// `system` or `user`.
        template: &'static str,
        /// The variable at fault, if it is known.
        variable: Option<String>,
        /// The item that was to be filled in.
        item: Option<String>,
        /// What was found and what was expected.
        message: String,
    },
    /// The cache cannot be written.
    #[error("judge cache: {}: {source}", path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The budget of calls is used up. What was judged before is kept.
    #[error(
        "the budget of {budget} calls to the judge is used up; left unjudged: {left}{}",
        failed_before(last)
    )]
    Budget {
        /// The limit that was set.
        budget: u64,
        /// How many items are left without a verdict for it.
        left: usize,
        /// What went wrong with the call before, if the budget ended while a question was repeated.
        last: Option<String>,
    },
    /// The server does not want the request, and would not want it again.
    #[error("{url} answered {status}: {message}")]
    Refused {
        /// The endpoint, without its secrets.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The server's words, cut short.
        message: String,
    },
    /// No usable answer, however often it was asked.
    #[error("{url} gave no usable answer in {attempts} attempts; the last one: {last}")]
    Failing {
        /// The endpoint, without its secrets.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// What happened last.
        last: String,
    },
    /// The evaluation was given up. What was judged before is kept.
    #[error("judging was given up, left unjudged: {left}; {source}")]
    GivenUp {
        /// How many items are left without a verdict for it.
        left: usize,
        /// Why.
        source: Box<JudgeError>,
    },
    /// The question was called off because another one had ended the evaluation.
    #[error("not asked: judging had ended before")]
    CalledOff,
}

fn failed_before(last: &Option<String>) -> String {
    let last = last.as_ref();
    last.map_or_else(String::new, |last| format!("; the last call: {last}"))
}

fn about(variable: &Option<String>, item: &Option<String>) -> String {
    let named = |what: &str, name: &Option<String>| {
        let name = name.as_ref()?;
        Some(format!(", {what} `{name}`"))
    };
    [named("variable", variable), named("item", item)]
        .into_iter()
        .flatten()
        .collect()
}
