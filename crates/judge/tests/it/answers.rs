//! One question: what is sent, what is repeated, what is kept.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use judge::{JudgeClient, JudgeConfig, JudgeError, Message};

use crate::stub::{Reply, Stub, raw, says};

fn ask(config: JudgeConfig) -> Result<String, JudgeError> {
    Ok(client(config).ask(&question())?.text)
}

fn client(config: JudgeConfig) -> JudgeClient {
    JudgeClient::new(config).expect("a configuration that can be used")
}

fn question() -> Vec<Message> {
    vec![
        Message::new("system", "Judge."),
        Message::new("user", "Which?"),
    ]
}

/// The first reply, then good ones.
fn first(reply: Reply) -> Stub {
    Stub::start(move |_, before| match before {
        0 => reply.clone(),
        _ => says("good"),
    })
}

#[test]
fn a_question_is_sent_as_the_protocol_says() {
    let stub = Stub::start(|_, _| says("good"));
    let config = JudgeConfig {
        temperature: Some(0.1),
        max_tokens: 512,
        ..stub.config()
    };
    assert_eq!(ask(config).unwrap(), "good");
    let request = &stub.requests()[0];
    assert_eq!(request.line, "POST /v1/chat/completions HTTP/1.1");
    assert_eq!(request.authorization, None, "no key, no header");
    assert_eq!(request.body["model"], "stub-model");
    assert_eq!(request.body["temperature"], 0.1);
    assert_eq!(request.body["max_tokens"], 512);
    assert_eq!(request.body["messages"][0]["role"], "system");
    assert_eq!(request.question(), "Which?");
}

