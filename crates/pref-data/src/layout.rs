//! The layouts that can be read, and how one is told from another. A new layout is a module with its reader, and a line in
//! each place of this file.

use std::path::Path;

use crate::comparison::Comparison;
use crate::error::DataError;
use crate::reader::ReadOptions;
use crate::records::{Format, first_mark, list, names};
use crate::skipped::Skipped;
use crate::{general, prism, psoups, tldr};

/// Which layout some files follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `prompt`, `chosen`, `rejected`, `user`; see [`general`].
    General,
    /// The official TL;DR records; see [`tldr`].
    Tldr,
    /// The official profile files of P-SOUPS; see [`psoups`].
    Psoups,
    /// The official PRISM files; see [`prism`].
    Prism,
}

impl Layout {
    /// Fields by which a record is told from those of other layouts.
    const MARKS: [(&str, Self); 7] = [
        ("summaries", Self::Tldr),
        ("completion_a", Self::Psoups),
        ("conversation_history", Self::Prism),
        ("model_response", Self::Prism),
        ("stated_prefs", Self::Prism),
        ("chosen", Self::General),
        ("rejected", Self::General),
    ];

    /// Looks at the first readable record of each file until one tells. The folder of the unpacked P-SOUPS archive is known
    /// by the files in its `rm_training`.
    ///
    /// # Errors
    /// [`DataError`] if there is no file, or one cannot be opened; [`DataError::Packed`] for an archive.
    pub fn detect<P: AsRef<Path>>(paths: &[P]) -> Result<Self, DataError> {
        let files = match psoups::profile_files(paths) {
            Ok(files) => files.into_values().flatten().collect(),
            Err(error @ DataError::Packed { .. }) => return Err(error),
            Err(_) => list(paths, &Format::ALL)?,
        };
        for path in files {
            if let Some(layout) = first_mark(&path, &Self::MARKS)? {
                return Ok(layout);
            }
        }
        Ok(Self::General)
    }
}

/// Every comparison of files and folders in any layout, with what was left out. Of official files: the annotators' own
/// choices, with user ids and user texts, without a split.
///
/// # Errors
/// [`DataError`]: unreadable or broken input, or no comparison at all.
pub fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let (comparisons, skipped) = match Layout::detect(paths)? {
        Layout::General => general::read(paths, options)?.read_all()?,
        Layout::Tldr => tldr::read_comparisons(paths, options)?,
        Layout::Psoups => psoups::read_comparisons(paths, options)?,
        Layout::Prism => prism::read_comparisons(paths, options)?,
    };
    if comparisons.is_empty() {
        return Err(DataError::Empty {
            paths: names(paths),
            found: skipped.to_string(),
        });
    }
    Ok((comparisons, skipped))
}
