//! A language model as judge: online runs against one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::{Called, Place, comparisons, fixture, prlhf};
use super::stub::{Reply, Request, Stub, raw, says};

const SHORT_WISH: &str = "I like it short.";
const LONG_WISH: &str = "I like it long.";

/// The comparisons of the fixture with what their users say of themselves.
fn told() -> PathBuf {
    let with_text = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).unwrap();
        let wish = match row["user"].as_str() {
            Some("short") => SHORT_WISH,
            _ => LONG_WISH,
        };
        row["user_text"] = wish.into();
        format!("{row}\n")
    };
    let lines = comparisons(&["long", "short"]);
    let lines: String = lines.lines().map(with_text).collect();
    let data = fixture().file("told.jsonl", &lines);
    fixture().config_with("train = ", &format!("train = [{data:?}] # "))
}

/// What a request says in all its messages.
pub fn all(request: &Request) -> String {
    let messages = request.body["messages"].as_array().unwrap();
    let texts = messages.iter().filter_map(|m| m["content"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

fn output<'a>(question: &'a str, name: &str) -> &'a str {
    let (_, rest) = question.split_once(&format!("<{name}>\n")).unwrap();
    rest.split_once(&format!("\n</{name}>")).unwrap().0
}

/// Prefers the shorter text for who says or shows that they like it short, the longer one for who likes it long, and else what is shown first.
fn by_length(request: &Request) -> Reply {
    let question = all(request);
    let [a, b] = ["Output (a)", "Output (b)"].map(|name| output(&question, name).trim().len());
    let shows_short = question.contains("### Earlier choice 1\nThe message: ")
        && question.contains("\nOutput (a): yes.\n");
    let a_wins = match () {
        () if a == b => None,
        () if question.contains(SHORT_WISH) || shows_short => Some(a < b),
        () if question.contains(LONG_WISH) || question.contains("### Earlier choice 1") => {
            Some(a > b)
        }
        () => Some(true),
    };
    says(match a_wins {
        Some(true) => "Well.\nVerdict: Output (a)",
        Some(false) => "Well.\nVerdict: Output (b)",
        None => "Verdict: TIE",
    })
}

const SET: [&str; 8] = [
    "--set",
    "online.max_new_tokens=8",
    "--set",
    "training.max_steps=3",
    "--set",
    "training.eval_every=2",
    "--set",
    "judge.retries=0",
];

fn train(config: &Path, url: &str, out: &Place, more: &[&str]) -> Called {
    let config = config.to_str().unwrap();
    let args = [
        "train",
        "--config",
        config,
        "--mode",
        "online",
        "--judge-url",
        url,
        "--judge-model",
        "stub",
        "--out",
        out.str(),
    ];
    prlhf(&[&args[..], &SET, more].concat())
}

fn lines(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn weights(run: &Path) -> [Vec<u8>; 2] {
    ["adapter_model.safetensors", "user_model.safetensors"]
        .map(|name| fs::read(run.join("adapters").join(name)).unwrap())
}

#[test]
fn a_judge_takes_the_place_of_a_reward_model() {
    let stub = Stub::start(|request, _| by_length(request));
    let config = told();
    let url = format!("{}?key=s3cr3t", stub.url());
    let out = fixture().fresh("judged");
    let done = train(&config, &url, &out, &[]).ok();
    // Three steps of four prompts in two branches, a pair of two responses in two orders each; four held-out prompts are seen twice, with
    // two responses each.
    let cost = "at most 112 questions: 48 in 3 steps, 64 in validations";
    assert!(done.contains(cost), "{done}");
    let calls = stub.count();
    assert!(calls > 20 && calls <= 112, "{calls}");
    assert!(done.contains(&format!("{calls} calls, ")), "{done}");
    assert!(
        done.contains("of 4 prompts") && done.contains("prompts per second"),
        "{done}"
    );
    assert!(
        done.contains("12 prompts to train on, 4 for validation"),
        "{done}"
    );
    let lines = lines(out.path());
    let told: u64 = lines
        .iter()
        .map(|l| l["scorer/calls"].as_u64().unwrap())
        .sum();
    assert_eq!(told, calls as u64);
    for line in &lines {
        let reward = line["reward"].as_f64().unwrap();
        match line["split"].as_str() {
            Some("train") => assert!((reward - 0.5).abs() < 1e-6, "{line}"),
            _ => {
                let by_user = line["reward_by_user"].as_object().unwrap();
                let users: Vec<&String> = by_user.keys().collect();
                assert_eq!(users, ["", "long", "short"]);
                // Of the generic user nothing is known, and who is shown first wins in either order.
                assert_eq!(by_user[""], 0.5);
                assert!(
                    by_user
                        .values()
                        .all(|r| (0.0..=1.0).contains(&r.as_f64().unwrap()))
                );
            }
        }
    }
    let used = fs::read_to_string(out.path().join("config.toml")).unwrap();
    assert!(
        used.contains("?key=(hidden)") && !used.contains("s3cr3t"),
        "{used}"
    );
    assert!(used.contains("both_orders = true"), "{used}");

    let check = [
        "check",
        "--config",
        config.to_str().unwrap(),
        "--mode",
        "online",
        "--judge-url",
        &url,
        "--judge-model",
        "stub",
    ];
    let checked = prlhf(&[&check[..], &SET].concat()).ok();
    assert!(
        checked.contains(cost) && !checked.contains("s3cr3t"),
        "{checked}"
    );
    assert_eq!(stub.count(), calls);
    let untold = ["--set", "judge.examples=0", "--no-estimate"];
    let config = fixture().config.to_str().unwrap();
    let check = [&check[..2], &[config], &check[3..]].concat();
    let checked = prlhf(&[&check[..], &SET, &untold].concat()).ok();
    let warning = "warning: the judge is told nothing of 2 of 2 users";
    assert!(checked.contains(warning), "{checked}");
}

#[test]
fn a_judge_that_fails_ends_the_run_which_goes_on_to_the_same_weights() {
    let config = fixture().config.clone();
    for method in ["rloo", "dpo"] {
        let method = format!("online.method={method}");
        let more = ["--set", &*method, "--set", "online.num_generations=3"];
        let good = Stub::start(|request, _| by_length(request));
        let whole = fixture().fresh("whole");
        let done = train(&config, &good.url(), &whole, &more);
        done.ok();
        let all = good.count();
        // Some answers, and then none.
        let failing = Stub::start(move |request, before| match before < all / 2 {
            true => by_length(request),
            false => raw(500, "{\"error\": {\"message\": \"out of order\"}}"),
        });
        let out = fixture().fresh("failed");
        let error = train(&config, &failing.url(), &out, &more).error();
        for expected in ["the judge: ", "500: out of order", "go on with --resume"] {
            assert!(error.contains(expected), "{error}");
        }
        let answered = all / 2;
        let good = Stub::start(|request, _| by_length(request));
        train(
            &config,
            &good.url(),
            &out,
            &[&more[..], &["--resume"]].concat(),
        )
        .ok();
        assert_eq!(weights(out.path()), weights(whole.path()), "{method}");
        assert_eq!(good.count(), all - answered, "{method}");
    }
}

#[test]
fn a_budget_is_kept_and_what_is_not_there_or_not_read_is_told() {
    let stub = Stub::start(|request, _| by_length(request));
    let config = fixture().config.clone();
    let out = fixture().fresh("budget");
    let error = train(&config, &stub.url(), &out, &["--judge-calls", "9"]).error();
    assert!(
        error.contains("the budget of 9 calls to the judge is used up"),
        "{error}"
    );
    assert!(error.contains("go on with --resume"), "{error}");
    assert_eq!(stub.count(), 9);
    train(&config, &stub.url(), &out, &["--resume"]).ok();

    let silent = Stub::start(|_, _| says("I cannot say."));
    let out = fixture().fresh("silent");
    let error = train(&config, &silent.url(), &out, &[]).error();
    assert!(
        error.contains("answers hold no verdict, the first: \"I cannot say.\""),
        "{error}"
    );
    // Once the judge is mended, what it said before stands in nobody's way.
    let kept = out.path().join("judge").display().to_string();
    assert!(error.contains(&kept), "{error}");
    train(&config, &stub.url(), &out, &["--resume"]).ok();
    // Few questions at a time are no way around.
    let out = fixture().fresh("silent-in-small");
    let small = [
        "--set",
        "training.batch=1",
        "--set",
        "judge.both_orders=false",
    ];
    let asked = silent.count();
    let long = [
        "--set",
        "training.max_steps=9",
        "--set",
        "training.eval_every=0",
    ];
    let more = [small, long].concat();
    let error = train(&config, &silent.url(), &out, &more).error();
    assert!(error.contains("8 answers in a row hold none"), "{error}");
    assert_eq!(silent.count() - asked, 8);
    // Now and then such an answer is a tie.
    let asked = AtomicUsize::new(0);
    let absent = Stub::start(
        move |request, _| match asked.fetch_add(1, Ordering::SeqCst) % 5 {
            0 => says("Hm."),
            _ => by_length(request),
        },
    );
    let out = fixture().fresh("absent-minded");
    let called = train(&config, &absent.url(), &out, &[]);
    let done = called.ok();
    assert!(
        called.stderr.contains("such answers count as ties"),
        "{}",
        called.stderr
    );
    assert!(!done.contains(" 0 without a verdict"), "{done}");
}

#[test]
fn flags_of_a_judge_that_do_not_go_together_are_refused() {
    let out = fixture().fresh("refused");
    let config = fixture().config.to_str().unwrap();
    let train = ["train", "--config", config, "--out", out.str()];
    let check = ["check", "--config", config];
    let url = ["--judge-url", "http://127.0.0.1:9/v1"];
    let online = ["--mode", "online"];
    let both = [&online[..], &url, &["--judge-model", "m"]].concat();
    let nothing = fixture().file("words.toml", "fields = [\"wish\"]\nuser = \"{{ wsh }}\"\n");
    let words = format!("judge.prompt={}", nothing.display());
    for (command, more, expected) in [
        (
            &train[..],
            [&online[..], &[]].concat(),
            "needs --reward DIR",
        ),
        (
            &train,
            [&online[..], &url].concat(),
            "give --judge-model NAME",
        ),
        (&train, url.to_vec(), "--judge-url is for --mode online"),
        (&check, url.to_vec(), "--judge-url is for --mode online"),
        (
            &train,
            [&both[..], &["--reward", "runs/x"]].concat(),
            "--reward and --judge-url",
        ),
        (
            &train,
            [&online[..], &["--judge-calls", "3"]].concat(),
            "--judge-calls is for a judge",
        ),
        (
            &train,
            [&both[..], &["--set", "judge.modle=m"]].concat(),
            "unknown field `modle`",
        ),
        (
            &train,
            [&both[..], &["--set", &words]].concat(),
            "words.toml",
        ),
        (
            &check,
            [&both[..], &["--set", "judge.max_tokens=0"]].concat(),
            "`judge.max_tokens`",
        ),
        // Also where no judge is asked.
        (
            &train,
            vec!["--set", "judge.modle=m"],
            "unknown field `modle`",
        ),
        (
            &check,
            vec!["--set", "judge.concurrency=0"],
            "`judge.concurrency`",
        ),
        (
            &check,
            vec!["--mode", "sft", "--set", "judge.url=localhost"],
            "`judge.url`",
        ),
        // What train would refuse, check refuses.
        (
            &check,
            [
                &both[..],
                &[
                    "--set",
                    "online.method=dpo",
                    "--set",
                    "objective.branches=sampled",
                ],
            ]
            .concat(),
            "`objective.branches`",
        ),
        (
            &check,
            [&both[..], &["--set", "online.max_new_tokens=100000"]].concat(),
            "`online.max_new_tokens`",
        ),
        (
            &train,
            [&online[..], &["--reward", "nowhere"]].concat(),
            "--reward nowhere: ",
        ),
    ] {
        let error = prlhf(&[command, &more].concat()).error();
        assert!(error.contains(expected), "{more:?}: {error}");
    }
    assert!(!out.path().exists());
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_its_judge_ends_when_it_is_asked_to() {
    use super::fixture::{ended, started};
    use super::stop::send;

    let stub = Stub::start(|_, _| raw(503, "later"));
    let out = fixture().fresh("waiting");
    let url = stub.url();
    let config = fixture().config.to_str().unwrap();
    let args = [
        "train",
        "--config",
        config,
        "--mode",
        "online",
        "--out",
        out.str(),
    ];
    let judge = ["--judge-url", &url, "--judge-model", "stub"];
    let waits = [
        "--set",
        "online.max_new_tokens=8",
        "--set",
        "judge.first_delay_s=600",
        "--set",
        "judge.max_delay_s=600",
    ];
    let child = started(&[&args[..], &judge, &waits].concat());
    for _ in 0..3000 {
        if stub.count() > 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    send(&child, "TERM");
    let stopped = ended(child);
    assert_eq!(stopped.code, 130, "{}", stopped.stderr);
    assert!(stopped.stderr.contains("--resume"), "{}", stopped.stderr);
    let good = Stub::start(|request, _| by_length(request));
    train(&fixture().config, &good.url(), &out, &["--resume"]).ok();
}
