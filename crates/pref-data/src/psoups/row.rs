//! One row of a profile file.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::DataError;
use crate::fields::Fields;
use crate::files::Format;
use crate::options::ReadOptions;
use crate::reader::{Decoded, Reader};

/// One judgement as published (reference 4.2); no field may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PsoupsRow {
    /// The instruction with the profile's preference text.
    pub user_input: String,
    /// The preferred response.
    pub completion_a: String,
    /// The other response.
    pub completion_b: String,
}

impl PsoupsRow {
    /// The row in the official layout.
    pub fn to_json(&self) -> Value {
        json!({
            "user_input": self.user_input,
            "completion_a": self.completion_a,
            "completion_b": self.completion_b,
        })
    }
}

/// Streams the rows of profile files: one array, or one row a line. Other fields are ignored.
///
/// # Errors
/// [`DataError`] if no file is found; the iterator yields what goes wrong later.
pub fn read<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<PsoupsRow>, DataError> {
    Reader::open(paths, &[Format::Json], options, decode)
}

fn decode(fields: &Fields) -> Result<Decoded<PsoupsRow>, DataError> {
    Ok(Decoded::Keep(PsoupsRow {
        user_input: fields.text("user_input")?,
        completion_a: fields.text("completion_a")?,
        completion_b: fields.text("completion_b")?,
    }))
}
