//! Logs of the programs: standard error, level from `RUST_LOG`, `info` by default.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing_log::{AsLog, log};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use crate::Profile;

/// Lines kept while the terminal is held; the oldest go first.
const KEPT: usize = 1000;

/// Lines that wait for the terminal; none while it is free.
static HELD: Mutex<Option<VecDeque<Vec<u8>>>> = Mutex::new(None);

/// Installs the subscriber; does nothing if there is one.
pub fn init() {
    init_with(None);
}

/// The same, with a profile that listens to the spans of the work.
pub fn init_with(profile: Option<Profile>) {
    let level = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let shown = level.max_level_hint();
    let lines = fmt::layer()
        .fmt_fields(Fields)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(|| Lines)
        .with_filter(level);
    let profile = profile.map(|profile| profile.with_filter(filter_fn(Profile::wants)));
    let subscriber = tracing_subscriber::registry().with(lines).with(profile);
    if subscriber.try_init().is_err() {
        return;
    }
    // The profile's spans have the lowest level of all, which records of the crate `log` would be made for: libraries write
    // millions of them, which nothing shows.
    if let Some(shown) = shown {
        log::set_max_level(shown.as_log());
    }
}

/// Keeps log lines back until the value returned is dropped: something else draws on the terminal.
#[must_use]
pub fn hold() -> Hold {
    held().get_or_insert_default();
    Hold(())
}

/// True while log lines are kept back.
pub fn is_held() -> bool {
    held().is_some()
}

/// See [`hold`].
pub struct Hold(());

impl Drop for Hold {
    fn drop(&mut self) {
        let lines = held().take().unwrap_or_default();
        let mut stderr = io::stderr().lock();
        for line in lines {
            let _ = stderr.write_all(&line); // A closed standard error has no reader to tell.
        }
    }
}

fn held() -> MutexGuard<'static, Option<VecDeque<Vec<u8>>>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes a log line, or keeps it. The subscriber hands over one whole line at a time.
struct Lines;

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut held = held();
        let Some(lines) = held.as_mut() else {
            // Where nobody reads any more, there is nobody to tell, and the work goes on.
            let _ = io::stderr().write_all(line);
            return Ok(line.len());
        };
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// What log lines say, without what a terminal would obey; messages may have several lines, values of fields have one.
struct Fields;

impl<'w> FormatFields<'w> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> std::fmt::Result {
        let mut shown = Shown {
            writer,
            space: "",
            result: Ok(()),
        };
        fields.record(&mut shown);
        shown.result
    }
}

/// Fields of one line or span, as they come.
struct Shown<'w> {
    writer: Writer<'w>,
    /// What stands before the next field.
    space: &'static str,
    result: std::fmt::Result,
}

impl Visit for Shown<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Records of the crate `log` say where they come from in fields.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let space = std::mem::replace(&mut self.space, " ");
        let value = format!("{value:?}");
        self.result = match field.name() {
            "message" => write!(self.writer, "{space}{}", printable::text(&value)),
            name => {
                let name = name.strip_prefix("r#").unwrap_or(name);
                write!(self.writer, "{space}{name}={}", printable::line(&value))
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Kept(std::sync::Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(line)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal_in_messages_and_in_fields() {
        for with_colours in [false, true] {
            let kept = Kept::default();
            let writer = kept.clone();
            let lines = fmt::layer()
                .fmt_fields(Fields)
                .with_ansi(with_colours)
                .without_time()
                .with_target(false)
                .with_writer(move || writer.clone());
            let subscriber = tracing_subscriber::registry().with(lines);
            tracing::subscriber::with_default(subscriber, || {
                let file = "a\u{1b}[2J\u{9b}1m\u{202e}\n b";
                tracing::warn!(%file, "user `{}`", "\u{1b}]0;x\u{7}");
                tracing::warn!(log.target = "x", r#type = 1, "said");
            });
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let said = "user `\\u{1b}]0;x\\u{7}` file=a\\u{1b}[2J\\u{9b}1m\\u{202e}\\n b\n";
            let level = match with_colours {
                true => "\u{1b}[33m WARN\u{1b}[0m ",
                false => " WARN ",
            };
            assert_eq!(text, format!("{level}{said}{level}said type=1\n"));
        }
    }

    #[test]
    fn lines_wait_while_the_terminal_is_held_and_the_oldest_go_first() {
        let hold = hold();
        for i in 0..KEPT + 2 {
            Lines.write_all(format!("line {i}\n").as_bytes()).unwrap();
        }
        // Other tests may log, too.
        assert!(is_held() && held().as_ref().unwrap().len() == KEPT);
        assert!(!held().as_ref().unwrap().contains(&b"line 0\n".to_vec()));
        held().as_mut().unwrap().clear();
        drop(hold);
        assert!(!is_held());
    }
}
