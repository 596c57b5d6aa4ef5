//! What a command writes for its user.

use std::fmt::Display;
use std::io::Write;

use trainer::TrainError;

/// The longest cell of a table, in characters.
const WIDEST: usize = 60;

/// Standard output, or whatever a test puts in its place. What a terminal would obey, in an id, a file's name or text that a
/// model wrote, is escaped ([`printable`]).
pub struct Output<'a>(pub &'a mut dyn Write);

impl Output<'_> {
    /// Writes one line.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn line(&mut self, text: impl Display) -> Result<(), TrainError> {
        let text = text.to_string();
        writeln!(self.0, "{}", printable::text(&text)).map_err(failed)
    }

    /// Writes a JSON value in one line; it says the same, hidden characters escaped in the manner of JSON.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn json(&mut self, value: impl Display) -> Result<(), TrainError> {
        let text = value.to_string();
        writeln!(self.0, "{}", printable::json(&text)).map_err(failed)
    }

    /// Writes a line with a label in front, the texts of all such lines below each other.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn fact(&mut self, label: &str, text: impl Display) -> Result<(), TrainError> {
        self.line(format_args!("{label:<12} {text}"))
    }

    /// Writes a line whose text has a colour, by its number in a terminal's escape sequence, where one is wanted.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn coloured(
        &mut self,
        label: &str,
        text: &str,
        colour: Option<u8>,
    ) -> Result<(), TrainError> {
        let (label, text) = (printable::text(label), printable::text(text));
        let written = match colour {
            Some(colour) => writeln!(self.0, "{label}\u{1b}[{colour}m{text}\u{1b}[0m"),
            None => writeln!(self.0, "{label}{text}"),
        };
        written.map_err(failed)
    }

    /// Writes text, at once and without a newline of its own.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn text(&mut self, text: &str) -> Result<(), TrainError> {
        let written = self.0.write_all(printable::text(text).as_bytes());
        written.and_then(|()| self.0.flush()).map_err(failed)
    }

    /// Writes a table: the first column to the left, the others to the right. Each row is one line; a long cell loses its
    /// middle.
    ///
    /// # Errors
    /// [`TrainError::Stream`].
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<(), TrainError> {
        let shown = |cell: &String| printable::short(cell, WIDEST).into_owned();
        let shown = |row: &Vec<String>| row.iter().map(shown).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(shown).collect();
        let cells = |at: usize| rows.iter().filter_map(move |row| row.get(at));
        let width = |at: usize| cells(at).map(|c| c.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = head
            .iter()
            .enumerate()
            .map(|(at, title)| title.chars().count().max(width(at)))
            .collect();
        self.row(head.iter().copied(), &widths)?;
        for row in &rows {
            self.row(row.iter().map(String::as_str), &widths)?;
        }
        Ok(())
    }

    fn row<'t>(
        &mut self,
        cells: impl Iterator<Item = &'t str>,
        widths: &[usize],
    ) -> Result<(), TrainError> {
        let mut line = String::new();
        for (at, (cell, &width)) in cells.zip(widths).enumerate() {
            line += &match at {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        self.line(line.trim_end())
    }
}

/// Writes until that fails, and then no more, without an error: training goes on where `| head` has seen enough, or where a log's
/// disk is full.
pub struct WhileRead<W> {
    writer: W,
    failed: bool,
}

impl<W: Write> WhileRead<W> {
    /// Over `writer`.
    pub fn new(writer: W) -> Self {
        let failed = false;
        Self { writer, failed }
    }

    fn forgiving(&mut self, result: std::io::Result<()>) {
        if let Err(error) = result {
            self.failed = true;
            if error.kind() != std::io::ErrorKind::BrokenPipe {
                tracing::warn!("standard output: {error}; going on without it");
            }
        }
    }
}

impl<W: Write> Write for WhileRead<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if !self.failed {
            let written = self.writer.write_all(bytes);
            self.forgiving(written);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.failed {
            let flushed = self.writer.flush();
            self.forgiving(flushed);
        }
        Ok(())
    }
}

fn failed(source: std::io::Error) -> TrainError {
    let stream = "output";
    TrainError::Stream { stream, source }
}

/// A number with separators: `1,234,567`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as people read them.
pub fn bytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    match mib {
        _ if mib >= 1024.0 => format!("{:.1} GiB", mib / 1024.0),
        _ if mib >= 10.0 => format!("{mib:.0} MiB"),
        _ => format!("{mib:.1} MiB"),
    }
}

/// Seconds as people read them.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let mut text = Vec::new();
        let rows = [["anna", "7"], ["bo", "12345"]].map(|r| r.map(String::from).to_vec());
        let mut out = Output(&mut text);
        out.table(&["user", "n"], &rows).unwrap();
        let expected = "user      n\nanna      7\nbo    12345\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_of_work_that_goes_on() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        Output(&mut WhileRead::new(Gone)).line("a").unwrap();
        assert!(Output(&mut Gone).line("a").is_err());
    }

    #[test]
    fn a_row_is_one_line_of_bounded_width_whatever_its_cells_hold() {
        let mut text = Vec::new();
        let rows =
            ["a\nb", "\u{1b}[2J", &"x".repeat(70_000)].map(|id| vec![id.to_owned(), "7".into()]);
        Output(&mut text).table(&["user", "n"], &rows).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].starts_with("a\\nb  ") && lines[2].starts_with("\\u{1b}[2J  "));
        assert!(lines.iter().all(|line| line.chars().count() == WIDEST + 3));
    }

    #[test]
    fn what_a_terminal_obeys_is_escaped_and_json_says_the_same() {
        let mut text = Vec::new();
        let mut out = Output(&mut text);
        out.fact("user", "\u{1b}]0;x\u{7}").unwrap();
        out.text("a\u{202e}b\n\tc").unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "user         \\u{1b}]0;x\\u{7}\na\\u{202e}b\n\tc"
        );
        let value = serde_json::json!({"response": "\u{1b}[2J\u{7f}\u{202e}\n"});
        let mut text = Vec::new();
        Output(&mut text).json(&value).unwrap();
        assert!(text.is_ascii());
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&text).unwrap(),
            value
        );
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(123), "123");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(bytes(3 << 20), "3.0 MiB");
        assert_eq!(bytes(3 << 30), "3.0 GiB");
        assert_eq!(duration(42.0), "42.0 s");
        assert_eq!(duration(600.0), "10 min");
        assert_eq!(duration(7200.0), "2.0 h");
    }
}
