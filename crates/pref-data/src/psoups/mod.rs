//! P-SOUPS ("Personalized Soups"): six users, each of one profile, with opposite wishes on three dimensions.
//!
//! | profile | user | wants |
//! |---|---|---|
//! | P1A, P1B | 1, 2 | simple wording, expert wording |
//! | P2A, P2B | 3, 4 | short answers, full answers |
//! | P3A, P3B | 5, 6 | a friendly tone, an unfriendly one |
//!
//! The official files hold the profile's wish in every instruction. [`PsoupsData::load`] finds that text in the data
//! (see [`preference`]), removes it, leaves out rows that still contain it, and splits by instruction across all profiles.
//! [`PsoupsOptions::released`] is what the released code does instead (reference 4.2).
//!
//! - [`read`] streams the rows of one file; [`locate`] finds the profile files of a folder.
//! - [`PsoupsData`]: comparisons on three sides, with counts as in Table 7.

pub mod locate;
pub mod preference;
pub mod prepare;
pub mod profile;
pub mod row;
pub mod stats;

mod rows_split;

pub use prepare::{PsoupsData, PsoupsOptions, SplitBy, read_comparisons};
pub use profile::{Profile, ProfileId};
pub use row::{PsoupsRow, read};
pub use stats::{ProfileCounts, PsoupsStats};
