//! Two programs that work in rounds, one at a time.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde_json::Value;

use crate::Workload;

/// What both sides answered.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contest {
    /// What was measured.
    pub workload: Workload,
    /// What our side said when it was ready.
    pub ours: Value,
    /// What theirs said.
    pub theirs: Value,
    /// The rounds.
    pub rounds: Vec<Round>,
}

/// One round of each side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Round {
    /// Our figures.
    pub ours: Value,
    /// Theirs.
    pub theirs: Value,
}

/// Starts both programs and lets them work in turns; who begins changes from round to round. `heard` is told of every
/// round.
///
/// # Errors
/// A program that cannot be started, or that ends before it has answered.
pub fn run(
    workload: Workload,
    ours: Command,
    theirs: Command,
    rounds: usize,
    mut heard: impl FnMut(&Round),
) -> io::Result<Contest> {
    let mut ours = Side::start(ours)?;
    let our_facts = ours.answer()?;
    let mut theirs = Side::start(theirs)?;
    let their_facts = theirs.answer()?;
    let mut done = Vec::new();
    for round in 0..rounds {
        let round = match round % 2 {
            0 => Round {
                ours: ours.round()?,
                theirs: theirs.round()?,
            },
            _ => {
                let theirs = theirs.round()?;
                Round {
                    ours: ours.round()?,
                    theirs,
                }
            }
        };
        heard(&round);
        done.push(round);
    }
    ours.end()?;
    theirs.end()?;
    Ok(Contest {
        workload,
        ours: our_facts,
        theirs: their_facts,
        rounds: done,
    })
}

/// A program at work.
struct Side {
    name: String,
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Side {
    fn start(mut command: Command) -> io::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().map_err(named)?;
        let lost = || io::Error::other(format!("{name}: no pipe"));
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().ok_or_else(lost)?);
        Ok(Self {
            name,
            child,
            input,
            output,
        })
    }

    fn round(&mut self) -> io::Result<Value> {
        if let Some(input) = &mut self.input {
            writeln!(input, "round")?;
            input.flush()?;
        }
        self.answer()
    }

    /// The next line that is a JSON object; others are passed over.
    fn answer(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.output.read_line(&mut line)? == 0 {
                let status = self.child.wait()?;
                let problem = format!("{} ended without an answer ({status})", self.name);
                return Err(io::Error::other(problem));
            }
            match serde_json::from_str(&line) {
                Ok(value @ Value::Object(_)) => return Ok(value),
                _ => continue,
            }
        }
    }

    fn end(mut self) -> io::Result<()> {
        drop(self.input.take());
        self.child.wait().map(drop)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Ended already, or of no more use. invariant: nothing else waits for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const COUNTER: &str = r#"echo noise; echo '{"ready":true}'; n=0; while read x; do n=$((n+1)); echo "{\"n\":$n}"; done"#;

    #[test]
    fn both_answer_every_round_and_noise_is_passed_over() {
        let mut heard = 0;
        let contest = run(Workload::Decode, shell(COUNTER), shell(COUNTER), 3, |_| {
            heard += 1
        });
        let contest = contest.unwrap();
        assert_eq!(contest.ours, json!({"ready": true}));
        let counts: Vec<_> = contest
            .rounds
            .iter()
            .map(|r| (&r.ours, &r.theirs))
            .collect();
        let n = |n| json!({ "n": n });
        let expected = [(n(1), n(1)), (n(2), n(2)), (n(3), n(3))];
        assert_eq!(counts, expected.each_ref().map(|(a, b)| (a, b)));
        assert_eq!(heard, 3);
    }

    #[test]
    fn a_side_that_ends_early_is_named() {
        let dead = shell("exit 3");
        let error = run(Workload::Decode, shell(COUNTER), dead, 1, |_| ()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("sh ended without an answer"), "{text}");
        assert!(text.contains('3'), "{text}");
        let missing = Command::new("no-such-program");
        let error = run(Workload::Decode, missing, shell(COUNTER), 1, |_| ()).unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }
}