#[test]
fn passing_failures_are_repeated() {
    for reply in [
        raw(500, "oops"),
        raw(503, r#"{"error":{"message":"busy"}}"#),
        raw(429, ""),
        raw(200, "{\"choices\": ["),
        raw(200, r#"{"choices":[]}"#),
        raw(200, "<html>"),
    ] {
        let stub = first(reply.clone());
        let client = client(stub.config());
        assert_eq!(client.ask(&question()).unwrap().text, "good", "{reply:?}");
        assert_eq!((stub.count(), client.calls()), (2, 2));
    }
}

#[test]
fn a_slow_answer_is_given_up_and_asked_again() {
    let stub = first(says("late").after(3000));
    let config = JudgeConfig {
        timeout_s: 0.5,
        ..stub.config()
    };
    let start = Instant::now();
    assert_eq!(ask(config).unwrap(), "good");
    assert!(start.elapsed() < Duration::from_millis(2500));
}

#[test]
fn a_server_that_asks_for_a_pause_gets_it() {
    let stub = first(raw(429, "slow down").with_header("Retry-After: 1"));
    assert_eq!(ask(stub.config()).unwrap(), "good");
    let requests = stub.requests();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_millis(950), "{pause:?}");
}

#[test]
fn a_pause_of_hours_is_an_error_instead() {
    let stub = first(raw(429, "come back tomorrow").with_header("Retry-After: 86400"));
    let error = ask(stub.config()).unwrap_err().to_string();
    assert!(error.contains("a pause of 86400 s"), "{error}");
    assert!(error.contains("come back tomorrow"), "{error}");
}

#[test]
fn a_server_that_always_fails_is_one_error_that_says_how_often_it_was_asked_and_what_it_said() {
    let stub = Stub::start(|_, _| raw(500, r#"{"error":{"message":"out of memory"}}"#));
    let error = ask(stub.config()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{}/chat/completions gave no usable answer in 3 attempts; the last one: status 500: out of memory",
            stub.url()
        )
    );
    assert_eq!(stub.count(), 3);
}

#[test]
fn a_refusal_is_not_repeated() {
    for status in [302, 400, 401, 404] {
        let stub = Stub::start(move |_, _| raw(status, r#"{"error":{"message":"not like that"}}"#));
        let error = ask(stub.config()).unwrap_err();
        assert!(
            matches!(&error, JudgeError::Refused { status: s, message, .. } if *s == status && message == "not like that"),
            "{error}"
        );
        assert_eq!(stub.count(), 1);
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_its_address() {
    let url = Stub::start(|_, _| says("")).url();
    let config = JudgeConfig {
        retries: 0,
        ..JudgeConfig::new(format!("{url}?key=s3cr3t"), "m")
    };
    // The port is closed by now, or soon.
    std::thread::sleep(Duration::from_millis(100));
    let error = ask(config).unwrap_err().to_string();
    assert!(error.contains(&url) && !error.contains("s3cr3t"), "{error}");
}

#[test]
fn the_budget_counts_every_call_and_is_never_exceeded() {
    let stub = Stub::start(|_, _| raw(500, ""));
    let config = JudgeConfig {
        budget: Some(2),
        ..stub.config()
    };
    let client = client(config);
    // What the server said before the budget ended is told.
    for said in ["; the last call: status 500: (no words)", ""] {
        let error = client.ask(&question()).unwrap_err();
        let expected = "the budget of 2 calls to the judge is used up; left unjudged: 1";
        assert_eq!(error.to_string(), format!("{expected}{said}"));
    }
    assert_eq!((stub.count(), client.calls()), (2, 2));
}

#[test]
fn a_repeated_question_costs_no_call_even_for_another_client() {
    let stub = Stub::start(|_, before| says(&format!("answer {before}")));
    let folder = tempfile::tempdir().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(folder.path().join("judge")),
        ..stub.config()
    };
    assert_eq!(ask(config.clone()).unwrap(), "answer 0");
    assert_eq!(ask(config.clone()).unwrap(), "answer 0");
    let elsewhere = JudgeConfig {
        url: "http://127.0.0.1:1/v1".into(),
        ..config.clone()
    };
    assert_eq!(
        ask(elsewhere).unwrap(),
        "answer 0",
        "the address takes no part"
    );
    let other = JudgeConfig {
        model: "other-model".into(),
        ..config
    };
    assert_eq!(ask(other).unwrap(), "answer 1");
    assert_eq!(stub.count(), 2);
}

#[test]
fn a_corrupt_cache_file_is_asked_again_and_replaced() {
    let stub = Stub::start(|_, before| says(&format!("answer {before}")));
    let folder = tempfile::tempdir().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(folder.path().into()),
        ..stub.config()
    };
    ask(config.clone()).unwrap();
    let file = files(folder.path()).pop().expect("one file");
    fs::write(&file, "{\"key\": ").unwrap();
    assert_eq!(ask(config.clone()).unwrap(), "answer 1");
    assert_eq!(ask(config).unwrap(), "answer 1");
    assert_eq!(files(folder.path()), [file]);
}

#[test]
fn the_key_goes_to_the_server_and_nowhere_else() {
    const KEY: &str = "sk-very-secret";
    // The server repeats the key in its complaint, as some do.
    let stub = Stub::start(|request, before| match before {
        0 => says("good"),
        _ => raw(
            401,
            &format!("{}{:?}", "x".repeat(275), request.authorization),
        ),
    });
    let folder = tempfile::tempdir().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(folder.path().into()),
        ..stub.config()
    };
    let client = JudgeClient::with_key(config, Some(KEY)).unwrap();
    client.ask(&question()).unwrap();
    let error = client.ask(&[Message::new("user", "more")]).unwrap_err();
    let bearer = Some(format!("Bearer {KEY}"));
    assert!(stub.requests().iter().all(|r| r.authorization == bearer));
    for text in [
        error.to_string(),
        format!("{error:?}"),
        format!("{client:?}"),
    ] {
        assert!(!text.contains("sk-"), "{text}");
    }
    assert!(error.to_string().contains("(key)"), "{error}");
    for file in files(folder.path()) {
        assert!(
            !fs::read_to_string(&file).unwrap().contains(KEY),
            "{file:?}"
        );
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
