//! Who takes part, and what the survey knows of them.

use rand_chacha::ChaCha8Rng;

use super::words::{AGES, COUNTRIES, EDUCATION, EMPLOYMENT, ENGLISH, GENDERS, MARITAL};
use super::{HiddenKind, Manner, SURVEY_ONLY, USERS};
use crate::prism::survey::{
    Categorised, Location, Preference, PreferenceNumbers, StatedPreferences, Survey, USE_CASES,
    UseCases, UsedFor,
};
use crate::seed::{index, rng, shuffle, unit};
use crate::types::UserId;

/// The official ids end below 1500.
const FIRST_ID: usize = 9000;
const PREFER_NOT_TO_SAY: &str = "Prefer not to say";

/// One participant.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: UserId,
    pub manner: Manner,
    pub tone: HiddenKind,
    pub conversations: usize,
    pub has_survey: bool,
}

/// Those with survey and conversations, as many of each manner and tone; those with a survey only; and one whom the survey
/// does not hold.
pub(super) fn people(seed: u64) -> Vec<Person> {
    let mut random = rng("mini prism people", seed);
    let mut kinds: Vec<usize> = (0..USERS).collect();
    shuffle(&mut random, &mut kinds);
    let mut people: Vec<Person> = kinds
        .into_iter()
        .enumerate()
        .map(|(place, kind)| person(place, kind, conversations(place)))
        .collect();
    people.extend((0..SURVEY_ONLY).map(|place| person(USERS + place, place, 0)));
    let stranger = person(USERS + SURVEY_ONLY, 1, 2);
    people.push(Person {
        has_survey: false,
        ..stranger
    });
    people
}

fn person(place: usize, kind: usize, conversations: usize) -> Person {
    Person {
        id: UserId::new(format!("user{}", FIRST_ID + place)),
        manner: Manner::ALL[kind % 2],
        tone: HiddenKind::ALL[kind / 2 % 2],
        conversations,
        has_survey: true,
    }
}

/// Five or six for most, fewer for some; two users have one.
fn conversations(place: usize) -> usize {
    match place % 24 {
        23 => 1,
        15 => 2,
        7 => 3,
        place if place % 4 == 1 => 6,
        _ => 5,
    }
}

impl Person {
    /// The person's row of the survey. The tone has no part in it.
    pub fn survey(&self, random: &mut ChaCha8Rng) -> Survey {
        let mut say = |answers: &[&str]| {
            let answer = answers[index(random, answers.len())];
            let silent = unit(random) < 0.06;
            if silent { PREFER_NOT_TO_SAY } else { answer }.to_owned()
        };
        let [age, gender, employment_status, education, marital_status] =
            [&AGES[..], &GENDERS, &EMPLOYMENT, &EDUCATION, &MARITAL].map(&mut say);
        let english_proficiency = say(&ENGLISH);
        let uses = unit(random) < 0.85;
        let minutes = 5.0 + index(random, 40) as f64 / 2.0;
        let descriptions = self.manner.descriptions();
        let system_strings = self.manner.system_strings();
        let country = index(random, COUNTRIES.len());
        let yes = |truth: bool| if truth { "Yes" } else { "No" }.to_owned();
        Survey {
            user_id: self.id.clone(),
            survey_only: self.conversations == 0,
            num_completed_conversations: self.conversations as i64,
            consent: "Yes, I consent to take part".into(),
            consent_age: "I certify that I am 18 years of age or over".into(),
            lm_familiarity: if uses {
                "Somewhat familiar"
            } else {
                "Not familiar at all"
            }
            .into(),
            lm_indirect_use: yes(uses),
            lm_direct_use: yes(uses),
            lm_frequency_use: uses.then(|| "Once per week".into()),
            self_description: descriptions[index(random, descriptions.len())].into(),
            system_string: system_strings[index(random, system_strings.len())].into(),
            age,
            gender,
            employment_status,
            education,
            marital_status,
            english_proficiency,
            study_id: "mini".into(),
            study_locale: "mini".into(),
            religion: unsaid(),
            ethnicity: unsaid(),
            location: location(COUNTRIES[country]),
            lm_usecases: used_for(random, uses),
            stated_prefs: self.stated_preferences(random),
            order_lm_usecases: shown(random, uses),
            order_stated_prefs: display_order(random),
            generated_datetime: format!("2024-03-{:02} 09:00:00", 1 + index(random, 28)),
            timing_duration_s: minutes * 60.0,
            timing_duration_mins: minutes,
            included_in_US_REP: country == 1,
            included_in_UK_REP: country == 0,
            included_in_balanced_subset: self.conversations >= 5,
        }
    }

    /// The three that go with the manner have the highest scores.
    fn stated_preferences(&self, random: &mut ChaCha8Rng) -> StatedPreferences {
        let high = match self.manner {
            Manner::Steps => [
                Preference::Factuality,
                Preference::Helpfulness,
                Preference::Fluency,
            ],
            Manner::Feelings => [
                Preference::Values,
                Preference::Personalisation,
                Preference::Safety,
            ],
        };
        let mut scores = PreferenceNumbers::default();
        for preference in Preference::ALL {
            let score = if high.contains(&preference) {
                75 + index(random, 26)
            } else {
                10 + index(random, 60)
            };
            scores.0[preference as usize] = score as i64;
        }
        let other = unit(random) < 0.1;
        scores.0[Preference::Other as usize] = if other { 90 } else { 50 };
        StatedPreferences {
            scores,
            other_text: other.then(|| "answers in my language".into()),
        }
    }
}

fn unsaid() -> Categorised {
    let text = || PREFER_NOT_TO_SAY.to_owned();
    Categorised {
        self_described: text(),
        categorised: text(),
        simplified: text(),
    }
}

fn location(country: [&str; 4]) -> Location {
    let [name, code, region, subregion] = country.map(str::to_owned);
    Location {
        birth_country: name.clone(),
        birth_countryISO: code.clone(),
        birth_region: Some(region.clone()),
        birth_subregion: Some(subregion.clone()),
        reside_country: name,
        reside_countryISO: code,
        reside_region: Some(region),
        reside_subregion: Some(subregion),
        same_birth_reside_country: "Yes".into(),
        special_region: None,
    }
}

fn used_for(random: &mut ChaCha8Rng, uses: bool) -> UsedFor {
    let mut cases = UseCases::default();
    if uses {
        let case = |_| Some(i64::from(unit(random) < 0.3));
        cases.0 = cases.0.map(case);
        cases.0[USE_CASES.len() - 1] = Some(0);
    }
    UsedFor {
        cases,
        other_text: None,
    }
}

fn shown(random: &mut ChaCha8Rng, uses: bool) -> UseCases {
    let mut order: Vec<i64> = (1..=USE_CASES.len() as i64).collect();
    shuffle(random, &mut order);
    let mut cases = UseCases::default();
    if uses {
        for (case, place) in cases.0.iter_mut().zip(order) {
            *case = Some(place);
        }
    }
    cases
}

/// Random from 1 to 8; `other` is always the ninth.
fn display_order(random: &mut ChaCha8Rng) -> PreferenceNumbers {
    let mut order = [1, 2, 3, 4, 5, 6, 7, 8];
    shuffle(random, &mut order);
    let mut numbers = PreferenceNumbers([9; 9]);
    numbers.0[..8].copy_from_slice(&order);
    numbers
}
