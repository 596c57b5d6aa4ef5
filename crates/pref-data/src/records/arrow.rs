//! Arrow's IPC format, as a stream or as a file: what `datasets.save_to_disk` writes. One batch is in memory at a time.
//!
//! Read here and not by the crate `arrow`, because that turns on features below burn.

mod column;
mod flat;
mod packed;

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use self::column::{Column, Dictionaries, Field, Parts, Room};
use self::flat::Table;
use self::packed::Packing;
use super::content::Wanted;
use super::fields::{Content, RawError, RawRecord, RawRecords, validate_distinct};
use super::limits::{MAX_RECORD_BYTES, TOO_MUCH_TEXT, most_bytes};
use crate::error::{DataError, WHOLE_RECORD};

const EXPECTED: &str = "a whole Arrow file with columns of text, integers or lists of messages";
/// What stands before the stream in a file.
const FILE_MARK: [u8; 8] = *b"ARROW1\0\0";

/// Reads the wanted columns.
pub(super) fn open(
    path: &Path,
    mut input: impl Read + 'static,
    wanted: Wanted,
) -> Result<RawRecords, RawError> {
    let fatal = |found: &str| broken(path, 1, found);
    let mut start = Vec::new();
    let read = (&mut input).take(8).read_to_end(&mut start);
    read.map_err(|error| RawError::fatal(DataError::io(path, error)))?;
    if start == FILE_MARK {
        start.clear();
    }
    let mut messages = Messages {
        input: io::Cursor::new(start).chain(input),
        read: 0,
    };
    let schema = match messages.next().map_err(|found| fatal(&found))? {
        Some(message) => message,
        None => return Err(fatal("no schema")),
    };
    let fields = fields(&schema.head).ok_or_else(|| fatal("columns of an unknown kind"))?;
    let names: Vec<&str> = fields.iter().map(|field| &*field.name).collect();
    validate_distinct(path, &names)?;
    let others = names.iter().filter(|name| !wanted(name));
    Ok(Box::new(ArrowRows {
        path: path.to_path_buf(),
        others: others.map(|&name| name.to_owned()).collect(),
        wanted: names.iter().map(|name| wanted(name)).collect(),
        fields,
        dictionaries: Dictionaries::new(),
        messages,
        columns: Vec::new(),
        waiting: 0..0,
        row: 0,
        taken: 0,
        done: false,
    }))
}

/// The columns that a schema names.
fn fields(head: &[u8]) -> Option<Vec<Field>> {
    const DEEPEST: usize = 32;
    const SCHEMA: u8 = 1;
    let message = Table::root(head)?;
    let schema = message.table(2).filter(|_| message.byte(1) == SCHEMA)?;
    let big_endian = schema.short(0) != 0;
    let fields = schema.tables(1).map(|field| Field::read(&field?, DEEPEST));
    fields.collect::<Option<_>>().filter(|_| !big_endian)
}

struct Message {
    head: Vec<u8>,
    body: Vec<u8>,
}

/// The messages of a stream.
struct Messages<R> {
    input: R,
    /// Bytes so far.
    read: u64,
}

impl<R: Read> Messages<R> {
    /// The next message; none at the end.
    fn next(&mut self) -> Result<Option<Message>, String> {
        const CONTINUATION: u32 = u32::MAX;
        let Some(mut size) = self.number()? else {
            return Ok(None);
        };
        if size == CONTINUATION {
            size = self.number()?.unwrap_or(0);
        }
        if size == 0 {
            return Ok(None);
        }
        if size as usize > MAX_RECORD_BYTES {
            return Err("a message's head of more than 64 MiB".into());
        }
        let head = self.bytes(size.into())?;
        let body = Table::root(&head).map_or(0, |message| message.long(3));
        let body = u64::try_from(body).map_err(|_| "a body of negative length")?;
        let body = self.bytes(body)?;
        Ok(Some(Message { head, body }))
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        let mut bytes = Vec::with_capacity(4);
        let read = (&mut self.input).take(4).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        self.read += bytes.len() as u64;
        match <[u8; 4]>::try_from(&*bytes) {
            Ok(bytes) => Ok(Some(u32::from_le_bytes(bytes))),
            Err(_) if bytes.is_empty() => Ok(None),
            Err(_) => Err(CUT.into()),
        }
    }

    /// So many bytes, taken as they come: a length is only a claim.
    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        let read = (&mut self.input).take(count).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        self.read += bytes.len() as u64;
        match bytes.len() as u64 == count {
            true => Ok(bytes),
            false => Err(CUT.into()),
        }
    }
}

const CUT: &str = "the end of the file inside a message";

fn broken(path: &Path, row: u64, found: &str) -> RawError {
    RawError::fatal(DataError::record(path, row, WHOLE_RECORD, found, EXPECTED))
}

