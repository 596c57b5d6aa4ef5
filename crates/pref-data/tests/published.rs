//! Data sets that others published, in small files of our own in their layouts.

use std::fs;
use std::path::{Path, PathBuf};

use pref_data::{
    Comparison, DataOptions, Layout, Message, Prompt, ReadOptions, Skipped, UserId,
    read_comparisons,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a file gives by itself, which is what it gives where its layout is named.
#[track_caller]
fn read(layout: Layout, name: &str, text: &str) -> (Vec<Comparison>, Skipped) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_at(layout, &path)
}

#[track_caller]
fn read_at(layout: Layout, path: &Path) -> (Vec<Comparison>, Skipped) {
    let by_itself = read_comparisons(&[path], ReadOptions::default()).unwrap();
    let options = DataOptions {
        layout: Some(layout),
        ..DataOptions::default()
    };
    let named = read_comparisons(&[path], options).unwrap();
    assert_eq!(by_itself.0, named.0);
    assert_eq!(by_itself.1.to_string(), named.1.to_string());
    named
}

#[track_caller]
fn error(layout: Layout, record: &Value) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, record.to_string()).unwrap();
    let options = DataOptions {
        layout: Some(layout),
        ..DataOptions::default()
    };
    read_comparisons(&[&path], options).unwrap_err().to_string()
}

fn lines(records: &[Value]) -> String {
    let lines = records.iter().map(|record| format!("{record}\n"));
    lines.collect()
}

fn chat(turns: &[(&str, &str)]) -> Prompt {
    let turns = turns.iter();
    Prompt::Chat(
        turns
            .map(|(role, text)| Message::new(*role, *text))
            .collect(),
    )
}

/// User, chosen and rejected of each.
fn pairs(comparisons: &[Comparison]) -> Vec<[&str; 3]> {
    comparisons.iter().map(pair).collect()
}

