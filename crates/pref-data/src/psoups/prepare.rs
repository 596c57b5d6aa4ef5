//! From profile files to data that can be trained on: find and remove the preference text, clean, split, count.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::locate::profile_files;
use super::row_split::split_by_row;
use super::{Profile, ProfileCounts, ProfileId, PsoupsRow, PsoupsStats, preference, read};
use crate::comparison::{Comparison, Prompt};
use crate::error::DataError;
use crate::hash::text_key;
use crate::reader::ReadOptions;
use crate::records::{names, shortened};
use crate::skipped::Skipped;
use crate::split::{Split, SplitOrigin, SplitRatios, split_by_source};

/// The reason for rows whose two responses are equal.
const EQUAL_COMPLETIONS: &str = "completion_a and completion_b are equal";
/// The reason for rows that repeat another one of the same profile.
const DUPLICATE: &str = "same instruction and completions as an earlier row of the profile";
/// The reason for rows that still say the profile's wish.
const LEAKING: &str = "instruction still contains the preference text in another spelling";
/// The reason for rows whose instruction is the preference text alone.
const NO_INSTRUCTION: &str = "no instruction beside the preference text";
/// The reason for rows beyond [`PsoupsOptions::max_characters`].
const TOO_LONG: &str = "instruction and response have too many characters";

/// What a split keeps together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// All rows of an instruction, across profiles.
    #[default]
    Instruction,
    /// Nothing: rows are split at random, as in the released code. The same instruction, with the same pair swapped even,
    /// is then on both sides.
    Row,
}

/// The choices of the experiment; the default leaks nothing.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PsoupsOptions {
    /// How to treat broken records.
    pub read: ReadOptions,
    /// What the split keeps together.
    pub split_by: SplitBy,
    /// Shares of instructions, or of rows.
    pub ratios: SplitRatios,
    /// Seed of the split; below 2^32 for [`SplitBy::Row`].
    pub split_seed: u64,
    /// Preference texts by profile, instead of those found in the data.
    pub preferences: BTreeMap<ProfileId, String>,
    /// Keep rows that still contain the preference text (they are counted all the same).
    pub keep_leaking: bool,
    /// Rows whose instruction and longer response together have more Unicode characters are left out.
    pub max_characters: Option<usize>,
}

impl PsoupsOptions {
    /// The released code's choices (reference 4.2): rows shuffled and split 90 to 10 with seed 123, nothing for
    /// validation, at most 4800 characters, leaking rows kept. Its random generator is not known for certain, so the rows
    /// on a side may be others; the protocol is the same.
    pub fn released() -> Self {
        Self {
            split_by: SplitBy::Row,
            ratios: SplitRatios {
                train: 0.9,
                validation: 0.0,
                test: 0.1,
            },
            split_seed: 123,
            keep_leaking: true,
            max_characters: Some(4800),
            ..Self::default()
        }
    }
}

/// What the experiment trains and evaluates on.
#[derive(Clone, Debug)]
pub struct PsoupsData {
    /// Comparisons of all profiles. `user` is `1` to `6`, `group` the profile, `source` and `prompt` the instruction.
    pub split: Split,
    /// What was left out, by reason.
    pub skipped: Skipped,
    profiles: Vec<Profile>,
    counts: Vec<ProfileCounts>,
}

impl PsoupsData {
    /// Reads and prepares. A path is a folder with the profile files, the folder of the unpacked archive, or one file named
    /// after its profile.
    ///
    /// # Errors
    /// [`DataError`]: no profile file, unreadable or broken input, nothing left, too few instructions to split.
    pub fn load<P: AsRef<Path>>(paths: &[P], options: &PsoupsOptions) -> Result<Self, DataError> {
        Cleaned::load(paths, options)?.split(options)
    }

    /// As [`PsoupsData::load`], from rows in memory; `skipped` is the account so far.
    ///
    /// # Errors
    /// As [`PsoupsData::load`].
    pub fn prepare(
        rows: Vec<(ProfileId, Vec<PsoupsRow>)>,
        skipped: Skipped,
        options: &PsoupsOptions,
    ) -> Result<Self, DataError> {
        let paths = || "the rows".into();
        Cleaned::of(rows, skipped, options, paths)?.split(options)
    }

    /// The profiles whose files were read, in the order of their users.
    pub fn profiles(&self) -> &[Profile] {
        &self.profiles
    }

    /// The counts of Table 7, to be printed.
    pub fn stats(&self) -> PsoupsStats {
        PsoupsStats::of(&self.counts, &self.profiles, &self.split)
    }
}

/// The comparisons of [`PsoupsData::load`] with the default options, without a split.
pub(crate) fn read_comparisons<P: AsRef<Path>>(
    paths: &[P],
    read: ReadOptions,
) -> Result<(Vec<Comparison>, Skipped), DataError> {
    let options = PsoupsOptions {
        read,
        ..PsoupsOptions::default()
    };
    let cleaned = Cleaned::load(paths, &options)?;
    Ok((cleaned.comparisons, cleaned.skipped))
}

/// What all profiles give; at least one comparison.
struct Cleaned {
    comparisons: Vec<Comparison>,
    skipped: Skipped,
    profiles: Vec<Profile>,
    counts: Vec<ProfileCounts>,
}

