//! `prlhf eval --answers`: other ways to serve users, from their answers.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::fixture::{Called, comparisons, fixture, prlhf};
use super::reward;

fn run() -> &'static str {
    fixture().run.to_str().unwrap()
}

/// A run without users.
fn vanilla() -> &'static str {
    static RUN: OnceLock<PathBuf> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        let config = fixture().config_with("[users]\nuser_tokens = 2\n", "");
        let place = fixture().fresh("vanilla");
        let config = config.to_str().unwrap();
        prlhf(&["train", "--config", config, "--out", place.str()]).ok();
        place.path().to_owned()
    });
    run.to_str().unwrap()
}

fn lines(records: &[Value]) -> PathBuf {
    let mut text = String::new();
    for record in records {
        writeln!(text, "{record}").unwrap();
    }
    fixture().file("records.jsonl", &text)
}

/// `long` and `emma`, who are like others, and a stranger, in the words of the fixture.
fn of_users(as_in_fixture: &[(&str, &str)]) -> PathBuf {
    let text = as_in_fixture.iter().map(|(id, like)| {
        let (like, id) = (format!("\"{like}\""), format!("\"{id}\""));
        comparisons(&[like.trim_matches('"')]).replace(&like, &id)
    });
    fixture().file("users.jsonl", &text.collect::<String>())
}

fn call(run: &str, data: &Path, more: &[&str]) -> Called {
    let data = data.to_str().unwrap();
    let args = ["eval", "--run", run, "--data", data, "--quality", "1"];
    prlhf(&[&args[..], more].concat())
}

/// What was printed, and the JSON.
fn eval(run: &str, data: &Path, more: &[&str]) -> (String, Value) {
    let json = fixture().fresh("eval.json");
    let text = call(run, data, &[more, &["--json", json.str()]].concat()).ok();
    (
        text,
        serde_json::from_slice(&fs::read(json.path()).unwrap()).unwrap(),
    )
}

fn rewards(rows: &Value) -> Vec<[f64; 2]> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| ["reward_chosen", "reward_rejected"].map(|key| row[key].as_f64().unwrap()))
        .collect()
}

#[track_caller]
fn assert_close(found: &[[f64; 2]], expected: &[[f64; 2]]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.as_flattened().iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-4, "{found} {expected}");
    }
}

