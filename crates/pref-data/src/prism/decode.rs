//! From JSON to the records of the three files.

use std::path::Path;

use crate::error::DataError;
use crate::fields::{Fields, describe};
use crate::files::Format;
use crate::options::ReadOptions;
use crate::prism::conversation::{
    ATTRIBUTES, Attributes, Conversation, ConversationType, HistoryItem,
};
use crate::prism::survey::{
    Categorised, Location, Preference, PreferenceNumbers, StatedPreferences, Survey, USE_CASES,
    UseCases, UsedFor,
};
use crate::prism::utterance::Utterance;
use crate::reader::{Decoded, Reader};
use crate::types::UserId;

/// Streams `survey.jsonl` (or the same records as a JSON array).
///
/// # Errors
/// [`DataError`] if no file is found; the iterator yields what goes wrong later.
pub fn read_survey<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Survey>, DataError> {
    Reader::open(paths, &[Format::Json], options, survey)
}

/// Streams `conversations.jsonl` (or the same records as a JSON array).
///
/// # Errors
/// As [`read_survey`].
pub fn read_conversations<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Conversation>, DataError> {
    Reader::open(paths, &[Format::Json], options, conversation)
}

/// Streams `utterances.jsonl` (or the same records as a JSON array).
///
/// # Errors
/// As [`read_survey`].
pub fn read_utterances<P: AsRef<Path>>(
    paths: &[P],
    options: ReadOptions,
) -> Result<Reader<Utterance>, DataError> {
    Reader::open(paths, &[Format::Json], options, utterance)
}

fn survey(fields: &Fields) -> Result<Decoded<Survey>, DataError> {
    Ok(Decoded::Keep(Survey {
        user_id: UserId::new(fields.name("user_id")?),
        survey_only: fields.flag("survey_only")?,
        num_completed_conversations: fields.whole("num_completed_conversations")?,
        consent: fields.text("consent")?,
        consent_age: fields.text("consent_age")?,
        lm_familiarity: fields.text("lm_familiarity")?,
        lm_indirect_use: fields.text("lm_indirect_use")?,
        lm_direct_use: fields.text("lm_direct_use")?,
        lm_frequency_use: fields.optional_text("lm_frequency_use")?,
        self_description: fields.text("self_description")?,
        system_string: fields.text("system_string")?,
        age: fields.text("age")?,
        gender: fields.text("gender")?,
        employment_status: fields.text("employment_status")?,
        education: fields.text("education")?,
        marital_status: fields.text("marital_status")?,
        english_proficiency: fields.text("english_proficiency")?,
        study_id: fields.name("study_id")?,
        study_locale: fields.text("study_locale")?,
        religion: categorised(&fields.object("religion")?)?,
        ethnicity: categorised(&fields.object("ethnicity")?)?,
        location: location(&fields.object("location")?)?,
        lm_usecases: used_for(fields.optional_object("lm_usecases")?)?,
        stated_prefs: stated_preferences(&fields.object("stated_prefs")?)?,
        order_lm_usecases: use_cases(fields.optional_object("order_lm_usecases")?.as_ref())?,
        order_stated_prefs: preference_numbers(&fields.object("order_stated_prefs")?)?,
        generated_datetime: fields.text("generated_datetime")?,
        timing_duration_s: fields.number("timing_duration_s")?,
        timing_duration_mins: fields.number("timing_duration_mins")?,
        included_in_US_REP: fields.flag("included_in_US_REP")?,
        included_in_UK_REP: fields.flag("included_in_UK_REP")?,
        included_in_balanced_subset: fields.flag("included_in_balanced_subset")?,
    }))
}

fn categorised(fields: &Fields) -> Result<Categorised, DataError> {
    Ok(Categorised {
        self_described: fields.text("self_described")?,
        categorised: fields.text("categorised")?,
        simplified: fields.text("simplified")?,
    })
}

fn location(fields: &Fields) -> Result<Location, DataError> {
    Ok(Location {
        birth_country: fields.text("birth_country")?,
        birth_countryISO: fields.text("birth_countryISO")?,
        birth_region: fields.optional_text("birth_region")?,
        birth_subregion: fields.optional_text("birth_subregion")?,
        reside_country: fields.text("reside_country")?,
        reside_countryISO: fields.text("reside_countryISO")?,
        reside_region: fields.optional_text("reside_region")?,
        reside_subregion: fields.optional_text("reside_subregion")?,
        same_birth_reside_country: fields.text("same_birth_reside_country")?,
        special_region: fields.optional_text("special_region")?,
    })
}

