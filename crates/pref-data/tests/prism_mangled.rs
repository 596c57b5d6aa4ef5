//! Mangled PRISM files: never a crash; every error of a record names the file and a line.

mod mangling;

use std::fs;

use pref_data::mini::prism::{SEED, generate, json_lines};
use pref_data::prism::{read_conversations, read_survey, read_utterances};
use pref_data::{DataError, PrismData, PrismOptions, ReadOptions};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use mangling::{edits, mangle};

const UTTERANCE: &str = r#"{"utterance_id":"ut0","interaction_id":"int0","conversation_id":"c0","user_id":"user0","turn":0,"within_turn_id":0,"conversation_type":"unguided","user_prompt":"q","model_response":"a","model_name":"m","model_provider":"p","score":7,"if_chosen":true,"included_in_balanced_subset":true}
"#;

/// A small survey and a few conversations.
fn small() -> (String, String) {
    let mut mini = generate(SEED);
    mini.survey.truncate(3);
    mini.conversations.truncate(14);
    let survey = json_lines(&mini.survey).unwrap();
    (survey, json_lines(&mini.conversations).unwrap())
}

fn options(lenient: bool) -> PrismOptions {
    PrismOptions {
        read: ReadOptions { lenient },
        ..PrismOptions::default()
    }
}

/// Reads a file as each of the three; then both files as a data set.
fn check(survey: &[u8], conversations: &[u8]) -> Result<(), TestCaseError> {
    let folder = TempDir::new().unwrap();
    let paths = ["survey.jsonl", "conversations.jsonl"].map(|name| folder.path().join(name));
    fs::write(&paths[0], survey).unwrap();
    fs::write(&paths[1], conversations).unwrap();
    for lenient in [false, true] {
        let read = ReadOptions { lenient };
        for path in &paths {
            let path = [path];
            let errors = read_survey(&path, read).unwrap().filter_map(Result::err);
            let more = read_conversations(&path, read).unwrap();
            let errors = errors.chain(more.filter_map(Result::err));
            let more = read_utterances(&path, read).unwrap();
            for error in errors.chain(more.filter_map(Result::err)) {
                let DataError::Record(record) = error else {
                    return Err(TestCaseError::fail(error.to_string()));
                };
                prop_assert!(record.line > 0 && record.path == *path[0]);
            }
        }
        let data = PrismData::load(&[folder.path()], &options(lenient));
        if let Ok(data) = data {
            data.split.check_disjoint().unwrap();
            prop_assert!(!data.stats().to_string().is_empty());
        }
    }
    Ok(())
}

/// Any JSON, to stand where something else is expected.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!("EMPTY STRING")),
        "[a-z\u{1F600} ]{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([{"role": "user", "turn": -3, "content": "x"}])),
    ]
}

/// Puts a value at the place with this number, counting all places of a record in depth; or removes the field.
fn replace(record: &mut Value, place: &mut usize, new: &Value, remove: bool) -> bool {
    let children: Vec<&mut Value> = match record {
        Value::Object(map) => {
            if *place < map.len() {
                let key = map.keys().nth(*place).unwrap().clone();
                if remove {
                    map.remove(&key);
                } else {
                    map.insert(key, new.clone());
                }
                return true;
            }
            *place -= map.len();
            map.values_mut().collect()
        }
        Value::Array(items) => items.iter_mut().collect(),
        _ => return false,
    };
    children
        .into_iter()
        .any(|child| replace(child, place, new, remove))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn bytes(edits in edits(), more in edits()) {
        let (survey, conversations) = small();
        check(&mangle(&survey, &edits), &mangle(&conversations, &more))?;
        check(survey.as_bytes(), &mangle(&UTTERANCE.repeat(3), &edits))?;
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&bytes, &bytes)?;
    }

    #[test]
    fn fields(
        changes in prop::collection::vec((0usize..120, 0usize..3, any_value(), any::<bool>()), 1..5)
    ) {
        let (survey, conversations) = small();
        let parsed = |text: &str| -> Vec<Value> {
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let (mut survey, mut conversations) = (parsed(&survey), parsed(&conversations));
        for (place, record, value, remove) in &changes {
            replace(&mut survey[*record], &mut place.clone(), value, *remove);
            replace(&mut conversations[*record], &mut place.clone(), value, *remove);
        }
        let text = |records: &[Value]| json_lines(records).unwrap();
        check(text(&survey).as_bytes(), text(&conversations).as_bytes())?;
    }
}
