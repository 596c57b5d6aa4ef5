//! Streaming over several files.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use crate::error::DataError;
use crate::records::{self, DataFile, Fields, Format, Found, RawError, RawRecord, RawRecords};
use crate::skipped::Skipped;

/// How to treat records that do not follow the layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// `false` (the default): a broken record is an error. `true`: it is skipped and counted in [`Skipped`]. A file
    /// that cannot be read any further is an error either way.
    pub lenient: bool,
}

/// What became of a record that follows the layout.
pub(crate) enum Decoded<T> {
    Keep(T),
    /// Left out on purpose, for this reason.
    Skip(&'static str),
}

type Decode<T> = Box<dyn Fn(&Fields) -> Result<Decoded<T>, DataError>>;

/// An iterator over the records of files, one in memory at a time. After streaming, [`Reader::skipped`] tells what
/// was left out. It goes on after a broken record; after an error of the file itself it ends.
pub struct Reader<T> {
    waiting: VecDeque<DataFile>,
    all: String,
    wanted: Box<dyn Fn(&str) -> bool>,
    current: Option<(Arc<Path>, RawRecords)>,
    decode: Decode<T>,
    options: ReadOptions,
    skipped: Skipped,
    /// The first broken record that was left out.
    broken: Option<String>,
}

impl<T> Reader<T> {
    pub(crate) fn open<P: AsRef<Path>>(
        paths: &[P],
        formats: &[Format],
        options: ReadOptions,
        decode: impl Fn(&Fields) -> Result<Decoded<T>, DataError> + 'static,
    ) -> Result<Self, DataError> {
        let found = records::list(paths, formats)?;
        Ok(Self::of(found, options, |_| true, decode))
    }

    /// Of files that were found already; of their columns those that are `wanted`.
    pub(crate) fn of(
        found: Found,
        options: ReadOptions,
        wanted: impl Fn(&str) -> bool + 'static,
        decode: impl Fn(&Fields) -> Result<Decoded<T>, DataError> + 'static,
    ) -> Self {
        let Found { files, passed_over } = found;
        let mut skipped = Skipped::default();
        for (path, reason) in passed_over {
            skipped.note(reason, printable::line(&path.display().to_string()));
        }
        let paths: Vec<_> = files.iter().map(DataFile::path).collect();
        Self {
            all: records::names(&paths),
            waiting: files.into(),
            wanted: Box::new(wanted),
            current: None,
            decode: Box::new(decode),
            options,
            skipped,
            broken: None,
        }
    }

    /// What has been left out so far, by reason.
    pub fn skipped(&self) -> &Skipped {
        &self.skipped
    }

    /// Reads everything into memory.
    ///
    /// # Errors
    /// The first [`DataError`]; [`DataError::Empty`] if there is no usable record at all.
    pub fn read_all(mut self) -> Result<(Vec<T>, Skipped), DataError> {
        let items = self.by_ref().collect::<Result<Vec<T>, DataError>>()?;
        if items.is_empty() {
            let first = self.broken.map(|error| format!("; the first: {error}"));
            return Err(DataError::Empty {
                paths: self.all,
                found: format!("no record ({}{})", self.skipped, first.unwrap_or_default()),
            });
        }
        Ok((items, self.skipped))
    }

    /// The next record of the current file; opens the next file when one ends.
    fn next_raw(&mut self) -> Option<(Arc<Path>, Result<RawRecord, RawError>)> {
        loop {
            if let Some((path, records)) = &mut self.current {
                if let Some(record) = records.next() {
                    return Some((Arc::clone(path), record));
                }
                self.current = None;
            }
            let file = self.waiting.pop_front()?;
            let path = Arc::clone(file.path());
            match records::open(&file, &self.wanted) {
                Ok(records) => self.current = Some((path, records)),
                Err(error) => return Some((path, Err(error))),
            }
        }
    }

    fn stop(&mut self) {
        self.current = None;
        self.waiting.clear();
    }

    /// `None` if the record was left out.
    fn understand(&mut self, path: &Arc<Path>, record: &RawRecord) -> Option<Result<T, DataError>> {
        let (shown, line) = (path.display(), record.line);
        let object = match record.object(path) {
            Ok(object) => object,
            Err(error) => return self.broken(error),
        };
        let fields = Fields::of(path, record, &object);
        match (self.decode)(&fields) {
            Ok(Decoded::Keep(item)) => {
                for note in fields.take_notes() {
                    self.skipped.note(&note, format_args!("{shown}:{line}"));
                }
                Some(Ok(item))
            }
            Ok(Decoded::Skip(reason)) => {
                self.skipped.add(reason, format_args!("{shown}:{line}"));
                None
            }
            Err(error) => self.broken(error),
        }
    }

    /// A broken record: an error, or counted if lenient.
    fn broken(&mut self, error: DataError) -> Option<Result<T, DataError>> {
        match error {
            DataError::Record(record) if self.options.lenient => {
                tracing::warn!(%record, "broken record left out");
                if self.broken.is_none() {
                    self.broken = Some(record.to_string());
                }
                let reason = format!(
                    "broken record, field `{}`: expected {}",
                    record.field, record.expected
                );
                self.skipped.add(
                    &reason,
                    format_args!("{}:{}", record.path.display(), record.line),
                );
                None
            }
            other => Some(Err(other)),
        }
    }
}

impl<T> Iterator for Reader<T> {
    type Item = Result<T, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        while let Some((path, raw)) = self.next_raw() {
            let outcome = match raw {
                Ok(record) => self.understand(&path, &record),
                Err(RawError {
                    error,
                    fatal: false,
                }) => self.broken(error),
                Err(RawError { error, fatal: true }) => {
                    self.stop();
                    Some(Err(error))
                }
            };
            if outcome.is_some() {
                return outcome;
            }
        }
        None
    }
}
