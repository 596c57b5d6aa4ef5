//! How many rows there are and what became of them, as in the paper's Table 7.

use std::collections::HashSet;
use std::fmt;

use serde::Serialize;

use super::{Profile, ProfileId};
use crate::comparison::Comparison;
use crate::split::{Split, SplitOrigin};

/// One profile's rows. Every row read is in one of `equal`, `duplicates`, `blank`, `too_long`, `kept`, or (unless leaking
/// rows are kept) `leaking`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProfileCounts {
    /// `P1A` .. `P3B`.
    pub profile: &'static str,
    /// Rows of the file that follow the layout.
    pub read: usize,
    /// Rows with two equal completions.
    pub equal: usize,
    /// Repeated rows.
    pub duplicates: usize,
    /// Rows whose instruction still contains the preference text in another spelling.
    pub leaking: usize,
    /// Rows without an instruction beside the preference text.
    pub blank: usize,
    /// Rows with too many characters.
    pub too_long: usize,
    /// Comparisons.
    pub kept: usize,
    /// Comparisons to train on.
    pub train: usize,
    /// Comparisons for choices.
    pub validation: usize,
    /// Comparisons for reported figures.
    pub test: usize,
}

impl ProfileCounts {
    pub(super) fn new(profile: ProfileId, read: usize) -> Self {
        Self {
            profile: profile.name(),
            read,
            ..Self::zero("")
        }
    }

    fn zero(profile: &'static str) -> Self {
        Self {
            profile,
            read: 0,
            equal: 0,
            duplicates: 0,
            leaking: 0,
            blank: 0,
            too_long: 0,
            kept: 0,
            train: 0,
            validation: 0,
            test: 0,
        }
    }

    fn columns(&self) -> [usize; 10] {
        [
            self.read,
            self.equal,
            self.duplicates,
            self.leaking,
            self.blank,
            self.too_long,
            self.kept,
            self.train,
            self.validation,
            self.test,
        ]
    }

    fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.equal += other.equal;
        self.duplicates += other.duplicates;
        self.leaking += other.leaking;
        self.blank += other.blank;
        self.too_long += other.too_long;
        self.kept += other.kept;
        self.train += other.train;
        self.validation += other.validation;
        self.test += other.test;
    }
}

/// The counts of all profiles; [`fmt::Display`] prints a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PsoupsStats {
    /// How the sides were made.
    pub origin: SplitOrigin,
    /// In the order of the users.
    pub per_profile: Vec<ProfileCounts>,
    /// The profiles and their preference texts.
    pub profiles: Vec<Profile>,
    /// Different instructions in training, validation and test.
    pub instructions: [usize; 3],
    /// Different instructions of validation and test that are in training, too: 0 unless rows were split.
    pub shared_instructions: usize,
}

impl PsoupsStats {
    pub(super) fn of(counts: &[ProfileCounts], profiles: &[Profile], split: &Split) -> Self {
        let of = |items: &[Comparison], profile: &str| {
            let same = |item: &&Comparison| item.group.as_deref() == Some(profile);
            items.iter().filter(same).count()
        };
        let counted = |counts: &ProfileCounts| ProfileCounts {
            train: of(&split.train, counts.profile),
            validation: of(&split.validation, counts.profile),
            test: of(&split.test, counts.profile),
            ..counts.clone()
        };
        let sides = [&split.train, &split.validation, &split.test].map(|side| sources(side));
        let [train, validation, test] = &sides;
        let shared = validation.union(test).filter(|name| train.contains(*name));
        Self {
            origin: split.origin,
            per_profile: counts.iter().map(counted).collect(),
            profiles: profiles.to_vec(),
            shared_instructions: shared.count(),
            instructions: [train.len(), validation.len(), test.len()],
        }
    }

    /// The sums over all profiles.
    pub fn total(&self) -> ProfileCounts {
        let mut total = ProfileCounts::zero("all");
        self.per_profile.iter().for_each(|counts| total.add(counts));
        total
    }
}

fn sources(side: &[Comparison]) -> HashSet<&str> {
    side.iter().map(|item| item.source.as_str()).collect()
}

const HEADS: [&str; 10] = [
    "read",
    "equal",
    "repeated",
    "leaking",
    "blank",
    "too long",
    "kept",
    "train",
    "validation",
    "test",
];

impl fmt::Display for PsoupsStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "profile", HEADS)?;
        for counts in self.per_profile.iter().chain([&self.total()]) {
            line(f, counts.profile, counts.columns())?;
        }
        for profile in ProfileId::ALL {
            if !self.profiles.iter().any(|found| found.id == profile.name()) {
                writeln!(f, "{profile}: no file")?;
            }
        }
        let [train, validation, test] = self.instructions;
        writeln!(f, "split {}", self.origin)?;
        writeln!(
            f,
            "instructions: {train} train, {validation} validation, {test} test"
        )?;
        writeln!(
            f,
            "instructions of validation and test that are in training, too: {}",
            self.shared_instructions
        )?;
        writeln!(f, "text removed from the instructions:")?;
        for profile in &self.profiles {
            let text = profile.preference.as_deref();
            let text = text.unwrap_or("(none: no text is shared by most instructions)");
            writeln!(f, "  {} (user {}): {text}", profile.id, profile.user)?;
        }
        Ok(())
    }
}

fn line<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, cells: [T; 10]) -> fmt::Result {
    write!(f, "{name:<8}")?;
    for cell in cells {
        write!(f, " {cell:>10}")?;
    }
    writeln!(f)
}
