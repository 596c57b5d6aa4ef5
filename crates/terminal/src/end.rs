//! How a program ends that was asked to stop.

use std::process::ExitCode;

use trainer::TrainError;

use crate::{INTERRUPTED, arguments, say};

/// Says how to go on with `program`, and gives the exit code of a program that was stopped; none for other errors.
pub fn stopped(program: &str, error: &TrainError) -> Option<ExitCode> {
    let text = match error {
        TrainError::Interrupted { .. } | TrainError::Stopped => error.to_string(),
        _ => return None,
    };
    let again = resuming(arguments().into_iter());
    say(format_args!("{text}:\n  {program} {again}"));
    Some(ExitCode::from(INTERRUPTED))
}

/// The arguments that go on with a run, as one types them.
fn resuming(arguments: impl Iterator<Item = String>) -> String {
    let kept = arguments.filter(|a| a != "--resume" && a != "--force");
    let plain = |c: char| c.is_alphanumeric() || "-_=./:,+@%".contains(c);
    let quoted = kept.map(|a| match !a.is_empty() && a.chars().all(plain) {
        true => a,
        false => format!("'{}'", a.replace('\'', r"'\''")),
    });
    quoted
        .chain(["--resume".into()])
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_go_on_can_be_pasted_into_a_shell() {
        let arguments = [
            "train",
            "--out",
            "my runs",
            "--set",
            r#"data.train=["it's"]"#,
            "--force",
        ];
        let line = resuming(arguments.into_iter().map(String::from));
        let expected = r#"train --out 'my runs' --set 'data.train=["it'\''s"]' --resume"#;
        assert_eq!(line, expected);
    }
}
