//! Two systems, two users, one judge: from items to win rates.
//!
//! Without arguments it starts a judge of its own, which knows one thing: shorter is better for who wants it short, else
//! longer. With an address and a model it asks a real one, with the key in `JUDGE_KEY`:
//!
//! `cargo run --release -p judge --example judge_two_texts -- http://localhost:8080/v1 my-model`
#![expect(clippy::print_stdout, reason = "an example shows its result")]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use judge::{Item, JudgeClient, JudgeConfig, Position, PromptFile, Value, judge_all};

const PROMPT: &str = r#"
fields = ["instruction", "wish"]
user = """
Which answer suits the wish "{{ wish }}" better? Instruction: {{ instruction }}
[A] {{ output_a }}
[B] {{ output_b }}
End with "{{ verdict.marker }} {{ verdict.first }}", "{{ verdict.second }}" or "{{ verdict.tie }}".
"""
[verdict]
marker = "Verdict:"
first = "answer A"
second = "answer B"
tie = "neither"
"#;

fn item(user: &str, wish: &str, instruction: &str, ours: &str, theirs: &str) -> Item {
    let field = |name: &str, text: &str| (name.to_owned(), Value::from(text));
    Item {
        id: instruction.into(),
        user: user.into(),
        fields: BTreeMap::from([field("instruction", instruction), field("wish", wish)]),
        ours: ours.into(),
        theirs: theirs.into(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (url, model) = match (args.next(), args.next()) {
        (Some(url), Some(model)) => (url, model),
        _ => (stub()?, "stub".into()),
    };
    let short = "Boil it for six minutes.";
    let long = "Take a pot, fill it with water, wait until it boils, put the egg in and wait for six minutes.";
    let items = [
        item("ada", "be brief", "How do I boil an egg?", short, long),
        item("ada", "be brief", "And a soft one?", "Four minutes.", long),
        item(
            "bob",
            "tell me everything",
            "How do I boil an egg?",
            short,
            long,
        ),
        item("bob", "tell me everything", "And a soft one?", long, short),
    ];
    let client = JudgeClient::new(JudgeConfig {
        key_env: Some("JUDGE_KEY".into()),
        budget: Some(100),
        ..JudgeConfig::new(url, model)
    })?;
    let prompt = PromptFile::parse("judge_two_texts.rs", PROMPT)?;
    let mut progress = |done, total| {
        println!("{done} of {total} questions answered");
        true
    };
    let outcome = judge_all(&client, &prompt, &items, Position::Swapped, &mut progress)?;
    for (item, verdict) in items.iter().zip(&outcome.verdicts) {
        println!("{}, {} {verdict:?}", item.user, item.id);
    }
    for unparsable in &outcome.unparsable {
        println!("no verdict in: {}", unparsable.answer);
    }
    if let Some(stopped) = &outcome.stopped {
        println!("{stopped}");
    }
    println!(
        "{}",
        serde_json::to_string_pretty(&outcome.win_rates(&items))?
    );
    Ok(())
}

/// Starts a judge on this machine and gives its address.
fn stub() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}/v1", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(url)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let request: serde_json::Value = serde_json::from_slice(&body)?;
    let question = request["messages"][0]["content"]
        .as_str()
        .unwrap_or_default();
    let length_of = |name: &str| {
        let mut lines = question.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .map_or(0, str::len)
    };
    let a_is_shorter = length_of("[A] ") < length_of("[B] ");
    let chosen = match question.contains("be brief") == a_is_shorter {
        true => "Verdict: answer A",
        false => "Verdict: answer B",
    };
    let body = serde_json::json!({ "choices": [{ "message": { "content": chosen } }] }).to_string();
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}
