//! The six profiles.

use std::fmt;

use serde::Serialize;

use crate::comparison::UserId;

/// A profile: a dimension (1 wording, 2 length, 3 tone) and one of its two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProfileId {
    /// Simple wording.
    P1A,
    /// Expert wording.
    P1B,
    /// Short answers.
    P2A,
    /// Full answers.
    P2B,
    /// A friendly tone.
    P3A,
    /// An unfriendly tone.
    P3B,
}

impl ProfileId {
    /// All profiles, in the order that numbers the users.
    pub const ALL: [Self; 6] = [
        Self::P1A,
        Self::P1B,
        Self::P2A,
        Self::P2B,
        Self::P3A,
        Self::P3B,
    ];

    /// `P1A` .. `P3B`: the name of the file and of the group.
    pub fn name(self) -> &'static str {
        match self {
            Self::P1A => "P1A",
            Self::P1B => "P1B",
            Self::P2A => "P2A",
            Self::P2B => "P2B",
            Self::P3A => "P3A",
            Self::P3B => "P3B",
        }
    }

    /// The profile of this name, in either case.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name().eq_ignore_ascii_case(name))
    }

    /// The user of this profile, `1` to `6` as in the released code.
    pub fn user(self) -> UserId {
        UserId::new((self as usize + 1).to_string())
    }
}

impl fmt::Display for ProfileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A profile whose file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// `P1A` .. `P3B`.
    pub id: &'static str,
    /// Its user, `1` to `6`.
    pub user: UserId,
    /// The text that says the wish, as found in the instructions or as given; none if neither.
    pub preference: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbered_in_the_order_of_the_released_code() {
        let users: Vec<String> = ProfileId::ALL
            .map(|profile| format!("{profile}={}", profile.user()))
            .to_vec();
        assert_eq!(
            users,
            ["P1A=1", "P1B=2", "P2A=3", "P2B=4", "P3A=5", "P3B=6"]
        );
        assert_eq!(ProfileId::of_name("p3b"), Some(ProfileId::P3B));
        assert_eq!(ProfileId::of_name("P4A"), None);
    }
}
