//! PRISM: from files to data; what is left out and what is an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pref_data::prism::{PrismData, PrismOptions};
use pref_data::{Comparison, DataError, ReadOptions, SplitError, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;

const NO_CONVERSATION: &str = "user without a finished conversation";
const NO_SURVEY: &str = "dialogue of a user without a survey";
const SECOND_SURVEY: &str = "second survey of a user";
const SECOND_DIALOGUE: &str = "second dialogue with the same id";
const UNFINISHED: &str = "dialogue of a user without a finished conversation";
const NO_COMPARISON: &str = "dialogue without a comparison";
const ON_TWO_SIDES: &str = "comparison whose pair is in training, or in test";

/// The records of the mini data.
struct Mini {
    survey: Vec<Value>,
    conversations: Vec<Value>,
}

fn mini() -> Mini {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/prism");
    let records = |name: &str| {
        let text = fs::read_to_string(folder.join(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    Mini {
        survey: records("survey.jsonl"),
        conversations: records("conversations.jsonl"),
    }
}

fn json_lines(records: &[Value]) -> String {
    records.iter().map(|record| format!("{record}\n")).collect()
}

/// A folder with the two files.
fn folder(mini: &Mini) -> TempDir {
    let folder = TempDir::new().unwrap();
    let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    put("survey.jsonl", json_lines(&mini.survey));
    put("conversations.jsonl", json_lines(&mini.conversations));
    folder
}

fn load(folder: &TempDir) -> Result<PrismData, DataError> {
    PrismData::load(&[folder.path()], &PrismOptions::default())
}

/// The rows of `utterances.jsonl` that say the same.
fn utterances(conversations: &[Value]) -> String {
    let mut text = String::new();
    for record in conversations {
        let history = record["conversation_history"].as_array().unwrap();
        let mut prompt = Value::Null;
        for item in history {
            if item["role"] == "user" {
                prompt = item["content"].clone();
                continue;
            }
            let row = json!({
                "utterance_id": format!("ut{}", text.len()),
                "interaction_id": format!("int{}", item["turn"]),
                "conversation_id": record["conversation_id"],
                "user_id": record["user_id"],
                "turn": item["turn"],
                "within_turn_id": item["within_turn_id"],
                "conversation_type": record["conversation_type"],
                "user_prompt": prompt,
                "model_response": item["content"],
                "model_name": item["model_name"],
                "model_provider": item["model_provider"],
                "score": item["score"],
                "if_chosen": item["if_chosen"],
                "included_in_balanced_subset": true,
            });
            text.push_str(&format!("{row}\n"));
        }
    }
    text
}

#[test]
fn utterances_give_the_same_comparisons_in_any_order_of_rows() {
    let mini = mini();
    let folder = folder(&mini);
    let expected = load(&folder).unwrap();
    fs::remove_file(folder.path().join("conversations.jsonl")).unwrap();
    let rows = utterances(&mini.conversations);
    fs::write(folder.path().join("utterances.jsonl"), &rows).unwrap();
    // Files beside them are left alone.
    fs::write(folder.path().join("models.jsonl"), "{\"long_name\": 1}\n").unwrap();
    fs::write(
        folder.path().join("metadata.jsonl"),
        "{\"column_id\": 1, \"utterance_id\": null}\n",
    )
    .unwrap();
    let data = load(&folder).unwrap();
    assert_eq!(data.split, expected.split);
    assert_eq!(data.skipped, expected.skipped);
    let mut backwards: Vec<&str> = rows.lines().collect();
    backwards.reverse();
    fs::write(folder.path().join("utterances.jsonl"), backwards.join("\n")).unwrap();
    let data = load(&folder).unwrap();
    let sources = |side: &[Comparison]| -> BTreeSet<String> {
        side.iter().map(|one| one.source.clone()).collect()
    };
    for (found, expected) in [
        (&data.split.train, &expected.split.train),
        (&data.split.validation, &expected.split.validation),
        (&data.split.test, &expected.split.test),
    ] {
        assert_eq!(found.len(), expected.len());
        assert_eq!(sources(found), sources(expected));
    }
}

#[test]
fn users_without_survey_or_conversation_are_left_out_and_counted() {
    let mut mini = mini();
    let second = mini.survey[0].clone();
    mini.survey.push(second);
    let twice = mini.conversations[0].clone();
    mini.conversations.push(twice);
    let mut unfinished = mini.conversations[1].clone();
    unfinished["conversation_id"] = json!("c1");
    unfinished["user_id"] = json!("user9064");
    mini.conversations.push(unfinished);
    let data = load(&folder(&mini)).unwrap();
    for (reason, count) in [
        (NO_CONVERSATION, 2),
        (NO_SURVEY, 2),
        (SECOND_SURVEY, 1),
        (SECOND_DIALOGUE, 1),
        (UNFINISHED, 1),
    ] {
        assert_eq!(data.skipped.count(reason), count, "{reason}");
    }
    assert!(data.skipped.count(NO_COMPARISON) > 0);
    assert!(data.profile(&UserId::new("user9064")).is_none());
    assert!(data.profile(&UserId::new("user9000")).is_some());
}

#[test]
fn released_behaviour_shows_preferences_by_display_order_and_validates_on_nothing() {
    let mut mini = mini();
    let survey = &mut mini.survey[0];
    for (name, place) in [("safety", 1), ("fluency", 2), ("values", 3)] {
        survey["order_stated_prefs"][name] = json!(place);
        survey["stated_prefs"][name] = json!(0);
    }
    for name in [
        "creativity",
        "factuality",
        "diversity",
        "personalisation",
        "helpfulness",
    ] {
        survey["order_stated_prefs"][name] = json!(8);
        survey["stated_prefs"][name] = json!(50);
    }
    let user = UserId::new(survey["user_id"].as_str().unwrap());
    let folder = folder(&mini);
    let preferences = |options: &PrismOptions| {
        let data = PrismData::load(&[folder.path()], options).unwrap();
        let names = data
            .profile(&user)
            .unwrap()
            .preferences
            .map(|one| one.name());
        (names, data.split.validation.is_empty())
    };
    let released = preferences(&PrismOptions::released());
    assert_eq!(released, (["safety", "fluency", "values"], true));
    // The highest scores, ties by name.
    let papers = preferences(&PrismOptions::default());
    assert_eq!(papers, (["creativity", "diversity", "factuality"], false));
}

#[test]
fn without_a_survey_users_have_no_text() {
    let folder = folder(&mini());
    let path = folder.path().join("conversations.jsonl");
    let data = PrismData::load(&[path], &PrismOptions::default()).unwrap();
    assert!(data.split.train.iter().all(|one| one.user_text.is_none()));
    assert_eq!(data.skipped.count(NO_SURVEY), 0);
}

#[test]
fn the_same_pair_of_two_users_is_on_one_side_only() {
    let mini = mini();
    let conversations = mini.conversations.iter().take(60).flat_map(|conversation| {
        let mut twin = conversation.clone();
        for name in ["conversation_id", "user_id"] {
            twin[name] = json!(format!("{}-twin", conversation[name].as_str().unwrap()));
        }
        [conversation.clone(), twin]
    });
    let conversations: Vec<Value> = conversations.collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.jsonl");
    fs::write(&path, json_lines(&conversations)).unwrap();
    let data = PrismData::load(&[path], &PrismOptions::default()).unwrap();
    data.split.validate_disjoint().unwrap();
    assert!(data.skipped.count(ON_TWO_SIDES) > 0);
}

#[test]
fn numbers_written_as_floats_and_fields_that_nobody_uses_are_understood() {
    let mut mini = mini();
    let user = mini.survey[0]["user_id"].as_str().unwrap().to_owned();
    let record = mini.survey[0].as_object_mut().unwrap();
    record["num_completed_conversations"] = json!(5.0);
    record["lm_usecases"] = json!("none");
    record.remove("location");
    let data = load(&folder(&mini)).unwrap();
    assert!(data.profile(&UserId::new(user)).is_some());
}

#[test]
fn a_broken_record_is_named_by_file_line_and_field_or_counted() {
    let mini = mini();
    let folder = folder(&mini);
    let path: PathBuf = folder.path().join("conversations.jsonl");
    let mut records = mini.conversations.clone();
    records[2]["conversation_history"][1]["score"] = json!("high");
    records[4]["conversation_history"][0]["role"] = json!("judge");
    records[6]["user_id"] = json!("");
    fs::write(&path, json_lines(&records)).unwrap();
    let error = load(&folder).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "conversations.jsonl:3: field `conversation_history[1].score`: expected an integer, found \
             the text \"high\""
        ),
        "{error}"
    );
    let lenient = PrismOptions {
        read: ReadOptions { lenient: true },
        ..PrismOptions::default()
    };
    let data = PrismData::load(&[folder.path()], &lenient).unwrap();
    assert_eq!(data.dialogues, mini.conversations.len() - 3);
    let reason = "broken record, field `conversation_history[0].role`: expected `user` or `model`";
    assert_eq!(data.skipped.count(reason), 1);
}

#[test]
fn missing_files_and_hopeless_data_are_errors() {
    let folder = TempDir::new().unwrap();
    let survey = folder.path().join("survey.jsonl");
    fs::write(&survey, json_lines(&mini().survey[..1])).unwrap();
    let error = PrismData::load(&[&survey], &PrismOptions::default());
    assert!(matches!(error, Err(DataError::NoFiles { .. })));
    let mut one = mini().conversations;
    one.truncate(1);
    let path = folder.path().join("conversations.jsonl");
    fs::write(&path, json_lines(&one)).unwrap();
    let error = PrismData::load(&[&path], &PrismOptions::default());
    let expected = SplitError::NoSeenUser { users: 1 };
    assert!(matches!(error, Err(DataError::Split(found)) if found == expected));
    one[0]["conversation_history"] = json!([]);
    fs::write(&path, json_lines(&one)).unwrap();
    let error = PrismData::load(&[&path], &PrismOptions::default());
    assert!(matches!(error, Err(DataError::Empty { .. })));
}
