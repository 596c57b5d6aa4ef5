//! What a user says about herself: as text for a model, and as a profile for a judge.

use serde::{Deserialize, Serialize};

use super::is_empty;
use super::survey::{Preference, Survey};
use crate::comparison::UserId;

const PREFER_NOT_TO_SAY: &str = "prefer not to say";

/// How the three preferences of a user are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopPreferences {
    /// The three that the user gave the highest scores, ties by name.
    #[default]
    ByScore,
    /// The three whose sliders were shown first, as in the authors' code. The order is random, so they say nothing about
    /// the user (reference 0.9).
    DisplayOrder,
}

impl TopPreferences {
    /// Three preferences, the foremost first. [`Preference::Other`] is none of them: it names nothing.
    fn of(self, survey: &Survey) -> [Preference; 3] {
        let place = |preference| match self {
            Self::ByScore => survey.stated_prefs[preference as usize].saturating_neg(),
            Self::DisplayOrder => survey.order_stated_prefs[preference as usize],
        };
        let mut named = Preference::ALL.to_vec();
        named.retain(|&preference| preference != Preference::Other);
        named.sort_by_key(|&preference| (place(preference), preference.name()));
        // invariant: eight preferences are left.
        [named[0], named[1], named[2]]
    }
}

/// What is known of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserProfile {
    /// The user.
    pub user: UserId,
    /// In her own words, unless empty.
    pub self_description: Option<String>,
    /// What she would tell a model to be like; for a judge, never part of the training text.
    pub system_string: Option<String>,
    /// The foremost preferences.
    pub preferences: [Preference; 3],
    /// Age, gender, education, employment, marital status and English proficiency, in this order, without what she
    /// prefers not to say.
    pub demographics: Vec<(&'static str, String)>,
}

impl UserProfile {
    /// The profile in a survey row.
    pub(super) fn of(survey: &Survey, top: TopPreferences) -> Self {
        let said = |text: &str| (!is_empty(text)).then(|| text.trim().to_owned());
        let demographics = [
            ("age", &survey.age),
            ("gender", &survey.gender),
            ("education", &survey.education),
            ("employment", &survey.employment_status),
            ("marital", &survey.marital_status),
            ("english_proficiency", &survey.english_proficiency),
        ];
        Self {
            user: survey.user_id.clone(),
            self_description: said(&survey.self_description),
            system_string: said(&survey.system_string),
            preferences: top.of(survey),
            demographics: demographics
                .into_iter()
                .filter(|(_, value)| !value.trim().eq_ignore_ascii_case(PREFER_NOT_TO_SAY))
                .filter_map(|(key, value)| Some((key, said(value)?)))
                .collect(),
        }
    }

    /// The text a model gets: `key: value;` after `key: value;`, first the self-description, then the preferences, then
    /// the demographics.
    pub fn text(&self) -> String {
        let preferences = self.preferences.map(Preference::name).join(", ");
        let description = self.self_description.as_deref();
        let entries = description
            .map(|text| ("self_description", text))
            .into_iter()
            .chain([("preference", preferences.as_str())])
            .chain(
                self.demographics
                    .iter()
                    .map(|(key, value)| (*key, value.as_str())),
            );
        let entries: Vec<String> = entries
            .map(|(key, value)| format!("{key}: {value};"))
            .collect();
        entries.join(" ")
    }
}

#[cfg(test)]
mod tests;