impl Cleaned {
    fn load<P: AsRef<Path>>(paths: &[P], options: &PsoupsOptions) -> Result<Self, DataError> {
        let mut skipped = Skipped::default();
        let mut rows = Vec::new();
        for (profile, files) in profile_files(paths)? {
            rows.push((profile, rows_of(&files, options.read, &mut skipped)?));
        }
        Self::of(rows, skipped, options, || names(paths))
    }

    fn of(
        rows: Vec<(ProfileId, Vec<PsoupsRow>)>,
        mut skipped: Skipped,
        options: &PsoupsOptions,
        paths: impl Fn() -> String,
    ) -> Result<Self, DataError> {
        let (mut profiles, mut counts, mut comparisons) = (Vec::new(), Vec::new(), Vec::new());
        for (profile, rows) in rows {
            let cleaner = Cleaner::new(profile, &rows, options);
            profiles.push(Profile {
                id: profile.name(),
                user: profile.user(),
                preference: cleaner.preference.clone(),
            });
            counts.push(cleaner.clean(rows, &mut comparisons, &mut skipped));
        }
        if comparisons.is_empty() {
            let (paths, found) = (paths(), format!("no row ({skipped})"));
            return Err(DataError::Empty { paths, found });
        }
        Ok(Self {
            comparisons,
            skipped,
            profiles,
            counts,
        })
    }

    fn split(self, options: &PsoupsOptions) -> Result<PsoupsData, DataError> {
        Ok(PsoupsData {
            split: split(self.comparisons, options)?,
            skipped: self.skipped,
            profiles: self.profiles,
            counts: self.counts,
        })
    }
}

fn rows_of(
    files: &[PathBuf],
    options: ReadOptions,
    skipped: &mut Skipped,
) -> Result<Vec<PsoupsRow>, DataError> {
    let mut reader = read(files, options)?;
    let rows = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
    skipped.merge(reader.skipped());
    Ok(rows)
}

fn split(comparisons: Vec<Comparison>, options: &PsoupsOptions) -> Result<Split, DataError> {
    let (ratios, seed) = (&options.ratios, options.split_seed);
    match options.split_by {
        SplitBy::Row => Ok(split_by_row(comparisons, ratios, seed)?),
        SplitBy::Instruction => {
            let mut split = split_by_source(comparisons, ratios, seed)?;
            split.origin = SplitOrigin::ByInstruction;
            Ok(split)
        }
    }
}

/// Turns the rows of one profile into comparisons.
struct Cleaner {
    profile: ProfileId,
    preference: Option<String>,
    keep_leaking: bool,
    max_characters: Option<usize>,
}

impl Cleaner {
    fn new(profile: ProfileId, rows: &[PsoupsRow], options: &PsoupsOptions) -> Self {
        let found = || preference::find(rows.iter().map(|row| row.user_input.as_str()));
        let preference = options.preferences.get(&profile).cloned().or_else(found);
        if preference.is_none() && !rows.is_empty() {
            tracing::warn!(%profile, "no text is shared by most instructions: nothing is removed");
        }
        Self {
            profile,
            preference,
            keep_leaking: options.keep_leaking,
            max_characters: options.max_characters,
        }
    }

    fn clean(
        &self,
        rows: Vec<PsoupsRow>,
        comparisons: &mut Vec<Comparison>,
        skipped: &mut Skipped,
    ) -> ProfileCounts {
        let mut counts = ProfileCounts::new(self.profile, rows.len());
        let mut seen = HashSet::new();
        for row in rows {
            let PsoupsRow {
                user_input,
                completion_a,
                completion_b,
            } = &row;
            if completion_a == completion_b {
                counts.equal += 1;
                skipped.add(EQUAL_COMPLETIONS, self.place(user_input));
            } else if !seen.insert(text_key(&[user_input, completion_a, completion_b])) {
                counts.duplicates += 1;
                skipped.add(DUPLICATE, self.place(user_input));
            } else if let Some(comparison) = self.comparison(row, &mut counts, skipped) {
                counts.kept += 1;
                comparisons.push(comparison);
            }
        }
        counts
    }

    fn comparison(
        &self,
        row: PsoupsRow,
        counts: &mut ProfileCounts,
        skipped: &mut Skipped,
    ) -> Option<Comparison> {
        let text = self.preference.as_deref();
        let instruction = match text {
            Some(text) => preference::remove(&row.user_input, text),
            None => row.user_input.trim().to_owned(),
        };
        if instruction.is_empty() {
            counts.blank += 1;
            skipped.add(NO_INSTRUCTION, self.profile);
            return None;
        }
        if text.is_some_and(|text| preference::still_contains(&instruction, text)) {
            counts.leaking += 1;
            if !self.keep_leaking {
                skipped.add(LEAKING, self.place(&instruction));
                return None;
            }
        }
        let longer = |a: &str, b: &str| a.chars().count().max(b.chars().count());
        let characters = instruction.chars().count() + longer(&row.completion_a, &row.completion_b);
        if self.max_characters.is_some_and(|limit| characters > limit) {
            counts.too_long += 1;
            skipped.add(TOO_LONG, self.place(&instruction));
            return None;
        }
        Some(Comparison {
            user: Some(self.profile.user()),
            user_text: None,
            prompt: Prompt::Text(instruction.clone()),
            chosen: row.completion_a,
            rejected: row.completion_b,
            source: instruction,
            template: Default::default(),
            place: Default::default(),
            group: Some(self.profile.name().into()),
            thumb: None,
        })
    }

    /// A row by its profile and the beginning of its text.
    fn place(&self, text: &str) -> String {
        format!("{}: {:?}", self.profile, shortened(text))
    }
}
