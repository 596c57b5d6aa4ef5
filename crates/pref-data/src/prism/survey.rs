//! One row of `survey.jsonl`: what a participant says about herself (reference 4.3).

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::types::UserId;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PreferenceNumbers(pub [i64; 9]);

impl PreferenceNumbers {
    /// The number of one preference.
    pub fn get(&self, preference: Preference) -> i64 {
        self.0[preference as usize]
    }

    /// Preferences with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (Preference, i64)> {
        Preference::ALL.into_iter().zip(self.0)
    }
}

impl Serialize for PreferenceNumbers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(preference, n)| (preference.name(), n)))
    }
}

/// How important each preference is to the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatedPreferences {
    /// 0 to 100.
    pub scores: PreferenceNumbers,
    /// What `other` means.
    pub other_text: Option<String>,
}

impl Serialize for StatedPreferences {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (preference, score) in self.scores.iter() {
            map.serialize_entry(preference.name(), &score)?;
        }
        map.serialize_entry("other_text", &self.other_text)?;
        map.end()
    }
}

/// The names of the use cases, in the order of the survey.
pub const USE_CASES: [&str; 19] = [
    "homework_assistance",
    "research",
    "source_suggestions",
    "professional_work",
    "creative_writing",
    "casual_conversation",
    "personal_recommendations",
    "daily_productivity",
    "technical_or_programming_help",
    "travel_guidance",
    "lifestyle_and_hobbies",
    "well-being_guidance",
    "medical_guidance",
    "financial_guidance",
    "games",
    "historical_or_news_insight",
    "relationship_advice",
    "language_learning",
    "other",
];

/// A number for each of [`USE_CASES`]: 0 or 1 for what is used, 1 to 19 for the display order. `None` where the user was not
/// asked, since she does not use language models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UseCases(pub [Option<i64>; 19]);

impl Serialize for UseCases {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(USE_CASES.into_iter().zip(self.0))
    }
}

/// What the user does with language models.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsedFor {
    /// 0 or 1.
    pub cases: UseCases,
    /// What `other` means.
    pub other_text: Option<String>,
}

impl Serialize for UsedFor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, used) in USE_CASES.into_iter().zip(self.cases.0) {
            map.serialize_entry(name, &used)?;
        }
        map.serialize_entry("other_text", &self.other_text)?;
        map.end()
    }
}

/// A free answer and the categories that it was sorted into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Categorised {
    /// In the user's own words.
    pub self_described: String,
    /// The category.
    pub categorised: String,
    /// The coarser category.
    pub simplified: String,
}

/// Where the user was born and lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(non_snake_case)]
pub struct Location {
    /// Country of birth.
    pub birth_country: String,
    /// Its ISO code.
    pub birth_countryISO: String,
    /// Its region.
    pub birth_region: Option<String>,
    /// Its subregion.
    pub birth_subregion: Option<String>,
    /// Country of residence.
    pub reside_country: String,
    /// Its ISO code.
    pub reside_countryISO: String,
    /// Its region.
    pub reside_region: Option<String>,
    /// Its subregion.
    pub reside_subregion: Option<String>,
    /// Whether both are the same, in words.
    pub same_birth_reside_country: String,
    /// A region made for analyses.
    pub special_region: Option<String>,
}

/// One row of the survey, unchanged. Categories are kept as text: the answers "Prefer not to say" and their like are part of
/// them. Field names are the file's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(non_snake_case)]
pub struct Survey {
    /// The participant.
    pub user_id: UserId,
    /// She took part in no conversation.
    pub survey_only: bool,
    /// 0 to 7.
    pub num_completed_conversations: i64,
    /// Constant.
    pub consent: String,
    /// Constant.
    pub consent_age: String,
    /// How well she knows language models.
    pub lm_familiarity: String,
    /// Whether she used one within a product.
    pub lm_indirect_use: String,
    /// Whether she used one directly.
    pub lm_direct_use: String,
    /// How often; null where the question was not shown.
    pub lm_frequency_use: Option<String>,
    /// In her own words.
    pub self_description: String,
    /// What she would tell a model to be like.
    pub system_string: String,
    /// Range of years.
    pub age: String,
    /// Gender.
    pub gender: String,
    /// Employment.
    pub employment_status: String,
    /// Highest education.
    pub education: String,
    /// Marital status.
    pub marital_status: String,
    /// How well she speaks English.
    pub english_proficiency: String,
    /// The study she was recruited for.
    pub study_id: String,
    /// Its country.
    pub study_locale: String,
    /// Religion.
    pub religion: Categorised,
    /// Ethnicity.
    pub ethnicity: Categorised,
    /// Countries.
    pub location: Location,
    /// What she uses language models for.
    pub lm_usecases: UsedFor,
    /// What she wants of a model.
    pub stated_prefs: StatedPreferences,
    /// In which order the use cases were shown.
    pub order_lm_usecases: UseCases,
    /// In which order the sliders of the preferences were shown: random, no ranking by the user.
    pub order_stated_prefs: PreferenceNumbers,
    /// `YYYY-MM-DD HH:MM:SS`.
    pub generated_datetime: String,
    /// Time taken in seconds.
    pub timing_duration_s: f64,
    /// Time taken in minutes.
    pub timing_duration_mins: f64,
    /// Part of the sample that represents the United States.
    pub included_in_US_REP: bool,
    /// Part of the sample that represents the United Kingdom.
    pub included_in_UK_REP: bool,
    /// Part of the balanced subset.
    pub included_in_balanced_subset: bool,
}

impl Survey {
    /// Whether the user finished a conversation.
    pub fn has_conversations(&self) -> bool {
        !self.survey_only && self.num_completed_conversations > 0
    }
}
