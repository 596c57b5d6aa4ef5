//! Who takes part, and what the survey knows of them.

use serde_json::{Map, Value, json};

use super::words::{AGES, COUNTRIES, EDUCATION, EMPLOYMENT, ENGLISH, GENDERS, MARITAL};
use super::{Manner, SURVEY_ONLY, Tone, USERS};
use crate::random::Random;

/// The official ids end below 1500.
const FIRST_ID: usize = 9000;
const PREFER_NOT_TO_SAY: &str = "Prefer not to say";

/// One participant.
#[derive(Clone)]
pub(super) struct Person {
    pub id: String,
    pub manner: Manner,
    pub tone: Tone,
    pub conversations: usize,
    pub has_survey: bool,
}

/// Those with survey and conversations, as many of each manner and tone; those with a survey only; and one whom the survey
/// does not hold.
pub(super) fn people(seed: u64) -> Vec<Person> {
    let mut random = Random::new("mini prism people", seed);
    let mut kinds: Vec<usize> = (0..USERS).collect();
    random.shuffle(&mut kinds);
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
        id: format!("user{}", FIRST_ID + place),
        manner: Manner::ALL[kind % 2],
        tone: Tone::ALL[kind / 2 % 2],
        conversations,
        has_survey: true,
    }
}

/// Fifteen or sixteen for most, fewer for some; two users have one.
fn conversations(place: usize) -> usize {
    match place % 32 {
        31 => 1,
        23 => 2,
        15 => 4,
        7 => 8,
        place if place % 4 == 1 => 16,
        _ => 15,
    }
}

impl Person {
    /// The person's row of the survey. The tone has no part in it.
    pub fn survey(&self, random: &mut Random) -> Value {
        let mut say = |answers: &[&'static str]| {
            let answer = random.pick(answers);
            let silent = random.unit() < 0.06;
            if silent { PREFER_NOT_TO_SAY } else { answer }
        };
        let [age, gender, employment, education, marital] =
            [&AGES[..], &GENDERS, &EMPLOYMENT, &EDUCATION, &MARITAL].map(&mut say);
        let english = say(&ENGLISH);
        let uses = random.unit() < 0.85;
        let minutes = 5.0 + random.below(40) as f64 / 2.0;
        let country = random.below(COUNTRIES.len());
        let yes = |truth: bool| if truth { "Yes" } else { "No" };
        json!({
            "user_id": self.id,
            "survey_only": self.conversations == 0,
            "num_completed_conversations": self.conversations,
            "consent": "Yes, I consent to take part",
            "consent_age": "I certify that I am 18 years of age or over",
            "lm_familiarity": if uses { "Somewhat familiar" } else { "Not familiar at all" },
            "lm_indirect_use": yes(uses),
            "lm_direct_use": yes(uses),
            "lm_frequency_use": uses.then_some("Once per week"),
            "self_description": random.pick(&self.manner.descriptions()),
            "system_string": random.pick(&self.manner.system_strings()),
            "age": age,
            "gender": gender,
            "employment_status": employment,
            "education": education,
            "marital_status": marital,
            "english_proficiency": english,
            "study_id": "mini",
            "study_locale": "mini",
            "religion": unsaid(),
            "ethnicity": unsaid(),
            "location": location(COUNTRIES[country]),
            "lm_usecases": used_for(random, uses),
            "stated_prefs": self.stated_preferences(random),
            "order_lm_usecases": shown(random, uses),
            "order_stated_prefs": display_order(random),
            "generated_datetime": format!("2024-03-{:02} 09:00:00", 1 + random.below(28)),
            "timing_duration_s": minutes * 60.0,
            "timing_duration_mins": minutes,
            "included_in_US_REP": country == 1,
            "included_in_UK_REP": country == 0,
            "included_in_balanced_subset": self.conversations >= 5,
        })
    }

    /// The three that go with the manner have the highest scores.
    fn stated_preferences(&self, random: &mut Random) -> Map<String, Value> {
        let high = match self.manner {
            Manner::Steps => ["factuality", "helpfulness", "fluency"],
            Manner::Feelings => ["values", "personalisation", "safety"],
        };
        let mut scores: Map<String, Value> = PREFERENCES
            .iter()
            .map(|&name| {
                let score = if high.contains(&name) {
                    75 + random.below(26)
                } else {
                    10 + random.below(60)
                };
                (name.into(), score.into())
            })
            .collect();
        let other = random.unit() < 0.1;
        scores["other"] = if other { 90 } else { 50 }.into();
        let other_text = other.then_some("answers in my language");
        scores.insert("other_text".into(), other_text.into());
        scores
    }
}

/// The preferences, in the order of the official files.
const PREFERENCES: [&str; 9] = [
    "values",
    "creativity",
    "fluency",
    "factuality",
    "diversity",
    "safety",
    "personalisation",
    "helpfulness",
    "other",
];

/// The use cases, in the order of the official files.
const USE_CASES: [&str; 19] = [
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

fn unsaid() -> Value {
    json!({
        "self_described": PREFER_NOT_TO_SAY,
        "categorised": PREFER_NOT_TO_SAY,
        "simplified": PREFER_NOT_TO_SAY,
    })
}

fn location([name, code, region, subregion]: [&str; 4]) -> Value {
    json!({
        "birth_country": name,
        "birth_countryISO": code,
        "birth_region": region,
        "birth_subregion": subregion,
        "reside_country": name,
        "reside_countryISO": code,
        "reside_region": region,
        "reside_subregion": subregion,
        "same_birth_reside_country": "Yes",
        "special_region": null,
    })
}

/// 0 or 1 by use case; null where nobody asked.
fn used_for(random: &mut Random, uses: bool) -> Map<String, Value> {
    let mut case = |_| uses.then(|| usize::from(random.unit() < 0.3));
    let mut cases = by_case(std::array::from_fn(&mut case));
    cases["other"] = uses.then_some(0).into();
    cases.insert("other_text".into(), Value::Null);
    cases
}

/// The place on the screen by use case.
fn shown(random: &mut Random, uses: bool) -> Map<String, Value> {
    let mut order: [usize; USE_CASES.len()] = std::array::from_fn(|place| place + 1);
    random.shuffle(&mut order);
    by_case(order.map(|place| uses.then_some(place)))
}

fn by_case(numbers: [Option<usize>; USE_CASES.len()]) -> Map<String, Value> {
    let named = USE_CASES.into_iter().zip(numbers);
    named
        .map(|(name, number)| (name.into(), number.into()))
        .collect()
}

/// Random from 1 to 8; `other` is always the ninth.
fn display_order(random: &mut Random) -> Map<String, Value> {
    let mut order = [1, 2, 3, 4, 5, 6, 7, 8];
    random.shuffle(&mut order);
    let places = order.into_iter().chain([9]);
    let named = PREFERENCES.into_iter().zip(places);
    named
        .map(|(name, place)| (name.into(), place.into()))
        .collect()
}