fn used_for(fields: Option<Fields>) -> Result<UsedFor, DataError> {
    let Some(fields) = fields else {
        return Ok(UsedFor::default());
    };
    Ok(UsedFor {
        cases: use_cases(Some(&fields))?,
        other_text: fields.optional_text("other_text")?,
    })
}

fn use_cases(fields: Option<&Fields>) -> Result<UseCases, DataError> {
    let mut cases = UseCases::default();
    if let Some(fields) = fields {
        for (case, name) in cases.0.iter_mut().zip(USE_CASES) {
            *case = fields.optional_whole(name)?;
        }
    }
    Ok(cases)
}

fn stated_preferences(fields: &Fields) -> Result<StatedPreferences, DataError> {
    Ok(StatedPreferences {
        scores: preference_numbers(fields)?,
        other_text: fields.optional_text("other_text")?,
    })
}

fn preference_numbers(fields: &Fields) -> Result<PreferenceNumbers, DataError> {
    let mut numbers = PreferenceNumbers::default();
    for (number, preference) in numbers.0.iter_mut().zip(Preference::ALL) {
        *number = fields.whole(preference.name())?;
    }
    Ok(numbers)
}

fn conversation(fields: &Fields) -> Result<Decoded<Conversation>, DataError> {
    Ok(Decoded::Keep(Conversation {
        conversation_id: fields.name("conversation_id")?,
        user_id: UserId::new(fields.name("user_id")?),
        conversation_type: conversation_type(fields)?,
        opening_prompt: fields.text("opening_prompt")?,
        conversation_turns: fields.whole("conversation_turns")?,
        conversation_history: history(fields)?,
        performance_attributes: attributes(&fields.object("performance_attributes")?)?,
        choice_attributes: attributes(&fields.object("choice_attributes")?)?,
        open_feedback: fields.text("open_feedback")?,
        generated_datetime: fields.text("generated_datetime")?,
        timing_duration_s: fields.number("timing_duration_s")?,
        timing_duration_mins: fields.number("timing_duration_mins")?,
        included_in_balanced_subset: fields.flag("included_in_balanced_subset")?,
    }))
}

fn conversation_type(fields: &Fields) -> Result<ConversationType, DataError> {
    let text = fields.text("conversation_type")?;
    let known = ConversationType::ALL
        .into_iter()
        .find(|kind| kind.name() == text);
    known.ok_or_else(|| {
        fields.wrong(
            "conversation_type",
            "`unguided`, `values guided` or `controversy guided`",
        )
    })
}

fn attributes(fields: &Fields) -> Result<Attributes, DataError> {
    let mut attributes = Attributes::default();
    for (rating, attribute) in attributes.0.iter_mut().zip(ATTRIBUTES) {
        *rating = fields.optional_whole(attribute.name())?;
    }
    Ok(attributes)
}

fn history(fields: &Fields) -> Result<Vec<HistoryItem>, DataError> {
    const NAME: &str = "conversation_history";
    fields
        .list(NAME)?
        .iter()
        .enumerate()
        .map(|(index, value)| history_item(&fields.item(NAME, index, value)?))
        .collect()
}

fn history_item(fields: &Fields) -> Result<HistoryItem, DataError> {
    let (turn, content) = (fields.whole("turn")?, fields.text("content")?);
    match fields.text("role")?.as_str() {
        "user" => Ok(HistoryItem::User { turn, content }),
        "model" => Ok(HistoryItem::Model {
            turn,
            content,
            model_provider: fields.text("model_provider")?,
            model_name: fields.text("model_name")?,
            score: fields.whole("score")?,
            if_chosen: fields.flag("if_chosen")?,
            within_turn_id: fields.whole("within_turn_id")?,
        }),
        _ => Err(fields.error("role", describe(fields.get("role")), "`user` or `model`")),
    }
}

fn utterance(fields: &Fields) -> Result<Decoded<Utterance>, DataError> {
    Ok(Decoded::Keep(Utterance {
        utterance_id: fields.name("utterance_id")?,
        interaction_id: fields.name("interaction_id")?,
        conversation_id: fields.name("conversation_id")?,
        user_id: UserId::new(fields.name("user_id")?),
        turn: fields.whole("turn")?,
        within_turn_id: fields.whole("within_turn_id")?,
        conversation_type: conversation_type(fields)?,
        user_prompt: fields.text("user_prompt")?,
        model_response: fields.text("model_response")?,
        model_name: fields.text("model_name")?,
        model_provider: fields.text("model_provider")?,
        score: fields.whole("score")?,
        if_chosen: fields.flag("if_chosen")?,
        included_in_balanced_subset: fields.flag("included_in_balanced_subset")?,
    }))
}
