//! The judge against a local server with scripted answers.

mod answers;
mod evaluation;
mod prompts;
mod settings;
mod stub;