struct ArrowRows<R> {
    path: PathBuf,
    fields: Vec<Field>,
    /// Which of them are read.
    wanted: Vec<bool>,
    /// Names of the others.
    others: Rc<[String]>,
    dictionaries: Dictionaries,
    messages: Messages<R>,
    /// Of the batch at hand.
    columns: Vec<Column>,
    /// Its rows that are still to come.
    waiting: Range<usize>,
    /// Rows so far.
    row: u64,
    /// Bytes that what was read takes.
    taken: u64,
    done: bool,
}

impl<R: Read> Iterator for ArrowRows<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done {
            if let Some(row) = self.waiting.next() {
                self.row += 1;
                return Some(self.record(row));
            }
            match self.next_batch() {
                Ok(true) => {}
                Ok(false) => self.done = true,
                Err(found) => {
                    self.done = true;
                    return Some(Err(broken(&self.path, self.row + 1, &found)));
                }
            }
        }
        None
    }
}

impl<R: Read> ArrowRows<R> {
    /// Takes the next message in; false at the end.
    fn next_batch(&mut self) -> Result<bool, String> {
        const DICTIONARY: u8 = 2;
        const BATCH: u8 = 3;
        let Some(Message { head, body }) = self.messages.next()? else {
            return Ok(false);
        };
        let body = Rc::new(body);
        let message = Table::root(&head).ok_or("a message without a head")?;
        let Some(content) = message.table(2) else {
            return Ok(true);
        };
        match message.byte(1) {
            DICTIONARY => self.dictionary(&content, &body)?,
            BATCH => self.batch(&content, &body)?,
            _ => {}
        }
        Ok(true)
    }

    fn batch(&mut self, batch: &Table, body: &Rc<Vec<u8>>) -> Result<(), String> {
        const BEST: usize = 256;
        let packing = Packing::of(batch)?;
        let rows = usize::try_from(batch.long(0)).map_err(|_| "a negative number of rows")?;
        let mut parts = Parts::of(batch);
        let mut bytes = match packing {
            Some(_) => body.len().saturating_mul(BEST),
            None => body.len(),
        };
        let mut left = most_bytes(self.messages.read);
        let all = left;
        self.columns.clear();
        for (field, wanted) in self.fields.iter().zip(&self.wanted) {
            let column = Column::read(field, &mut parts, body, &self.dictionaries);
            let mut column =
                column.ok_or_else(|| format!("a batch without all of column `{}`", field.name))?;
            if let Some(packing) = packing.filter(|_| *wanted) {
                column.unpack(packing, &mut left)?;
            }
            self.columns.push(column);
        }
        bytes = bytes.max(usize::try_from(all - left).unwrap_or(usize::MAX));
        // Eight rows of nothing but truth values take a byte.
        if rows / 8 > bytes {
            return Err(format!("{rows} rows in {bytes} bytes"));
        }
        self.waiting = 0..rows;
        Ok(())
    }

    fn dictionary(&mut self, table: &Table, body: &Rc<Vec<u8>>) -> Result<(), String> {
        let number = table.long(0);
        if table.byte(2) != 0 {
            return Err("a dictionary in several parts; write the file anew".into());
        }
        let mut fields = self.fields.iter().flat_map(Field::with_dictionaries);
        let named = |field: &&Field| {
            field
                .dictionary
                .as_ref()
                .is_some_and(|(id, _)| *id == number)
        };
        let field = fields.find(named).ok_or("a dictionary of no column")?;
        let batch = table.table(1).ok_or("a dictionary without values")?;
        let packing = Packing::of(&batch)?;
        let values = Column::read(
            &field.without_dictionary(),
            &mut Parts::of(&batch),
            body,
            &self.dictionaries,
        );
        let mut values = values.ok_or("a dictionary without all of its values")?;
        if let Some(packing) = packing {
            values.unpack(packing, &mut most_bytes(self.messages.read))?;
        }
        self.dictionaries.insert(number, Rc::new(values));
        Ok(())
    }

    fn record(&mut self, row: usize) -> Result<RawRecord, RawError> {
        let (mut record, room) = (Vec::new(), Room::new());
        let columns = self.fields.iter().zip(&self.columns).zip(&self.wanted);
        for ((field, column), _) in columns.filter(|(_, wanted)| **wanted) {
            let value = column.value(row, &room).map_err(|found| {
                let expected = "text, an integer or a list";
                let error = DataError::record(&self.path, self.row, &field.name, found, expected);
                RawError::broken_record(error)
            })?;
            record.push((Cow::Owned(field.name.clone()), value));
        }
        self.taken += room.taken();
        if self.taken > most_bytes(self.messages.read) {
            self.done = true;
            return Err(broken(&self.path, self.row, TOO_MUCH_TEXT));
        }
        Ok(RawRecord {
            line: self.row,
            item: None,
            content: Content::Row(record.into_iter().collect(), Rc::clone(&self.others)),
        })
    }
}
