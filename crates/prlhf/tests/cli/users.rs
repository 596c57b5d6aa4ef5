//! `prlhf users`: what is kept of fitted users, whom to ask what, and users who go.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trainer::burn::tensor::Device;
use trainer::user_model::{self, ExportedUser, UserRef};

use super::fixture::{Called, Place, comparisons, fixture, prlhf};

fn users(run: &Place, action: &[&str]) -> Called {
    prlhf(&[&["users", "--run", run.str()][..], action].concat())
}

/// Answers of `short` under another name, those of so many questions.
fn answers(user: &str, questions: std::ops::Range<usize>) -> PathBuf {
    let all = comparisons(&["short"]).replace("\"short\"", &format!("\"{user}\""));
    let some: Vec<&str> = all
        .lines()
        .skip(questions.start)
        .take(questions.len())
        .collect();
    fixture().file("answers.jsonl", &(some.join("\n") + "\n"))
}

fn fit(run: &Place, user: &str, questions: std::ops::Range<usize>, more: &[&str]) -> Called {
    let data = answers(user, questions);
    let args = ["fit", "--user", user, "--data", data.to_str().unwrap()];
    users(run, &[&args[..], more].concat())
}

/// The number in a line of facts that begins so, before this word.
fn figure(text: &str, label: &str, before: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(label));
    let line = line.unwrap_or_else(|| panic!("no {label}: {text}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words
        .iter()
        .position(|word| word.starts_with(before))
        .unwrap();
    words[at - 1].trim_end_matches(',').parse().unwrap()
}

#[test]
fn further_answers_go_on_from_what_is_kept() {
    let run = fixture().copy_of_run();
    fit(&run, "emma", 0..4, &[]).ok();
    let first = users(&run, &["show", "emma"]).ok();
    assert!(
        first.contains("row          fitted to 4 answers\n"),
        "{first}"
    );
    assert!(
        first.contains("norm         ") && first.contains("evidence     "),
        "{first}"
    );
    assert!(
        first.contains("nearest trained users  cosine of offsets\n"),
        "{first}"
    );
    let left = |text: &str| figure(text, "spread", "%");
    assert!(left(&first) <= 100.0, "{first}");

    let done = fit(&run, "emma", 4..8, &["--more"]).ok();
    assert!(
        done.contains("a user of their own explains all 8 answers"),
        "{done}"
    );
    let second = users(&run, &["show", "emma"]).ok();
    assert!(second.contains("fitted to 8 answers\n"), "{second}");
    assert!(left(&second) <= left(&first), "{first}{second}");

    let error = fit(&run, "long", 0..4, &["--more"]).error();
    assert!(
        error.contains("nothing is kept of what user `long` answered before"),
        "{error}"
    );
    let error = fit(&run, "ema", 0..4, &["--more"]).error();
    assert!(
        error.contains("unknown user `ema`; known and similar: `emma`"),
        "{error}"
    );
    let all = users(&run, &["show"]).ok();
    let line = all.lines().find(|line| line.starts_with("emma")).unwrap();
    assert!(line.contains("fitted") && line.contains(" 8 "), "{all}");

    // Where a trained user goes, what was believed beside them does too.
    let removed = users(&run, &["remove", "short"]);
    removed.ok();
    assert!(
        removed.stderr.contains("of 1 fitted user(s)"),
        "{}",
        removed.stderr
    );
    let shown = users(&run, &["show", "emma"]).ok();
    assert!(shown.contains("spread       not known"), "{shown}");
}

#[test]
fn what_to_ask_is_chosen_without_the_model_once_it_is_known() {
    let run = fixture().copy_of_run();
    fit(&run, "emma", 0..2, &[]).ok();
    let candidates = fixture().file("candidates.jsonl", &comparisons(&["nobody"]));
    let ask = |user: &str, more: &[&str]| {
        let candidates = candidates.to_str().unwrap();
        let args = ["ask", "--user", user, "--candidates", candidates];
        users(&run, &[&args[..], more].concat())
    };
    let lines = |called: &Called| -> Vec<Value> {
        let text = called.ok();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let first = ask("emma", &["--count", "3"]);
    let chosen = lines(&first);
    assert_eq!(chosen.len(), 3);
    let bits = |line: &Value| line["bits"].as_f64().unwrap();
    assert!(
        chosen
            .iter()
            .all(|line| line["user"] == "emma" && bits(line) <= 1.0)
    );
    let prompt = |line: &Value| line["prompt"].as_str().unwrap().to_owned();
    let mut prompts: Vec<String> = chosen.iter().map(prompt).collect();
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!(prompts.len(), 3);

    // From here on no model can be opened.
    let config = run.path().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let model = fixture().model.to_str().unwrap();
    fs::write(&config, text.replace(model, "/nowhere/model")).unwrap();
    assert_eq!(ask("emma", &["--count", "3"]).ok(), first.stdout);
    let stranger = ask("stranger", &["--by", "fisher"]);
    assert!(
        stranger.stderr.contains("has not answered yet"),
        "{}",
        stranger.stderr
    );
    assert_eq!(lines(&stranger).len(), 5);
    // Information is the largest first, of a user of whom nothing is known.
    let all = lines(&ask("stranger", &["--count", "9", "--by", "uncertain"]));
    assert_eq!(all.len(), 8);
    assert!(all.windows(2).all(|pair| bits(&pair[0]) >= bits(&pair[1])));
    let draw = |seed: &str| ask("stranger", &["--by", "random", "--seed", seed]).ok();
    assert_eq!(draw("1"), draw("1"));
    fs::write(&config, text).unwrap();

    // What was written is read as comparisons.
    let out = fixture().fresh("asked.jsonl");
    ask("emma", &["--out", out.str()]).ok();
    users(
        &run,
        &["fit", "--user", "emma", "--more", "--data", out.str()],
    )
    .ok();
    let shown = users(&run, &["show", "emma"]).ok();
    assert!(shown.contains("fitted to 7 answers"), "{shown}");
}

#[test]
fn a_spread_is_counted_where_it_is_asked_for() {
    let run = fixture().copy_of_run();
    fit(&run, "emma", 0..2, &[]).ok();
    let (data, json) = (answers("emma", 2..8), fixture().fresh("eval.json"));
    let args = ["eval", "--run", run.str(), "--data", data.to_str().unwrap()];
    let more = ["--json", json.str(), "--quality", "1", "--spread"];
    let text = prlhf(&[&args[..], &more].concat()).ok();
    assert!(
        text.contains("spread       6 comparisons of 1 fitted users: with it"),
        "{text}"
    );
    let report: Value = serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap();
    assert_eq!(report["spread"]["comparisons"], 6);
    assert_eq!(report["spread"]["without"], report["calibration"]);
    for row in report["rows"].as_array().unwrap() {
        assert!(row["spread"].as_f64().unwrap() > 0.0, "{row}");
    }
}

/// Files of a folder, and of those in it, in which these bytes are.
fn holding(dir: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if fs::read(&path)
            .unwrap()
            .windows(bytes.len())
            .any(|w| w == bytes)
        {
            found.push(path);
        }
    }
    found
}

/// A run of which one user is called like nothing else in it.
fn run_with(id: &str) -> Place {
    let run = fixture().fresh("run");
    let text = comparisons(&["long", "short", "ben"]).replace("\"short\"", &format!("\"{id}\""));
    let data = fixture().file("data.jsonl", &text);
    let config = fixture().config_with("train = ", &format!("train = [{data:?}] # "));
    let config = config.to_str().unwrap();
    prlhf(&["train", "--config", config, "--out", run.str()]).ok();
    run
}

#[test]
fn a_removed_user_leaves_no_trace_in_the_folder_of_the_run() {
    let id = "zuzana-7";
    let run = run_with(id);
    fit(&run, "emma-9", 0..4, &[]).ok();
    let candidates = fixture().file("candidates.jsonl", &comparisons(&["nobody"]));
    let candidates = candidates.to_str().unwrap();
    users(
        &run,
        &["ask", "--user", "emma-9", "--candidates", candidates],
    )
    .ok();
    for id in ["emma-9", id] {
        let (mut rows, user) = (Vec::new(), UserRef::id(id));
        for folder in ["adapters", "checkpoint"] {
            let (_, table) = user_model::load(&run.path().join(folder), &Device::flex()).unwrap();
            if table.contains(id) {
                let row = table.row(&user).unwrap();
                rows.push(
                    row.into_iter()
                        .flat_map(f32::to_le_bytes)
                        .collect::<Vec<u8>>(),
                );
            }
        }
        assert!(!holding(run.path(), id.as_bytes()).is_empty());
        assert!(rows.iter().all(|row| !holding(run.path(), row).is_empty()));
        users(&run, &["remove", id]).ok();
        rows.push(id.as_bytes().to_vec());
        for bytes in rows {
            assert_eq!(holding(run.path(), &bytes), Vec::<PathBuf>::new(), "{id}");
        }
        let error = users(&run, &["remove", id]).error();
        assert!(error.contains("unknown user"), "{error}");
    }
    // The run goes on: its checkpoint is whole, and its metrics are as long as it says.
    let shown = prlhf(&["inspect", run.path().join("checkpoint").to_str().unwrap()]).ok();
    assert!(shown.contains("training has ended"), "{shown}");
    let config = run.path().join("config.toml");
    let config = config.to_str().unwrap();
    prlhf(&["train", "--config", config, "--out", run.str(), "--resume"]).ok();
    let lines = fs::read_to_string(run.path().join("metrics.jsonl")).unwrap();
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok())
    );
    assert!(
        users(&run, &["list"])
            .ok()
            .starts_with("long\ttrained\nben\ttrained\n")
    );
}

