//! What a participant says about herself (reference 4.3).

use serde::Serialize;

use crate::comparison::UserId;

/// What a participant may want of a model, and what she rates a conversation by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// Reflects the user's values.
    Values,
    /// Creative and inspiring.
    Creativity,
    /// Well-written.
    Fluency,
    /// Factual and informative.
    Factuality,
    /// Several viewpoints.
    Diversity,
    /// Safe.
    Safety,
    /// Learns from the user.
    Personalisation,
    /// Helpful and relevant.
    Helpfulness,
    /// Something else, in the user's own words.
    Other,
}

impl Preference {
    /// All nine, in the order of the files.
    pub const ALL: [Self; 9] = [
        Self::Values,
        Self::Creativity,
        Self::Fluency,
        Self::Factuality,
        Self::Diversity,
        Self::Safety,
        Self::Personalisation,
        Self::Helpfulness,
        Self::Other,
    ];

    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Values => "values",
            Self::Creativity => "creativity",
            Self::Fluency => "fluency",
            Self::Factuality => "factuality",
            Self::Diversity => "diversity",
            Self::Safety => "safety",
            Self::Personalisation => "personalisation",
            Self::Helpfulness => "helpfulness",
            Self::Other => "other",
        }
    }
}

/// A number for each [`Preference`], in the order of [`Preference::ALL`].
pub(super) type PreferenceNumbers = [i64; 9];

/// What is used of one row of `survey.jsonl`. Categories are kept as text: the answers "Prefer not to say" and their like
/// are part of them. Names are the file's.
#[derive(Clone, Debug)]
pub(super) struct Survey {
    pub user_id: UserId,
    /// She took part in no conversation.
    pub survey_only: bool,
    /// 0 to 7.
    pub num_completed_conversations: i64,
    /// In her own words.
    pub self_description: String,
    /// What she would tell a model to be like.
    pub system_string: String,
    /// Range of years.
    pub age: String,
    pub gender: String,
    pub employment_status: String,
    pub education: String,
    pub marital_status: String,
    pub english_proficiency: String,
    /// How important each preference is to her, 0 to 100.
    pub stated_prefs: PreferenceNumbers,
    /// In which order the sliders of the preferences were shown: random, no ranking by the user.
    pub order_stated_prefs: PreferenceNumbers,
}

impl Survey {
    /// Whether the user finished a conversation.
    pub fn has_conversations(&self) -> bool {
        !self.survey_only && self.num_completed_conversations > 0
    }
}
