//! A list of items, from templates to win rates.

use std::collections::BTreeMap;

use judge::{
    Item, JudgeClient, JudgeConfig, JudgeError, Outcome, Position, PromptFile, Value, Verdict,
    judge_all,
};

use crate::stub::{Reply, Request, Stub, raw, says};

const PROMPT: &str = r#"
fields = ["wish"]
user = "{{ wish }}\nA={{ output_a }}\nB={{ output_b }}"
[verdict]
marker = "Verdict:"
first = "first"
second = "second"
tie = "tie"
"#;

fn prompt() -> PromptFile {
    PromptFile::parse("test.toml", PROMPT).unwrap()
}

fn item(id: usize, user: &str, ours: &str, theirs: &str) -> Item {
    Item {
        id: id.to_string(),
        user: user.into(),
        fields: BTreeMap::from([("wish".into(), Value::from(format!("wish {id}")))]),
        ours: ours.into(),
        theirs: theirs.into(),
    }
}

/// Items of two users; ours is "good", theirs "bad".
fn items(count: usize) -> Vec<Item> {
    let user = |id| ["ada", "bob"][id % 2];
    (0..count)
        .map(|id| item(id, user(id), "good", "bad"))
        .collect()
}

/// Prefers the output "good", wherever it stands.
fn fair(request: &Request) -> Reply {
    match request.question().contains("A=good") {
        true => says("Thoughts.\nVerdict: first"),
        false => says("Thoughts.\nVerdict: second"),
    }
}

fn judge(config: JudgeConfig, items: &[Item], position: Position) -> Outcome {
    let client = JudgeClient::new(config).unwrap();
    judge_all(&client, &prompt(), items, position, &mut |_, _| true).unwrap()
}

/// One call at a time, no repetitions.
fn plain(stub: &Stub) -> JudgeConfig {
    JudgeConfig {
        concurrency: 1,
        retries: 0,
        ..stub.config()
    }
}

#[test]
fn a_fair_judge_gives_every_win_in_either_kind_of_order() {
    let stub = Stub::start(|request, _| fair(request));
    let items = items(20);
    let mut steps = Vec::new();
    let client = JudgeClient::new(stub.config()).unwrap();
    let mut progress = |done, total| {
        steps.push((done, total));
        true
    };
    let outcome = judge_all(
        &client,
        &prompt(),
        &items,
        Position::default(),
        &mut progress,
    )
    .unwrap();
    assert_eq!(outcome.verdicts, [Some(Verdict::Win); 20]);
    assert_eq!((outcome.calls, outcome.cached), (20, 0));
    assert!(
        outcome.places.first > 0 && outcome.places.second > 0,
        "both orders are used"
    );
    steps.dedup();
    assert_eq!(steps, (0..=20).map(|done| (done, 20)).collect::<Vec<_>>());
    assert_eq!(outcome.win_rates(&items).per_user.unwrap().value, 1.0);

    let outcome = judge(stub.config(), &items, Position::Swapped);
    assert_eq!(outcome.verdicts, [Some(Verdict::Win); 20]);
    assert_eq!(outcome.calls, 40);
    let places = outcome.places;
    assert_eq!(
        (places.first, places.second, places.disagreements),
        (20, 20, 0)
    );
}

#[test]
fn a_judge_that_always_likes_the_first_output_ties_when_both_orders_are_asked() {
    let stub = Stub::start(|_, _| says("Verdict: first"));
    let items = items(6);
    let outcome = judge(stub.config(), &items, Position::Swapped);
    assert_eq!(outcome.verdicts, [Some(Verdict::Tie); 6]);
    assert_eq!(outcome.places.disagreements, 6);
    let rates = outcome.win_rates(&items);
    assert_eq!(rates.per_sample.unwrap().value, 0.5);
    assert_eq!(rates.psoups.unwrap().value, 0.0);
}