#[test]
fn a_row_is_imported_only_beside_its_own_shared_tensors() {
    let (run, other) = (fixture().copy_of_run(), run_with("somebody"));
    fit(&run, "emma", 0..4, &[]).ok();
    let before = users(&run, &["show", "emma"]).ok();
    let file = fixture().fresh("emma.json");
    users(&run, &["export", "emma", file.str()]).ok();
    let error = users(&other, &["import", file.str()]).error();
    let hash = ExportedUser::read(file.path())
        .unwrap()
        .shared_sha256
        .unwrap();
    assert!(
        error.contains(&hash) && error.contains("these have"),
        "{error}"
    );
    // Back where it was made, with what was believed.
    users(&run, &["remove", "emma"]).ok();
    let imported = users(&run, &["import", file.str()]);
    assert_eq!(imported.ok(), "user `emma` is known\n");
    assert!(
        !imported.stderr.contains("earlier version"),
        "{}",
        imported.stderr
    );
    assert_eq!(users(&run, &["show", "emma"]).ok(), before);
    // She has a row, which nothing takes the place of.
    let error = users(&run, &["add", "emma"]).error();
    assert!(error.contains("`emma`"), "{error}");
    assert_eq!(users(&run, &["show", "emma"]).ok(), before);
    // A file of an earlier version.
    let text = fs::read_to_string(file.path()).unwrap();
    let old = text.replace(&format!(",\"shared_sha256\":\"{hash}\""), "");
    assert_ne!(old, text);
    let old = fixture().file("old.json", &old);
    let imported = users(&other, &["import", old.to_str().unwrap()]);
    imported.ok();
    assert!(
        imported.stderr.contains("of an earlier version"),
        "{}",
        imported.stderr
    );
    assert!(
        imported.stderr.contains("beside other trained users"),
        "{}",
        imported.stderr
    );
}

