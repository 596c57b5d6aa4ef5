//! P-SOUPS ("Personalized Soups"): six users, each of one profile, with opposite wishes on three dimensions.
//!
//! | profile | user | wants |
//! |---|---|---|
//! | P1A, P1B | 1, 2 | simple wording, expert wording |
//! | P2A, P2B | 3, 4 | short answers, full answers |
//! | P3A, P3B | 5, 6 | a friendly tone, an unfriendly one |
//!
//! The official files hold the profile's wish in every instruction. [`PsoupsData::load`] finds that text in the data,
//! removes it, leaves out rows that still contain it, and splits by instruction across all profiles.
//! [`PsoupsOptions::released`] is what the released code does instead (reference 4.2).
//!
//! [`read`] streams the rows of one file as published.

mod locate;
mod preference;
mod prepare;
mod profile;
mod row;
mod row_split;
mod stats;

pub use prepare::{PsoupsData, PsoupsOptions, SplitBy};
pub use profile::{Profile, ProfileId};
pub use row::{PsoupsRow, read};
pub use stats::{ProfileCounts, PsoupsStats};

pub(crate) use locate::profile_files;
pub(crate) use prepare::read_comparisons;

/// The fields of a row, all required.
pub(crate) const FIELDS: &[&str] = &["user_input", "completion_a", "completion_b"];
