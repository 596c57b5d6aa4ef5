//! Mangled PRISM files: never a crash; every error of a record names the file and a line.

mod mangling;

use std::fs;
use std::path::Path;

use pref_data::prism::{ComparisonOptions, PrismData, PrismOptions, read_dialogues};
use pref_data::{DataError, ReadOptions, Skipped};
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use mangling::{edits, mangle};

const UTTERANCE: &str = r#"{"utterance_id":"ut0","interaction_id":"int0","conversation_id":"c0","user_id":"user0","turn":0,"within_turn_id":0,"conversation_type":"unguided","user_prompt":"q","model_response":"a","model_name":"m","model_provider":"p","score":7,"if_chosen":true,"included_in_balanced_subset":true}
"#;

/// The first lines of a file of the mini data.
fn lines(name: &str, count: usize) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini/prism");
    let text = fs::read_to_string(folder.join(name)).unwrap();
    text.lines()
        .take(count)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// A small survey and a few conversations.
fn small() -> (String, String) {
    (lines("survey.jsonl", 3), lines("conversations.jsonl", 14))
}

fn options(lenient: bool) -> PrismOptions {
    PrismOptions {
        read: ReadOptions { lenient },
        ..PrismOptions::default()
    }
}

/// Reads both files as dialogues, each beside the other, then both as a data set.
fn check(survey: &[u8], conversations: &[u8]) -> Result<(), TestCaseError> {
    let folder = TempDir::new().unwrap();
    let paths = ["survey.jsonl", "conversations.jsonl"].map(|name| folder.path().join(name));
    fs::write(&paths[0], survey).unwrap();
    fs::write(&paths[1], conversations).unwrap();
    for lenient in [false, true] {
        let read = ReadOptions { lenient };
        for path in &paths {
            let dialogues = read_dialogues(&[path], read).unwrap();
            for error in dialogues.filter_map(Result::err) {
                names_a_line(error, path)?;
            }
        }
        match PrismData::load(&[folder.path()], &options(lenient)) {
            Ok(data) => {
                data.split.validate_disjoint().unwrap();
                prop_assert!(!data.stats().to_string().is_empty());
            }
            Err(DataError::Record(record)) => {
                let path = paths.iter().find(|path| **path == record.path);
                prop_assert!(record.line > 0 && path.is_some());
            }
            Err(DataError::NoFiles { .. } | DataError::Empty { .. } | DataError::Split(_)) => {}
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
    Ok(())
}

fn names_a_line(error: DataError, path: &Path) -> Result<(), TestCaseError> {
    let DataError::Record(record) = error else {
        return Err(TestCaseError::fail(error.to_string()));
    };
    prop_assert!(record.line > 0 && record.path == path);
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

fn is_empty(text: &str) -> bool {
    ["", "EMPTY STRING"].contains(&text.trim())
}

/// A turn: what the user says, and each response with whether it is chosen.
type Talk = Vec<(&'static str, Vec<(&'static str, bool)>)>;

/// Dialogues with empty texts, equal ones, several chosen responses or none, and turns without responses.
fn any_talk() -> impl Strategy<Value = Talk> {
    let text = prop::sample::select(vec!["EMPTY STRING", "", " ", "a", "b", "Yes, \"c\"\n"]);
    let response = (text.clone(), any::<bool>());
    prop::collection::vec((text, prop::collection::vec(response, 0..5)), 0..5)
}

/// The talk as a line of `conversations.jsonl`.
fn line(talk: &Talk) -> String {
    let mut record: Value = serde_json::from_str(&lines("conversations.jsonl", 1)).unwrap();
    let mut history = Vec::new();
    for (turn, (message, responses)) in talk.iter().enumerate() {
        history.push(json!({"role": "user", "turn": turn, "content": message}));
        for (place, (text, chosen)) in responses.iter().enumerate() {
            history.push(json!({
                "role": "model", "turn": turn, "content": text, "model_provider": "p", "model_name": "m",
                "score": 50, "if_chosen": chosen, "within_turn_id": place,
            }));
        }
    }
    record["conversation_history"] = history.into();
    record.to_string() + "\n"
}

/// One record of a file spoilt, in ways that a file is spoilt by hands and programs.
fn spoil(line: &str, kind: usize, place: usize) -> Vec<u8> {
    let number = |text: &str| line.replacen("\"score\":", &format!("\"score\":{text},\"x\":"), 1);
    let field = |text: &str| line.replacen("\"role\":\"user\"", &format!("\"role\":{text}"), 1);
    match kind {
        0 => line.as_bytes()[..1 + place % (line.len() - 1)].to_vec(),
        1 => [&line.as_bytes()[..20], b"\xff\xfe", &line.as_bytes()[20..]].concat(),
        2 => number("1e400").into(),
        3 => number("18446744073709551616").into(),
        4 => number("-9223372036854775809").into(),
        5 => number("7.5").into(),
        6 => number("null").into(),
        7 => field("null").into(),
        8 => field("[\"user\"]").into(),
        9 => field("\"system\"").into(),
        _ => line
            .replacen(
                "\"conversation_history\":[",
                "\"conversation_history\":[null,",
                1,
            )
            .into(),
    }
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
        let text = |records: &[Value]| -> String {
            records.iter().map(|record| format!("{record}\n")).collect()
        };
        check(text(&survey).as_bytes(), text(&conversations).as_bytes())?;
    }

    /// One spoilt line costs that line only, and the error says which one it was.
    #[test]
    fn a_spoilt_line(at in 0usize..4, kind in 0usize..11, place in any::<usize>()) {
        let (_, conversations) = small();
        let mut bytes = Vec::new();
        for (number, line) in conversations.lines().take(4).enumerate() {
            match number == at {
                true => bytes.extend(spoil(line, kind, place)),
                false => bytes.extend(line.as_bytes()),
            }
            bytes.push(b'\n');
        }
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("conversations.jsonl");
        fs::write(&path, bytes).unwrap();
        let mut reader = read_dialogues(&[&path], ReadOptions { lenient: true }).unwrap();
        prop_assert_eq!(reader.by_ref().filter(Result::is_ok).count(), 3);
        prop_assert_eq!(reader.skipped().total(), 1);
        let errors = read_dialogues(&[&path], ReadOptions::default()).unwrap();
        let errors: Vec<DataError> = errors.filter_map(Result::err).collect();
        prop_assert_eq!(errors.len(), 1);
        let start = format!("{}:{}: field `", path.display(), at + 1);
        prop_assert!(errors[0].to_string().starts_with(&start), "{}", errors[0]);
    }

    /// Whatever is said and chosen: comparisons are between texts that say something, and no turn and no response vanishes.
    #[test]
    fn any_turns(talk in any_talk()) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("conversations.jsonl");
        fs::write(&path, line(&talk)).unwrap();
        let mut reader = read_dialogues(&[&path], ReadOptions::default()).unwrap();
        let dialogue = reader.next().unwrap().unwrap();
        prop_assert_eq!(dialogue.turns.len(), talk.len());
        let mut skipped = Skipped::default();
        let found = dialogue.comparisons(None, ComparisonOptions::default(), &mut skipped);
        let count = |reason: &str| skipped.count(reason) as usize;
        for one in &found {
            prop_assert!(!is_empty(&one.chosen) && !is_empty(&one.rejected));
            prop_assert!(one.chosen != one.rejected);
        }
        let says = |message: &str, responses: &[(&str, bool)]| {
            let chosen = responses.iter().find(|(_, chosen)| *chosen);
            !is_empty(message) && chosen.is_some_and(|(text, _)| !is_empty(text))
        };
        let (known, unknown): (Vec<_>, Vec<_>) =
            talk.iter().partition(|(message, responses)| says(message, responses));
        let left_out = count("turn without a message of the user") + count("turn without a chosen response") + count("turn whose chosen response is empty");
        prop_assert_eq!(left_out, unknown.len());
        let rejected = |(_, responses): &&(&str, Vec<(&str, bool)>)| {
            responses.iter().filter(|(_, chosen)| !chosen).count()
        };
        let all: usize = known.iter().map(rejected).sum();
        prop_assert_eq!(found.len() + count("empty rejected response") + count("rejected response equal to a chosen one"), all);
        let mut prompts: Vec<_> = found.iter().map(|one| &one.prompt).collect();
        prompts.dedup();
        prop_assert_eq!(prompts.len() + count("turn without a rejected response"), known.len());
    }
}
