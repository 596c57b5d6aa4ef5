//! What a program says on standard error, beside its log.

use std::fmt::Display;
use std::io::{Write, stderr};
use std::process::ExitCode;

/// Writes a line to standard error, with what a terminal would obey escaped; a terminal that has gone is no reason to fail.
pub fn say(line: impl Display) {
    let line = line.to_string();
    let _ = writeln!(stderr(), "{}", printable::text(&line));
}

/// Says what went wrong, in one line, and gives the exit code for it.
pub fn fail(error: &impl Display) -> ExitCode {
    say(format_args!("error: {}", in_one_line(&error.to_string())));
    ExitCode::FAILURE
}

fn in_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line() {
        assert_eq!(in_one_line("a:\n  | b\nc"), "a: | b c");
    }
}
