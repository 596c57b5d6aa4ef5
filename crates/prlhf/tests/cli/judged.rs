//! A language model as judge: online runs against one, and profiles in words.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::fixture::{Called, Place, comparisons, fixture, make_model, prlhf};
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
fn all(request: &Request) -> String {
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

#[test]
fn a_profile_is_put_into_words_by_a_judge() {
    let stub = Stub::start(|request, _| {
        let question = all(request);
        let answers = question.matches("The answer for the reader:").count();
        says(&format!("\"I like what {answers} examples\nshow.\""))
    });
    let run = fixture().run.to_str().unwrap();
    let prompts = fixture().file(
        "prompts.jsonl",
        "{\"prompt\": \"Is it so?\"}\n{\"prompt\": [{\"role\": \"user\", \"content\": \"And so?\"}]}\n",
    );
    let raw = fixture().file(
        "raw.jsonl",
        "{\"prompt\": \"Is it so?\"}\n{\"prompt\": \"And so?\"}\n",
    );
    let profile = |prompts: &Path, more: &[&str]| {
        let args = [
            "users",
            "--run",
            run,
            "profile",
            "--user",
            "short",
            "--prompts",
            prompts.to_str().unwrap(),
        ];
        prlhf(&[&args[..], more].concat())
    };
    let url = stub.url();
    let judge = [
        "--paragraph",
        "judge",
        "--judge-url",
        &url,
        "--judge-model",
        "stub",
    ];
    let out = fixture().fresh("told.jsonl");
    let done = profile(&raw, &[&judge[..], &["--out", out.str()]].concat()).ok();
    assert!(done.ends_with("\nI like what 2 examples show.\n"), "{done}");
    let asked = all(&stub.requests()[0]);
    assert!(
        asked.contains("Prompt: And so?") && asked.contains("Prompt: Is it so?"),
        "{asked}"
    );
    // No id leaves the machine.
    assert!(!asked.contains("short"), "{asked}");
    let written = fs::read_to_string(out.path()).unwrap();
    assert_eq!(
        written.lines().next().unwrap(),
        r#"{"user":"short","user_text":"I like what 2 examples show.\n","prompt":"Is it so?"}"#
    );
    let answered = prlhf(&["generate", "--run", run, "--prompts", out.str(), "--json"]).ok();
    assert_eq!(answered.lines().count(), 2);
    let one = profile(&raw, &[&judge[..], &["--pairs", "1"]].concat()).ok();
    assert!(one.contains("what 1 examples"), "{one}");

    let error = profile(&raw, &["--paragraph", "own"]).error();
    assert!(error.contains("has no chat template"), "{error}");
    let error = profile(&raw, &["--paragraph", "judge"]).error();
    assert!(
        error.contains("--paragraph judge needs --judge-url"),
        "{error}"
    );
    let error = profile(&raw, &["--judge-url", &url]).error();
    assert!(
        error.contains("--judge-url is for --paragraph judge"),
        "{error}"
    );
    assert_eq!(profile(&raw, &["--out", out.str()]).code, 2);
    let own = [&judge[..], &["--out", raw.to_str().unwrap()]].concat();
    let error = profile(&raw, &own).error();
    assert!(error.contains("--out and --prompts are both"), "{error}");
    let error = profile(&prompts, &judge).error();
    assert!(error.contains("chat template"), "{error}");
}

#[test]
fn a_base_model_with_a_chat_template_writes_a_paragraph() {
    let model = fixture().fresh("chat-model");
    make_model(model.path(), 4096);
    let settings = model.path().join("tokenizer_config.json");
    let mut config: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&settings).unwrap()).unwrap();
    config["chat_template"] = "{% for m in messages %}{{ m.content }}{% endfor %}".into();
    fs::write(&settings, config.to_string()).unwrap();
    let source = format!("source = {:?} # ", model.path());
    let config = fixture().config_with("source = ", &source);
    let run = fixture().fresh("chat-run");
    let (config, out) = (config.to_str().unwrap(), run.str());
    let one = ["--set", "training.max_steps=1"];
    prlhf(&[&["train", "--config", config, "--out", out][..], &one].concat()).ok();
    let prompts = fixture().file("prompts.txt", "Is it so?\nAnd so?\n");
    let profile = || {
        let prompts = prompts.to_str().unwrap();
        let user = [
            "--user",
            "short",
            "--prompts",
            prompts,
            "--paragraph",
            "own",
        ];
        prlhf(&[&["users", "--run", out, "profile"][..], &user].concat()).ok()
    };
    let first = profile();
    let (table, paragraph) = first.rsplit_once("\n\n").unwrap();
    assert!(table.contains("words per sentence"), "{first}");
    assert!(
        !paragraph.trim().is_empty() && paragraph.trim().lines().count() == 1,
        "{first}"
    );
    assert_eq!(first, profile());
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