fn pair(one: &Comparison) -> [&str; 3] {
    let user = one.user.as_ref().map_or("", UserId::as_str);
    [user, &one.chosen, &one.rejected]
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn round(asked: &str, answered: &str) -> Value {
    json!([{"content": asked, "role": "user"}, {"content": answered, "role": "assistant"}])
}

fn vote(winner: &str, judge: &str, turn: u32, first: Value, second: Value) -> Value {
    json!({
        "question_id": "q", "model_a": "m1", "model_b": "m2", "winner": winner, "judge": judge,
        "conversation_a": first, "conversation_b": second, "turn": turn,
    })
}

#[test]
fn votes_of_the_arena_are_read_and_ties_counted() {
    let (asked, other) = (round("Q", "A"), round("Q", "B"));
    let records = [
        vote("model_a", "arena_user_1", 1, asked.clone(), other.clone()),
        vote("model_b", "arena_user_2", 1, asked.clone(), other.clone()),
        vote("tie", "arena_user_1", 1, asked.clone(), other.clone()),
        vote("tie (bothbad)", "arena_user_1", 1, asked, other),
    ];
    let (found, skipped) = read(Layout::Arena, "a.jsonl", &lines(&records));
    assert_eq!(
        pairs(&found),
        [["arena_user_1", "A", "B"], ["arena_user_2", "B", "A"]]
    );
    assert_eq!(found[0].prompt, chat(&[("user", "Q")]));
    assert_eq!(skipped.count("a tie: neither response is preferred"), 2);
    let odd = vote("model_c", "j", 1, round("Q", "A"), round("Q", "B"));
    assert!(error(Layout::Arena, &odd).contains("field `winner`"));
    let odd = vote("model_a", "j", 2, round("Q", "A"), round("Q", "B"));
    assert!(error(Layout::Arena, &odd).contains("as many answers as `turn` says, 2"));
}

#[test]
fn of_mt_bench_the_judged_rounds_count() {
    let two = |first: &str, second: &str| {
        let rounds = [round("Q", first), round("R", second)];
        Value::Array(
            rounds
                .iter()
                .flat_map(|round| round.as_array().unwrap().clone())
                .collect(),
        )
    };
    let records = [
        // The first round alone.
        vote("model_b", "expert_1", 1, two("A", "C"), two("B", "D")),
        // Both: after different answers, or after the same one.
        vote("model_a", "author_2", 2, two("A", "C"), two("B", "D")),
        vote("model_a", "author_2", 2, two("A", "C"), two("A", "D")),
    ];
    let (found, skipped) = read(Layout::Arena, "a.jsonl", &lines(&records));
    assert_eq!(
        pairs(&found),
        [["expert_1", "B", "A"], ["author_2", "C", "D"]]
    );
    let history = [("user", "Q"), ("assistant", "A"), ("user", "R")];
    assert_eq!(found[1].prompt, chat(&history));
    assert_eq!(
        skipped.count("the two conversations differ before the last answer"),
        1
    );
}

/// Written by pyarrow: see `xtask/fixtures/data_files.py`.
#[test]
fn nested_columns_of_parquet_are_read() {
    let (found, _) = read_at(Layout::Arena, &fixture("arena.parquet"));
    assert_eq!(pairs(&found), [["arena_user_1", "B", "A"]]);
    assert_eq!(found[0].prompt, chat(&[("user", "Q")]));
    let (found, _) = read_at(Layout::PrismLore, &fixture("prism_lore.parquet"));
    assert_eq!(pairs(&found), [["user1", "A", "B"], ["user1", "A", "C"]]);
    assert_eq!(found[0].prompt, chat(&[("user", "Q")]));
}

#[test]
fn votes_without_voters_are_read_from_lists_in_cells() {
    let cell = |texts: Value| format!("\"{}\"", texts.to_string().replace('"', "\"\""));
    let row = |prompt: Value, first: Value, second: Value, winner: &str| {
        let [prompt, first, second] = [prompt, first, second].map(cell);
        format!("7,m1,m2,{prompt},{first},{second},{winner}\n")
    };
    let rows = [
        row(json!(["Say \"hi\""]), json!(["A"]), json!(["B"]), "1,0,0"),
        row(json!(["Q"]), json!(["A"]), json!(["B"]), "0,1,0"),
        row(json!(["Q"]), json!(["A"]), json!(["B"]), "0,0,1"),
        row(
            json!(["Q", "R"]),
            json!(["A", "C"]),
            json!(["B", "D"]),
            "0,1,0",
        ),
        row(
            json!(["Q", "R"]),
            json!(["A", "C"]),
            json!(["A", "D"]),
            "0,1,0",
        ),
        row(json!(["Q"]), json!([null]), json!(["B"]), "0,1,0"),
    ];
    let head = "id,model_a,model_b,prompt,response_a,response_b,winner_model_a,winner_model_b,winner_tie\n";
    let csv = format!("{head}{}", rows.concat());
    let (found, skipped) = read(Layout::Arena55k, "train.csv", &csv);
    assert_eq!(
        pairs(&found),
        [["", "A", "B"], ["", "B", "A"], ["", "D", "C"]]
    );
    assert_eq!(found[0].prompt, chat(&[("user", "Say \"hi\"")]));
    assert_eq!(skipped.count("a tie: neither response is preferred"), 1);
    assert_eq!(
        skipped.count("the two conversations differ before the last answer"),
        1
    );
    assert_eq!(skipped.count("a round without a question or an answer"), 1);
    let odd = json!({
        "prompt": "[\"Q\"]", "response_a": "[\"A\"]", "response_b": "[\"B\"]",
        "winner_model_a": 1, "winner_model_b": 1, "winner_tie": 0,
    });
    assert!(error(Layout::Arena55k, &odd).contains("none or several of the three"));
}

/// A row with the columns of a turn: prompt, responses, and the letter of the preferred one.
fn turns(turns: &[(&str, &str, [&str; 4], &str)]) -> Value {
    let mut row = json!({"conversation_id": 9, "annotator_id": 41, "assigned_lang": "en"});
    for name in ["first", "second", "third", "fourth"] {
        let mut set = |what: &str, value: &str| {
            let value = if value.is_empty() {
                Value::Null
            } else {
                value.into()
            };
            row[format!("{name}_turn_{what}")] = value;
        };
        let turn = turns.iter().find(|turn| turn.0 == name);
        let (_, prompt, responses, preferred) = turn.unwrap_or(&("", "", [""; 4], ""));
        set("prompt", prompt);
        set("preferred_response", preferred);
        for (letter, response) in ["a", "b", "c", "d"].iter().zip(responses) {
            set(&format!("response_{letter}"), response);
        }
    }
    row
}

#[test]
fn every_turn_of_community_alignment_gives_three_comparisons() {
    let whole = turns(&[
        ("first", "Q", ["A", "B", "C", "D"], "response_b"),
        ("second", "R", ["E", "F", "E", "EMPTY STRING"], "response_a"),
    ]);
    let (found, skipped) = read(Layout::CommunityAlignment, "a.jsonl", &lines(&[whole]));
    let expected = [
        ["41", "B", "A"],
        ["41", "B", "C"],
        ["41", "B", "D"],
        ["41", "E", "F"],
    ];
    assert_eq!(pairs(&found), expected);
    assert_eq!(found[0].prompt, chat(&[("user", "Q")]));
    let history = [("user", "Q"), ("assistant", "B"), ("user", "R")];
    assert_eq!(found[3].prompt, chat(&history));
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
    assert_eq!(skipped.count("missing response of a turn"), 1);
    // One first prompt, one side of a split: the other turns too, and whoever was asked.
    let mut again = turns(&[("first", "Q", ["A", "B", "C", "D"], "response_d")]);
    again["conversation_id"] = 10.into();
    let (others, _) = read(Layout::CommunityAlignment, "a.jsonl", &lines(&[again]));
    let mut sources: Vec<&str> = found
        .iter()
        .chain(&others)
        .map(|one| &*one.source)
        .collect();
    sources.dedup();
    assert_eq!(sources.len(), 1);
}

#[test]
fn what_was_said_before_a_gap_is_not_known_behind_it() {
    let all = ["A", "B", "C", "D"];
    let records = [
        turns(&[
            ("first", "Q", all, "response_a"),
            ("third", "R", all, "response_a"),
        ]),
        turns(&[("first", "Q", all, ""), ("second", "R", all, "response_a")]),
        turns(&[("first", "Q", ["A", "B", "C", ""], "response_d")]),
    ];
    let (found, skipped) = read(Layout::CommunityAlignment, "a.jsonl", &lines(&records));
    assert_eq!(found.len(), 3);
    assert_eq!(skipped.count("turn behind one that is not whole"), 2);
    assert_eq!(skipped.count("turn without a preferred response"), 1);
    assert_eq!(skipped.count("turn whose preferred response is missing"), 1);
    let odd = turns(&[("first", "Q", all, "e")]);
    let message = error(Layout::CommunityAlignment, &odd);
    assert!(
        message.contains("field `first_turn_preferred_response`: expected response_a"),
        "{message}"
    );
}

#[test]
fn lores_turns_of_prism_give_a_comparison_for_each_rejected_response() {
    let record = |chosen: Value, rejected: Value| {
        json!({
            "data_source": "prism", "ability": "alignment", "reward_model": {"style": "model", "ground_truth": ""},
            "prompt": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}, {"role": "user", "content": "R"}],
            "extra_info": {
                "split": "train", "seen": true, "user_id": "user7", "dialog_id": "c3", "turn_nb": 1, "total_turn_nb": 2,
                "chosen_utterance": chosen, "rejected_utterance": rejected,
            },
        })
    };
    let records = [
        record("C".into(), json!(["D", "E", "EMPTY STRING", "C"])),
        record("C".into(), json!([])),
        record(Value::Null, json!(["D"])),
    ];
    let (found, skipped) = read(Layout::PrismLore, "a.jsonl", &lines(&records));
    assert_eq!(pairs(&found), [["user7", "C", "D"], ["user7", "C", "E"]]);
    let history = [("user", "Q"), ("assistant", "A"), ("user", "R")];
    assert_eq!(found[0].prompt, chat(&history));
    assert_eq!(found[0].source, "c3");
    assert_eq!(skipped.count("empty rejected response"), 1);
    assert_eq!(skipped.count("chosen and rejected are equal"), 1);
    assert_eq!(skipped.count("turn without a rejected response"), 1);
    assert_eq!(skipped.count("turn without a chosen response"), 1);
}

