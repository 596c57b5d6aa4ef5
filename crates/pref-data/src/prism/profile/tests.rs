//! From a survey to a user's text.

use super::*;

fn survey() -> Survey {
    let said = || "Said.".to_owned();
    Survey {
        user_id: UserId::new("user0"),
        survey_only: false,
        num_completed_conversations: 6,
        self_description: said(),
        system_string: said(),
        age: said(),
        gender: said(),
        employment_status: said(),
        education: said(),
        marital_status: said(),
        english_proficiency: said(),
        stated_prefs: [0; 9],
        order_stated_prefs: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    }
}

#[test]
fn preferences_are_the_highest_scores_and_ties_go_by_name() {
    let mut survey = survey();
    let scores = [
        ("values", 10),
        ("creativity", 80),
        ("fluency", 90),
        ("factuality", 80),
        ("diversity", 80),
        ("safety", 0),
        ("personalisation", 5),
        ("helpfulness", 7),
        ("other", 100),
    ];
    for (preference, (name, score)) in Preference::ALL.into_iter().zip(scores) {
        assert_eq!(preference.name(), name);
        survey.stated_prefs[preference as usize] = score;
    }
    survey.order_stated_prefs = [3, 8, 7, 6, 5, 1, 4, 2, 9];
    let names = |top: TopPreferences| top.of(&survey).map(Preference::name);
    assert_eq!(
        names(TopPreferences::ByScore),
        ["fluency", "creativity", "diversity"]
    );
    assert_eq!(
        names(TopPreferences::DisplayOrder),
        ["safety", "helpfulness", "values"]
    );
}

#[test]
fn user_text_says_description_preferences_and_demographics_in_order() {
    let mut survey = survey();
    survey.self_description = " I like tea. ".into();
    survey.age = "65+ years old".into();
    survey.gender = "Prefer not to say".into();
    survey.education = "Vocational".into();
    survey.employment_status = "Retired".into();
    survey.marital_status = "Married".into();
    survey.english_proficiency = "Fluent".into();
    survey.system_string = "Be brief.".into();
    survey.stated_prefs = [9, 8, 7, 0, 0, 0, 0, 0, 0];
    let profile = UserProfile::of(&survey, TopPreferences::ByScore);
    assert_eq!(
        profile.text(),
        "self_description: I like tea.; preference: values, creativity, fluency; age: 65+ years old; \
         education: Vocational; employment: Retired; marital: Married; english_proficiency: Fluent;"
    );
    assert_eq!(profile.system_string.as_deref(), Some("Be brief."));
    survey.self_description = "EMPTY STRING".into();
    let profile = UserProfile::of(&survey, TopPreferences::ByScore);
    assert!(profile.text().starts_with("preference: values,"));
}