#[test]
fn unparsable_answers_are_counted_and_shown() {
    let stub = Stub::start(|request, _| match request.question() {
        question if question.starts_with("wish 1\n") => says("I cannot tell."),
        question if question.starts_with("wish 2\n") => raw(
            200,
            r#"{"choices":[{"message":{"content":null},"finish_reason":"length"}]}"#,
        ),
        _ => fair(request),
    });
    let items = items(4);
    let outcome = judge(stub.config(), &items, Position::default());
    let win = Some(Verdict::Win);
    assert_eq!(outcome.verdicts, [win, None, None, win]);
    let shown: Vec<_> = outcome
        .unparsable
        .iter()
        .map(|u| (u.index, u.id.as_str(), u.answer.as_str(), u.cut))
        .collect();
    assert_eq!(
        shown,
        [(1, "1", "I cannot tell.", false), (2, "2", "", true)]
    );
    assert!(outcome.unjudged.is_empty() && outcome.stopped.is_none());
    assert_eq!(
        outcome.by_user(&items),
        [("ada", Verdict::Win), ("bob", Verdict::Win)]
    );
}

#[test]
fn a_used_up_budget_keeps_what_was_judged_and_says_how_many_are_left() {
    let stub = Stub::start(|request, _| fair(request));
    let folder = tempfile::tempdir().unwrap();
    let mut config = JudgeConfig {
        budget: Some(4),
        cache_dir: Some(folder.path().into()),
        ..stub.config()
    };
    let items = items(10);
    let outcome = judge(config.clone(), &items, Position::default());
    assert_eq!(outcome.verdicts.iter().flatten().count(), 4);
    assert_eq!((outcome.calls, outcome.unjudged.len()), (4, 6));
    let stopped = outcome.stopped.expect("a reason");
    assert!(
        matches!(
            stopped,
            JudgeError::Budget {
                budget: 4,
                left: 6,
                last: None
            }
        ),
        "{stopped}"
    );

    // The next one goes on where this one ended.
    config.budget = Some(6);
    let outcome = judge(config, &items, Position::default());
    assert_eq!((outcome.calls, outcome.cached), (6, 4));
    assert_eq!(outcome.verdicts, [Some(Verdict::Win); 10]);
    assert!(outcome.stopped.is_none());
    assert_eq!(stub.count(), 10);
}

#[test]
fn an_answer_without_a_verdict_is_asked_for_again() {
    let stub = Stub::start(|request, before| match before {
        0 => says("I cannot say."),
        1 => raw(200, "{\"choices\": [{\"message\": {\"content\": null}}]}"),
        _ => fair(request),
    });
    let folder = tempfile::tempdir().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(folder.path().into()),
        concurrency: 1,
        ..stub.config()
    };
    let items = items(3);
    let first = judge(config.clone(), &items, Position::default());
    assert_eq!((first.calls, first.unparsable.len()), (3, 2));
    let second = judge(config, &items, Position::default());
    assert_eq!((second.calls, second.cached), (2, 1));
    assert_eq!(second.verdicts, [Some(Verdict::Win); 3]);
}

#[test]
fn a_repeated_evaluation_costs_no_call() {
    let stub = Stub::start(|request, _| fair(request));
    let folder = tempfile::tempdir().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(folder.path().into()),
        ..stub.config()
    };
    let items = items(8);
    let first = judge(config.clone(), &items, Position::Swapped);
    drop(stub);
    let second = judge(config, &items, Position::Swapped);
    assert_eq!(second.verdicts, first.verdicts);
    assert_eq!((second.calls, second.cached), (0, 16));
}

