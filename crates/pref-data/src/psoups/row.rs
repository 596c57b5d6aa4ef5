//! One row of a profile file.

use std::path::Path;

use crate::error::DataError;
use crate::reader::{Decoded, ReadOptions, Reader};
use crate::records::{Fields, Format};

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