const MODELS: [&str; 10] = [
    "llama3_sfairx",
    "mistral_weqweasdas",
    "mistral_ray",
    "gemma_7b",
    "mistral_raft",
    "gemma_2b",
    "oasst_deberta_v3",
    "oasst_pythia_1b",
    "oasst_pythia_7b",
    "beaver_7b",
];

#[test]
fn each_reward_model_of_personalllm_is_a_user() {
    let mut row = json!({"prompt": "Q"});
    for n in 1..=8 {
        row[format!("response_{n}")] = format!("r{n}").into();
        for (at, model) in MODELS.iter().enumerate() {
            // The first model likes late responses, the last none more than another, all others early ones.
            let score = match at {
                0 => f64::from(n),
                9 => 0.5,
                _ => -f64::from(n),
            };
            row[format!("response_{n}_{model}")] = score.into();
        }
    }
    let (found, skipped) = read(Layout::PersonalLlm, "a.jsonl", &lines(&[row.clone()]));
    assert_eq!(found.len(), 9);
    let pairs = pairs(&found);
    assert!(pairs.contains(&["llama3_sfairx", "r8", "r1"]), "{pairs:?}");
    assert!(pairs.contains(&["gemma_2b", "r1", "r8"]), "{pairs:?}");
    assert_eq!(skipped.count("a tie: neither response is preferred"), 1);
    row.as_object_mut().unwrap().remove("response_4_gemma_7b");
    let message = error(Layout::PersonalLlm, &row);
    assert!(
        message.contains("field `response_4_gemma_7b`: expected a number"),
        "{message}"
    );
}