#[test]
fn one_item_that_the_judge_cannot_take_leaves_the_others() {
    let stub = Stub::start(
        |request, _| match request.question().starts_with("wish 2\n") {
            true => raw(400, r#"{"error":{"message":"context too long"}}"#),
            false => fair(request),
        },
    );
    let outcome = judge(stub.config(), &items(6), Position::default());
    assert_eq!(outcome.verdicts.iter().flatten().count(), 5);
    assert_eq!((outcome.unjudged[0].index, outcome.unjudged.len()), (2, 1));
    assert!(outcome.unjudged[0].reason.contains("context too long"));
    assert!(outcome.stopped.is_none());
}

#[test]
fn a_server_that_fails_every_time_ends_the_evaluation_with_one_error() {
    let stub = Stub::start(|_, _| raw(500, "broken"));
    let outcome = judge(plain(&stub), &items(50), Position::default());
    assert_eq!(outcome.unjudged.len(), 50);
    let stopped = outcome.stopped.expect("a reason").to_string();
    assert!(stopped.contains("left unjudged: 50"), "{stopped}");
    assert!(stopped.contains("status 500: broken"), "{stopped}");
    // The queue may be one ahead of the reader.
    assert!((3..=5).contains(&stub.count()), "{}", stub.count());
}

#[test]
fn a_wrong_key_ends_the_evaluation_at_once() {
    let stub = Stub::start(|_, _| raw(401, "who are you?"));
    let outcome = judge(plain(&stub), &items(50), Position::default());
    let stopped = outcome.stopped.expect("a reason").to_string();
    assert!(stopped.contains("401: who are you?"), "{stopped}");
    assert!(stub.count() <= 3, "{}", stub.count());
}

#[test]
fn calls_under_way_never_exceed_the_limit() {
    for limit in [1, 3] {
        let stub = Stub::start(|request, _| fair(request).after(20));
        let config = JudgeConfig {
            concurrency: limit,
            ..stub.config()
        };
        judge(config, &items(24), Position::default());
        assert_eq!(stub.most_at_once(), limit);
    }
}

#[test]
fn the_same_text_is_a_tie_and_the_same_question_is_asked_once() {
    let stub = Stub::start(|request, _| fair(request));
    let mut items = vec![
        item(0, "ada", "same", "same"),
        item(1, "ada", "good", "bad"),
    ];
    items.push(items[1].clone());
    let outcome = judge(stub.config(), &items, Position::Swapped);
    let (win, tie) = (Some(Verdict::Win), Some(Verdict::Tie));
    assert_eq!(outcome.verdicts, [tie, win, win]);
    assert_eq!((outcome.identical, outcome.calls), (1, 2));
}

#[test]
fn an_item_that_does_not_fit_the_prompts_is_an_error_before_any_call() {
    let stub = Stub::start(|request, _| fair(request));
    let mut items = items(3);
    items[2].fields.clear();
    let client = JudgeClient::new(stub.config()).unwrap();
    let result = judge_all(
        &client,
        &prompt(),
        &items,
        Position::default(),
        &mut |_, _| true,
    );
    let error = result.map(|_| ()).unwrap_err().to_string();
    assert!(
        error.contains("test.toml") && error.contains("`wish`"),
        "{error}"
    );
    assert_eq!(stub.count(), 0);
}

#[test]
fn who_watches_may_end_it_while_no_answer_comes() {
    let stub = Stub::start(|_, _| raw(503, "later"));
    let config = JudgeConfig {
        retries: 1000,
        first_delay_s: 60.0,
        max_delay_s: 60.0,
        ..plain(&stub)
    };
    let client = JudgeClient::new(config).unwrap();
    let (items, position) = (items(3), Position::default());
    let mut looks = 0;
    let mut progress = |_, _| {
        looks += 1;
        looks < 3
    };
    let outcome = judge_all(&client, &prompt(), &items, position, &mut progress).unwrap();
    let Some(JudgeError::GivenUp { left: 3, source }) = outcome.stopped else {
        panic!("not ended: {:?}", outcome.stopped);
    };
    assert!(matches!(*source, JudgeError::CalledOff));
    assert_eq!((outcome.unjudged.len(), outcome.calls), (3, 1));
    // Before the first call, too.
    let outcome = judge_all(&client, &prompt(), &items, position, &mut |_, _| false).unwrap();
    assert_eq!((outcome.unjudged.len(), outcome.calls), (3, 0));
}

#[test]
fn nothing_to_judge_is_no_error() {
    let stub = Stub::start(|request, _| fair(request));
    let outcome = judge(stub.config(), &[], Position::default());
    assert!(outcome.verdicts.is_empty() && outcome.stopped.is_none());
}
