//! PRISM: from files to data; what is left out and what is an error.

use std::fs;
use std::path::PathBuf;

use pref_data::mini::prism::{MiniPrism, SEED, generate, json_lines};
use pref_data::prism::prepare::{
    NO_COMPARISON, NO_CONVERSATION, NO_SURVEY, ON_TWO_SIDES, SECOND_DIALOGUE, SECOND_SURVEY,
    UNFINISHED,
};
use pref_data::prism::{
    Conversation, Survey, TopPreferences, UserProfile, read_conversations, read_survey,
};
use pref_data::{DataError, PrismData, PrismOptions, ReadOptions, SplitError, UserId};
use serde_json::{Value, json};
use tempfile::TempDir;

fn survey() -> Survey {
    generate(SEED).survey.remove(0)
}

/// A folder with the two files.
fn folder(mini: &MiniPrism) -> TempDir {
    let folder = TempDir::new().unwrap();
    let put = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    put("survey.jsonl", json_lines(&mini.survey).unwrap());
    put(
        "conversations.jsonl",
        json_lines(&mini.conversations).unwrap(),
    );
    folder
}

fn load(folder: &TempDir) -> Result<PrismData, DataError> {
    PrismData::load(&[folder.path()], &PrismOptions::default())
}

#[test]
fn records_survive_writing_and_reading() {
    let mini = generate(SEED);
    let folder = folder(&mini);
    let path = |name: &str| vec![folder.path().join(name)];
    let strict = ReadOptions::default();
    let survey = read_survey(&path("survey.jsonl"), strict).unwrap();
    assert_eq!(survey.read_all().unwrap().0, mini.survey);
    let conversations = read_conversations(&path("conversations.jsonl"), strict).unwrap();
    assert_eq!(conversations.read_all().unwrap().0, mini.conversations);
}

/// The rows of `utterances.jsonl` that say the same.
fn utterances(conversations: &[Conversation]) -> String {
    let mut text = String::new();
    for conversation in conversations {
        let record = serde_json::to_value(conversation).unwrap();
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
    let mini = generate(SEED);
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
    assert!(expected.feedback("c90000").is_some());
    assert!(data.feedback("c90000").is_none());
    let mut backwards: Vec<&str> = rows.lines().collect();
    backwards.reverse();
    fs::write(folder.path().join("utterances.jsonl"), backwards.join("\n")).unwrap();
    let data = load(&folder).unwrap();
    assert_eq!(data.split.train.len(), expected.split.train.len());
    assert_eq!(data.parts(), expected.parts());
}

#[test]
fn users_without_survey_or_conversation_are_left_out_and_counted() {
    let mut mini = generate(SEED);
    let second = mini.survey[0].clone();
    mini.survey.push(second);
    let twice = mini.conversations[0].clone();
    mini.conversations.push(twice);
    let mut unfinished = mini.conversations[1].clone();
    unfinished.conversation_id = "c1".into();
    unfinished.user_id = UserId::new("user9096");
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
    assert!(data.profile(&UserId::new("user9096")).is_none());
    assert!(data.profile(&UserId::new("user9000")).is_some());
}

#[test]
fn released_behaviour_shows_preferences_by_display_order_and_validates_on_nothing() {
    let folder = folder(&generate(SEED));
    let data = PrismData::load(&[folder.path()], &PrismOptions::released()).unwrap();
    assert!(data.split.validation.is_empty());
    let survey = survey();
    let shown = UserProfile::of(&survey, TopPreferences::DisplayOrder);
    assert_eq!(data.profile(&survey.user_id), Some(&shown));
}

#[test]
fn without_a_survey_users_have_no_text() {
    let folder = folder(&generate(SEED));
    let path = folder.path().join("conversations.jsonl");
    let data = PrismData::load(&[path], &PrismOptions::default()).unwrap();
    assert!(data.split.train.iter().all(|one| one.user_text.is_none()));
    assert_eq!(data.skipped.count(NO_SURVEY), 0);
}

#[test]
fn the_same_pair_of_two_users_is_on_one_side_only() {
    let mini = generate(SEED);
    let conversations = mini.conversations.iter().take(60).flat_map(|conversation| {
        let mut twin = conversation.clone();
        twin.conversation_id = format!("{}-twin", conversation.conversation_id);
        twin.user_id = UserId::new(format!("{}-twin", conversation.user_id));
        [conversation.clone(), twin]
    });
    let conversations: Vec<Conversation> = conversations.collect();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("c.jsonl");
    fs::write(&path, json_lines(&conversations).unwrap()).unwrap();
    let data = PrismData::load(&[path], &PrismOptions::default()).unwrap();
    data.split.check_disjoint().unwrap();
    assert!(data.skipped.count(ON_TWO_SIDES) > 0);
}

#[test]
fn numbers_written_as_floats_and_absent_objects_are_understood() {
    let survey = survey();
    let mut record = serde_json::to_value(&survey).unwrap();
    record["num_completed_conversations"] = json!(5.0);
    record["lm_usecases"] = Value::Null;
    record["order_lm_usecases"] = Value::Null;
    record["location"]
        .as_object_mut()
        .unwrap()
        .remove("birth_region");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("survey.jsonl");
    fs::write(&path, record.to_string()).unwrap();
    let (read, _) = read_survey(&[&path], ReadOptions::default())
        .unwrap()
        .read_all()
        .unwrap();
    assert_eq!(read[0].num_completed_conversations, 5);
    assert_eq!(read[0].lm_usecases.cases.0, [None; 19]);
    assert_eq!(read[0].location.birth_region, None);
}

#[test]
fn a_broken_record_is_named_by_file_line_and_field_or_counted() {
    let mini = generate(SEED);
    let folder = folder(&mini);
    let path: PathBuf = folder.path().join("conversations.jsonl");
    let mut records: Vec<Value> = mini
        .conversations
        .iter()
        .map(|one| serde_json::to_value(one).unwrap())
        .collect();
    records[2]["conversation_history"][1]["score"] = json!("high");
    records[4]["conversation_history"][0]["role"] = json!("judge");
    records[6]["conversation_type"] = json!("free");
    fs::write(&path, json_lines(&records).unwrap()).unwrap();
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
    let reason = "broken record, field `conversation_type`: expected `unguided`, `values guided` or \
                  `controversy guided`";
    assert_eq!(data.skipped.count(reason), 1);
}

#[test]
fn missing_files_and_hopeless_data_are_errors() {
    let folder = TempDir::new().unwrap();
    let survey = folder.path().join("survey.jsonl");
    fs::write(&survey, json_lines(&[self::survey()]).unwrap()).unwrap();
    let error = PrismData::load(&[&survey], &PrismOptions::default());
    assert!(matches!(error, Err(DataError::NoFiles { .. })));
    let mut one = generate(SEED).conversations;
    one.truncate(1);
    let path = folder.path().join("conversations.jsonl");
    fs::write(&path, json_lines(&one).unwrap()).unwrap();
    let error = PrismData::load(&[&path], &PrismOptions::default());
    let expected = SplitError::NoSeenUser { users: 1 };
    assert!(matches!(error, Err(DataError::Split(found)) if found == expected));
    one[0].conversation_history.clear();
    fs::write(&path, json_lines(&one).unwrap()).unwrap();
    let error = PrismData::load(&[&path], &PrismOptions::default());
    assert!(matches!(error, Err(DataError::Empty { .. })));
}