#[test]
fn two_ids_of_one_person_become_one() {
    let run = fixture().copy_of_run();
    fit(&run, "emma", 0..4, &[]).ok();
    fit(&run, "em", 0..2, &[]).ok();
    let merged = users(&run, &["merge", "em", "emma"]).ok();
    let said = "users `em` and `emma` are one, user `em`, with the row of `emma`; the answers of `em` count no more: ";
    assert!(merged.starts_with(said), "{merged}");
    let shown = users(&run, &["show", "em"]).ok();
    assert!(
        shown.contains("fitted to 4 answers") && shown.contains("%"),
        "{shown}"
    );
    let list = "long\ttrained\nshort\ttrained\nem\tfitted\n";
    assert_eq!(users(&run, &["list"]).ok(), list);
    // A fitted and a trained one cannot be compared.
    let error = users(&run, &["merge", "em", "em"]).error();
    assert!(
        error.contains("user `em` was named twice: two users become one"),
        "{error}"
    );
    let error = users(&run, &["merge", "em", "short"]).error();
    assert!(
        error.contains("give --keep `em` or --keep `short`"),
        "{error}"
    );
    users(&run, &["merge", "em", "short", "--keep", "short"]).ok();
    assert_eq!(users(&run, &["list"]).ok(), "long\ttrained\nem\ttrained\n");
    let (_, checkpoint) =
        user_model::load(&run.path().join("checkpoint"), &Device::flex()).unwrap();
    assert_eq!(checkpoint.ids(), ["long", "em"]);
    assert!(checkpoint.steps("em").is_some());
    users(&run, &["add", "new"]).ok();
    users(&run, &["merge", "new", "em"]).ok();
    assert_eq!(users(&run, &["list"]).ok(), "long\ttrained\nnew\ttrained\n");
}

#[test]
fn responses_are_measured_against_the_generic_user_s() {
    let run = fixture().copy_of_run();
    let prompts = fixture().file(
        "prompts.jsonl",
        "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n",
    );
    let args = [
        "profile",
        "--user",
        "short",
        "--prompts",
        prompts.to_str().unwrap(),
    ];
    let text = users(&run, &[&args[..], &["--samples", "2"]].concat()).ok();
    assert!(
        text.contains("responses    2 to each of 2 prompts"),
        "{text}"
    );
    assert!(
        text.contains("\nwords ") && text.contains("list items"),
        "{text}"
    );
}