fn way<'a>(report: &'a Value, name: &str) -> &'a Value {
    let served = report["answered"]["served"].as_array().unwrap();
    let found = served.iter().find(|served| served["way"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {served:?}"))
}

fn names(report: &Value) -> Vec<&str> {
    let served = report["answered"]["served"].as_array().unwrap();
    served
        .iter()
        .map(|served| served["way"].as_str().unwrap())
        .collect()
}

/// All files of a folder with what they hold.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn all_ways_stand_beside_what_the_run_knows_and_leave_it_as_it_is() {
    let run = fixture().copy_of_run();
    let tests = of_users(&[("long", "long"), ("emma", "short"), ("stranger", "long")]);
    let answers = of_users(&[("emma", "short"), ("long", "long"), ("ben", "long")]);
    let before = contents(&run.path().join("adapters"));
    let answers = answers.to_str().unwrap();
    let (text, report) = eval(run.str(), &tests, &["--answers", answers]);
    assert_eq!(contents(&run.path().join("adapters")), before);
    let answered = &report["answered"];
    assert_eq!(
        [
            &answered["users"],
            &answered["answers"],
            &answered["comparisons"]
        ],
        [2, 16, 16]
    );
    assert_eq!(answered["tests_without_answers"], json!({ "stranger": 8 }));
    assert_eq!(answered["answers_without_tests"], json!({ "ben": 8 }));
    // Here all tests are answers.
    assert_eq!(answered["leaks"], 16);
    let expected = [
        "generic",
        "own",
        "fitted",
        "nearest",
        "first-in-prompt",
        "nearest-in-prompt",
        "profile",
    ];
    assert_eq!(names(&report), expected);
    for part in [
        "answers      16 of 2 users, who have 16 of the comparisons\n",
        "left out     8 comparisons of user `stranger`, without answers\n",
        "left out     8 answers of user `ben`, who are not in --data\n",
        "16 of the comparisons are among their users' answers (first: ",
        "\nrow fitted to the answers ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The run's own rows are those of the evaluation.
    let rows = report["rows"].as_array().unwrap();
    let of_both: Vec<Value> = rows[..16].to_vec();
    assert_eq!(way(&report, "own")["rows"], Value::from(of_both));
    assert_eq!(way(&report, "own")["tokens"], 2.0);
    assert!(way(&report, "generic")["against_generic"].is_null());
    let shown = way(&report, "first-in-prompt");
    let limit = answered["in_context_tokens"].as_f64().unwrap();
    assert_eq!(limit, 128.0, "the model's context");
    let [tokens, answers] = ["tokens", "answers_shown"].map(|key| shown[key].as_f64().unwrap());
    assert!(answers > 0.0 && tokens > 2.0 && tokens < limit, "{shown}");
    for served in answered["served"].as_array().unwrap() {
        assert_eq!(served["comparisons"], 16);
        let rows = served["rows"].as_array().unwrap();
        let right = rows.iter().filter(|row| row["correct"] == true).count();
        assert_eq!(served["correct"], right);
        let of_users = ["emma", "long"].map(|id| served["users"][id]["correct"].as_u64().unwrap());
        assert_eq!(of_users.iter().sum::<u64>(), right as u64);
    }
}

#[test]
fn a_fitted_row_is_what_users_fit_makes_and_the_nearest_is_a_trained_user_s() {
    let answers = of_users(&[("emma", "short")]);
    let tests = of_users(&[("emma", "short")]);
    let path = answers.to_str().unwrap();
    let args = ["--answers", path, "--ways", "nearest,fitted"];
    let (_, report) = eval(run(), &tests, &args);
    assert_eq!(names(&report), ["generic", "fitted", "nearest"]);
    let fitted = fixture().copy_of_run();
    let fit = ["users", "fit", "--run", fitted.str(), "--user", "emma"];
    prlhf(&[&fit[..], &["--data", path]].concat()).ok();
    let (_, of_fitted) = eval(fitted.str(), &tests, &[]);
    let found = &way(&report, "fitted")["rows"];
    assert_close(&rewards(found), &rewards(&of_fitted["rows"]));

    let as_user = |id: &str| {
        let (_, report) = eval(run(), &of_users(&[(id, "short")]), &[]);
        rewards(&report["rows"])
    };
    let likely = |rewards: &[[f64; 2]]| -> f64 {
        let margins = rewards.iter().map(|[chosen, rejected]| chosen - rejected);
        margins.map(|margin| -(-margin).exp().ln_1p()).sum()
    };
    let trained = ["long", "short"].map(as_user);
    let best = usize::from(likely(&trained[1]) > likely(&trained[0]));
    let found = &way(&report, "nearest")["rows"];
    assert_close(&rewards(found), &trained[best]);
}

/// A loss of which a reward is a log-prob alone, whatever the base model says.
const PLAIN: [&str; 2] = ["--set", "objective.loss=cpo"];

#[test]
fn prompts_are_as_written_by_hand() {
    let record = |user: &str, prompt: &str, [chosen, rejected]: [&str; 2]| json!({ "user": user, "prompt": prompt, "chosen": chosen, "rejected": rejected });
    let so = "Question 7: is it so? Answer: ";
    let very = "very very very very: ";
    let answers = lines(&[
        record("emma", so, ["yes.", "it is so."]),
        record("emma", very, ["so.", "it is very so."]),
    ]);
    let tests = |prompts: [&str; 2]| {
        let [first, second] = prompts;
        lines(&[
            record("emma", first, ["yes, it is.", "there is more."]),
            record("emma", second, ["yes.", "and a lot more."]),
        ])
    };
    let plain = tests([very, so]);
    let path = answers.to_str().unwrap();
    let both = format!("{so}yes.</s>{very}so.</s>");
    let by_hand = |of: &str, prompts: [String; 2], set: &[&str]| {
        let (_, report) = eval(of, &tests([&prompts[0], &prompts[1]]), set);
        rewards(&report["rows"])
    };
    for (of, set) in [
        (vanilla(), &PLAIN[..]),
        (run(), &PLAIN),
        (reward::run(), &[]),
    ] {
        let ask = [
            "--answers",
            path,
            "--ways",
            "first-in-prompt,nearest-in-prompt",
        ];
        let (_, report) = eval(of, &plain, &[&ask[..], set].concat());
        let first = way(&report, "first-in-prompt");
        assert_eq!(first["answers_shown"], 2.0);
        let expected = by_hand(of, [very, so].map(|prompt| format!("{both}{prompt}")), set);
        assert_close(&rewards(&first["rows"]), &expected);
        // The answer to the very prompt stands last.
        let nearest = way(&report, "nearest-in-prompt");
        let turned = format!("{very}so.</s>{so}yes.</s>");
        let expected = [format!("{both}{very}"), format!("{turned}{so}")];
        assert_close(&rewards(&nearest["rows"]), &by_hand(of, expected, set));
    }
    // 3, 1 and 2 words against 3 and 4: shorter ones, by no mark and no "you".
    let ask = ["--answers", path, "--ways", "profile"];
    let (_, report) = eval(vanilla(), &plain, &[&ask[..], &PLAIN].concat());
    let mut told = fs::read_to_string(&plain).unwrap();
    let sentence = "The user likes short, simple responses of about 1 words.\\n";
    told = told.replace(
        "{\"user\"",
        &format!("{{\"user_text\":\"{sentence}\",\"user\""),
    );
    let told = fixture().file("told.jsonl", &told);
    let (_, expected) = eval(vanilla(), &told, &PLAIN);
    let found = way(&report, "profile");
    assert_close(&rewards(&found["rows"]), &rewards(&expected["rows"]));
    assert!(found["tokens"].as_f64() > Some(0.0), "{found}");
}

#[test]
fn what_a_policy_reads_in_its_prompt_is_rewarded_against_the_reference_without_it() {
    // With beta 1, what DPO's rewards and those of log-probs alone differ by is the reference's.
    let tests = of_users(&[("emma", "short")]);
    let answers = lines(&[json!({
        "user": "emma", "prompt": "so: ", "chosen": "yes.", "rejected": "it is so.",
    })]);
    let path = answers.to_str().unwrap();
    let ask = ["--answers", path, "--ways", "first-in-prompt", "--set"];
    let with = |loss: &str| {
        let set = format!("objective.loss={loss}");
        let beta = "objective.beta=1";
        let (_, report) = eval(
            vanilla(),
            &tests,
            &[&ask[..], &[&set, "--set", beta]].concat(),
        );
        let [plain, told] =
            ["generic", "first-in-prompt"].map(|name| rewards(&way(&report, name)["rows"]));
        let moved = told.iter().zip(&plain);
        let moved: Vec<[f64; 2]> = moved
            .map(|(told, plain)| [told[0] - plain[0], told[1] - plain[1]])
            .collect();
        moved
    };
    let (dpo, cpo) = (with("dpo"), with("cpo"));
    assert!(dpo.as_flattened().iter().any(|moved| moved.abs() > 1e-3));
    assert_close(&dpo, &cpo);
}

#[test]
fn a_run_without_users_has_the_ways_that_need_none() {
    let tests = of_users(&[("emma", "short")]);
    let answers = of_users(&[("emma", "short")]);
    let path = answers.to_str().unwrap();
    let (_, report) = eval(vanilla(), &tests, &["--answers", path]);
    let expected = ["generic", "first-in-prompt", "nearest-in-prompt", "profile"];
    assert_eq!(names(&report), expected);
    assert_eq!(way(&report, "generic")["tokens"], 0.0);
    let asked = ["--answers", path, "--ways", "profile,fitted"];
    let error = call(vanilla(), &tests, &asked).error();
    assert!(
        error.contains("--ways fitted: the run has no user model, and so no rows"),
        "{error}"
    );
    let asked = [
        "--answers",
        path,
        "--ways",
        "profile",
        "--in-context-tokens",
        "9",
    ];
    let error = call(run(), &tests, &asked).error();
    assert!(error.contains("--in-context-tokens is not read"), "{error}");
}

#[test]
fn flags_that_say_nothing_are_refused() {
    let tests = of_users(&[("emma", "short")]);
    let path = tests.to_str().unwrap();
    for more in [
        &["--ways", "fitted"][..],
        &["--in-context-tokens", "9"],
        &["--answers", path, "--ways", "fit"],
        &["--answers", path, "--in-context-tokens", "0"],
    ] {
        assert_eq!(call(run(), &tests, more).code, 2, "{more:?}");
    }
    let compare = [
        "eval",
        "--compare",
        run(),
        run(),
        "--data",
        path,
        "--answers",
        path,
    ];
    assert_eq!(prlhf(&compare).code, 2);
}

#[test]
fn answers_that_serve_nobody_are_refused_with_who_is_where() {
    let tests = of_users(&[("emma", "short")]);
    let error = |answers: &Path| {
        let answers = answers.to_str().unwrap();
        call(run(), &tests, &["--answers", answers]).error()
    };
    let found = error(&of_users(&[("ben", "short")]));
    assert!(
        found.contains(
            "no user of --data has answers: --data has user `emma`, --answers user `ben`"
        ),
        "{found}"
    );
    let nobody = lines(&[json!({ "prompt": "p", "chosen": "yes.", "rejected": "so." })]);
    let found = error(&nobody);
    assert!(
        found.contains("--answers 1 comparisons that name no user"),
        "{found}"
    );
    let empty = fixture().file("empty.jsonl", "");
    let found = error(&empty);
    assert!(found.contains("empty.jsonl"), "{found}");
}

#[test]
fn ids_that_look_alike_are_told_apart() {
    let tests = of_users(&[("zo\u{eb}", "short"), ("emma", "short")]);
    let answers = of_users(&[("zoe\u{308}", "short"), ("emma", "short")]);
    let answers = answers.to_str().unwrap();
    let called = call(run(), &tests, &["--answers", answers, "--ways", "profile"]);
    called.ok();
    assert!(
        called.stderr.contains("looks alike and is another one"),
        "{}",
        called.stderr
    );
    assert!(called.stderr.contains("U+0065 U+0308"), "{}", called.stderr);
}

#[test]
fn thumbs_answer_too_and_what_was_not_liked_is_not_shown() {
    let thumb = |completion: &str, label: bool| {
        let prompt = "Question 7: is it so? Answer: ";
        json!({ "user": "emma", "prompt": prompt, "completion": completion, "label": label })
    };
    let answers = lines(&[thumb("it is so.", false), thumb("yes.", true)]);
    let tests = of_users(&[("emma", "short")]);
    let (_, report) = eval(run(), &tests, &["--answers", answers.to_str().unwrap()]);
    assert_eq!(report["answered"]["answers"], 2);
    assert_eq!(way(&report, "first-in-prompt")["answers_shown"], 1.0);
    assert_eq!(names(&report).len(), 6);
    // Who likes nothing is served as nobody in particular, and told.
    let down = lines(&[thumb("it is so.", false)]);
    let (text, report) = eval(run(), &tests, &["--answers", down.to_str().unwrap()]);
    for (name, expected) in [
        ("fitted", json!({})),
        ("nearest", json!({})),
        ("first-in-prompt", json!({ "no answer prefers a text": 1 })),
        (
            "nearest-in-prompt",
            json!({ "no answer prefers a text": 1 }),
        ),
        (
            "profile",
            json!({ "no measure of their answers agrees": 1 }),
        ),
    ] {
        assert_eq!(way(&report, name)["served_as_generic"], expected, "{name}");
    }
    let line = "as generic   first-in-prompt: 1 of 1 users, no answer prefers a text\n";
    assert!(text.contains(line), "{text}");
    let error = call(
        reward::run(),
        &tests,
        &["--answers", answers.to_str().unwrap()],
    );
    assert!(error.error().contains("2 of the data are thumbs"));
}

#[test]
fn ways_of_two_runs_stand_side_by_side() {
    let tests = of_users(&[("emma", "short")]);
    let answers = of_users(&[("emma", "short")]);
    let path = answers.to_str().unwrap();
    let (a, b) = (fixture().fresh("a.json"), fixture().fresh("b.json"));
    let args = |json| ["--answers", path, "--json", json];
    call(vanilla(), &tests, &args(a.str())).ok();
    call(run(), &tests, &args(b.str())).ok();
    let side = |file: &str, way: &str| format!("{file}#{way}");
    let compare = |a: &str, b: &str| prlhf(&["eval", "--compare", a, b]);
    let text = compare(&side(a.str(), "profile"), &side(b.str(), "fitted")).ok();
    assert!(text.contains("#profile: accuracy "), "{text}");
    assert!(text.contains("#fitted: accuracy "), "{text}");
    let error = compare(&side(a.str(), "fitted"), b.str()).error();
    assert!(
        error.contains("no users served as `fitted`: it has generic, first-in-prompt"),
        "{error}"
    );
}
