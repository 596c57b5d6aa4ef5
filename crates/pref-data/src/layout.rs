//! The layouts that can be read, and how one is told from another. A new layout is a module with its reader, and a line in
//! each place of this file.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::comparison::Comparison;
use crate::error::DataError;
use crate::general::{self, Columns};
use crate::reader::ReadOptions;
use crate::records::{DataFile, Format, first_mark, list, names};
use crate::skipped::Skipped;
use crate::{prism, psoups, published, tldr};

/// Which layout some files follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `prompt`, `chosen`, `rejected`, `user`, or `completion` and `label` in the place of the two; see [`general`].
    General,
    /// The official TL;DR records; see [`tldr`].
    Tldr,
    /// The official profile files of P-SOUPS; see [`psoups`].
    Psoups,
    /// The official PRISM files; see [`prism`].
    Prism,
    /// `RiverDong/psoups`, the P-SOUPS copy of a public benchmark, and its sisters: the general columns with the user in `uid`.
    #[serde(rename = "psoups-hub")]
    PsoupsHub,
    /// `lmsys/chatbot_arena_conversations` and `lmsys/mt_bench_human_judgments`: votes of a `judge` on two conversations.
    Arena,
    /// `lmsys/lmsys-arena-human-preference-55k`: votes without voters.
    #[serde(rename = "arena-55k")]
    Arena55k,
    /// `facebook/community-alignment-dataset` 1.1: four responses a turn, the user in `annotator_id`.
    #[serde(rename = "community-alignment")]
    CommunityAlignment,
    /// PRISM as LoRe prepares it: one turn a record, the user in `extra_info`.
    #[serde(rename = "prism-lore")]
    PrismLore,
    /// `namkoong-lab/PersonalLLM`, whose users are its ten reward models, and `PersonalLLM_InteractionDatabase`, whose users are
    /// simulated people.
    PersonalLlm,
}

impl Layout {
    /// Fields by which a record is told from those of other layouts: all that the layout requires. The rows of
    /// [`Self::PsoupsHub`] are general ones.
    const MARKS: [(&[&str], Self); 13] = [
        (&["chosen", "rejected"], Self::General),
        (&["completion", "label"], Self::General),
        (tldr::FIELDS, Self::Tldr),
        (psoups::FIELDS, Self::Psoups),
        (prism::CONVERSATION, Self::Prism),
        (prism::UTTERANCE, Self::Prism),
        (prism::SURVEY, Self::Prism),
        (published::ARENA.fields, Self::Arena),
        (published::ARENA_55K.fields, Self::Arena55k),
        (
            published::COMMUNITY_ALIGNMENT.fields,
            Self::CommunityAlignment,
        ),
        (published::PRISM_LORE.fields, Self::PrismLore),
        (published::PERSONALLLM.fields, Self::PersonalLlm),
        (published::PERSONALLLM_CHOICES, Self::PersonalLlm),
    ];

    /// Looks at the first readable records of each file until one tells. The folder of the unpacked P-SOUPS archive is known
    /// by the files in its `rm_training`. What no record tells is the general layout.
    ///
    /// # Errors
    /// [`DataError`] if there is no file, or one cannot be opened; [`DataError::Packed`] for an archive.
    pub fn detect<P: AsRef<Path>>(paths: &[P]) -> Result<Self, DataError> {
        let files = match psoups::profile_files(paths) {
            Ok(files) => {
                let files = files.into_values().flatten();
                files.map(|path| DataFile::at(&path)).collect()
            }
            Err(error @ DataError::Packed { .. }) => return Err(error),
            Err(_) => list(paths, &Format::ALL)?.files,
        };
        for file in files {
            if let Some(layout) = first_mark(&file, &Self::MARKS)? {
                return Ok(layout);
            }
        }
        Ok(Self::General)
    }
}

/// How to read files of any layout.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataOptions {
    /// How to treat broken records.
    pub read: ReadOptions,
    /// The layout; `None`: the records tell.
    pub layout: Option<Layout>,
    /// Columns of the general layout by other names.
    pub columns: Columns,
}

impl From<ReadOptions> for DataOptions {
    fn from(read: ReadOptions) -> Self {
        Self {
            read,
            ..Self::default()
        }
    }
}

/// Every comparison of files and folders in any layout, with what was left out. Of official files: the annotators' own
/// choices, with user ids and user texts, without a split.
///
/// # Errors
/// [`DataError`]: unreadable or broken input, or no comparison at all.
pub fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    options: impl Into<DataOptions>,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let DataOptions {
        read,
        layout,
        mut columns,
    } = options.into();
    let layout = match layout {
        Some(layout) => layout,
        None if columns != Columns::default() => Layout::General,
        None => Layout::detect(paths)?,
    };
    let (comparisons, skipped) = match layout {
        Layout::General | Layout::PsoupsHub => {
            if layout == Layout::PsoupsHub {
                columns.user.get_or_insert_with(|| "uid".into());
            }
            general::read_columns(paths, read, columns)?.read_all()?
        }
        Layout::Tldr => tldr::read_comparisons(paths, read)?,
        Layout::Psoups => psoups::read_comparisons(paths, read)?,
        Layout::Prism => prism::read_comparisons(paths, read)?,
        Layout::Arena => published::read_comparisons(paths, read, &published::ARENA)?,
        Layout::Arena55k => published::read_comparisons(paths, read, &published::ARENA_55K)?,
        Layout::CommunityAlignment => {
            published::read_comparisons(paths, read, &published::COMMUNITY_ALIGNMENT)?
        }
        Layout::PrismLore => published::read_comparisons(paths, read, &published::PRISM_LORE)?,
        Layout::PersonalLlm => published::read_comparisons(paths, read, &published::PERSONALLLM)?,
    };
    if comparisons.is_empty() {
        return Err(DataError::Empty {
            paths: names(paths),
            found: skipped.to_string(),
        });
    }
    Ok((comparisons, skipped))
}