#[test]
fn the_choices_of_simulated_people_are_read() {
    let row = json!({
        "person_id": 3, "person_weight": [0.1, 0.9], "length": 2,
        "prompt_1": "Q", "response_1_a": "A", "response_1_b": "B", "chosen_1": "a",
        "prompt_2": "R", "response_2_a": "C", "response_2_b": "D", "chosen_2": "b",
        "prompt_3": null, "response_3_a": null, "response_3_b": null, "chosen_3": null,
    });
    let (found, skipped) = read(Layout::PersonalLlm, "a.jsonl", &lines(&[row]));
    assert_eq!(pairs(&found), [["3", "A", "B"], ["3", "D", "C"]]);
    assert_eq!(found[1].prompt, Prompt::Text("R".into()));
    assert!(skipped.is_empty());
}

#[test]
fn the_copy_of_psoups_names_its_users_in_uid() {
    let row = |uid: u32| json!({"prompt": "Q", "chosen": "A", "rejected": "B", "uid": uid});
    let text = lines(&[row(1), row(6)]);
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, &text).unwrap();
    for layout in [None, Some(Layout::PsoupsHub)] {
        let options = DataOptions {
            layout,
            ..DataOptions::default()
        };
        let (found, _) = read_comparisons(&[&path], options).unwrap();
        assert_eq!(pairs(&found), [["1", "A", "B"], ["6", "A", "B"]]);
    }
    let without = json!({"prompt": "Q", "chosen": "A", "rejected": "B"});
    assert!(error(Layout::PsoupsHub, &without).contains("field `uid`"));
}

#[test]
fn layouts_have_names() {
    for (name, layout) in [
        ("general", Layout::General),
        ("psoups-hub", Layout::PsoupsHub),
        ("arena", Layout::Arena),
        ("arena-55k", Layout::Arena55k),
        ("community-alignment", Layout::CommunityAlignment),
        ("prism-lore", Layout::PrismLore),
        ("personalllm", Layout::PersonalLlm),
    ] {
        assert_eq!(
            serde_json::from_value::<Layout>(name.into()).unwrap(),
            layout
        );
    }
}
