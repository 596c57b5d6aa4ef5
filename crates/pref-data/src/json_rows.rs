//! JSON files: one object a line, or one array of objects; never more than one record in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{DataError, WHOLE_RECORD};
use crate::fields::{RawError, RawRecord, RawRecords, describe};

/// No honest comparison is longer; a file without line ends must not fill the memory.
const MAX_RECORD_BYTES: usize = 64 << 20;

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Opens a JSON file; the first character decides between lines and array.
pub(crate) fn open(path: &Path) -> Result<RawRecords, RawError> {
    let fatal = |error| RawError::fatal(DataError::io(path, error));
    let file = File::open(path).map_err(fatal)?;
    let mut input = BufReader::with_capacity(1 << 16, file);
    let start = input.fill_buf().map_err(fatal)?;
    let skip = if start.starts_with(BYTE_ORDER_MARK) {
        3
    } else {
        0
    };
    let first = start[skip..]
        .iter()
        .find(|byte| !byte.is_ascii_whitespace());
    let is_array = first == Some(&b'[');
    input.consume(skip);
    let source = Source {
        path: path.to_path_buf(),
        line: 1,
        done: false,
    };
    Ok(if is_array {
        Box::new(JsonArray {
            source,
            input: input.bytes(),
            pending: None,
            started: false,
        })
    } else {
        Box::new(JsonLines { source, input })
    })
}

struct Source {
    path: PathBuf,
    line: u64,
    done: bool,
}

impl Source {
    fn parse(&self, line: u64, bytes: &[u8]) -> Result<RawRecord, RawError> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(RawRecord { line, map }),
            Ok(other) => Err(self.broken(line, describe(Some(&other)))),
            Err(error) => Err(self.broken(line, format!("invalid JSON ({error})"))),
        }
    }

    fn broken(&self, line: u64, found: String) -> RawError {
        let error = DataError::record(&self.path, line, WHOLE_RECORD, found, "one JSON object");
        RawError::broken_record(error)
    }

    /// An error after which nothing more can be read.
    fn end(&mut self, found: &str, expected: &str) -> RawError {
        self.done = true;
        let error = DataError::record(&self.path, self.line, WHOLE_RECORD, found, expected);
        RawError::fatal(error)
    }

    fn io(&mut self, error: io::Error) -> RawError {
        self.done = true;
        RawError::fatal(DataError::io(&self.path, error))
    }
}

struct JsonLines<R> {
    source: Source,
    input: R,
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut bytes = Vec::new();
        while !self.source.done {
            bytes.clear();
            let limit = MAX_RECORD_BYTES as u64 + 1;
            let read = self
                .input
                .by_ref()
                .take(limit)
                .read_until(b'\n', &mut bytes);
            match read {
                Err(error) => return Some(Err(self.source.io(error))),
                Ok(0) => self.source.done = true,
                Ok(_) if bytes.len() > MAX_RECORD_BYTES => {
                    return Some(Err(too_long(&mut self.source)));
                }
                Ok(_) => {
                    let line = self.source.line;
                    self.source.line += 1;
                    if !bytes.iter().all(u8::is_ascii_whitespace) {
                        return Some(self.source.parse(line, &bytes));
                    }
                }
            }
        }
        None
    }
}

fn too_long(source: &mut Source) -> RawError {
    source.end("more than 64 MiB", "a record of at most 64 MiB")
}

/// Cuts an array into its items by counting brackets outside strings.
struct JsonArray<R: Read> {
    source: Source,
    input: io::Bytes<R>,
    /// A byte that was read but belongs to what follows.
    pending: Option<u8>,
    started: bool,
}

impl<R: Read> JsonArray<R> {
    fn byte(&mut self) -> Result<Option<u8>, RawError> {
        if let Some(byte) = self.pending.take() {
            return Ok(Some(byte));
        }
        match self.input.next() {
            None => Ok(None),
            Some(Err(error)) => Err(self.source.io(error)),
            Some(Ok(byte)) => {
                self.source.line += u64::from(byte == b'\n');
                Ok(Some(byte))
            }
        }
    }

    /// The next byte that is not white space, with the line it stands on.
    fn visible_byte(&mut self) -> Result<Option<u8>, RawError> {
        loop {
            match self.byte()? {
                Some(byte) if byte.is_ascii_whitespace() => {}
                other => return Ok(other),
            }
        }
    }

    fn item(&mut self) -> Result<Option<RawRecord>, RawError> {
        let opening = if self.started { b',' } else { b'[' };
        match self.visible_byte()? {
            Some(byte) if byte == opening => {}
            Some(b']') if self.started => return self.after_end(),
            Some(_) => {
                return Err(self
                    .source
                    .end("something else", "a comma or `]` after an item"));
            }
            None => {
                return Err(self
                    .source
                    .end("the end of the file", "`]` at the end of the array"));
            }
        }
        let first = self.visible_byte()?;
        if first == Some(b']') && !self.started {
            return self.after_end();
        }
        self.started = true;
        self.pending = first;
        let line = self.source.line;
        let bytes = self.item_bytes()?;
        self.source.parse(line, &bytes).map(Some)
    }

    /// Bytes up to the comma or bracket that ends the item, which stays pending.
    fn item_bytes(&mut self) -> Result<Vec<u8>, RawError> {
        let (mut bytes, mut depth, mut in_string, mut escaped) = (Vec::new(), 0usize, false, false);
        loop {
            let Some(byte) = self.byte()? else {
                return Err(self.source.end("the end of the file", "the end of an item"));
            };
            if bytes.len() >= MAX_RECORD_BYTES {
                return Err(too_long(&mut self.source));
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                _ if in_string => {}
                b',' | b']' | b'}' if depth == 0 => {
                    self.pending = Some(byte);
                    return Ok(bytes);
                }
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth -= 1,
                _ => {}
            }
            bytes.push(byte);
        }
    }

    fn after_end(&mut self) -> Result<Option<RawRecord>, RawError> {
        match self.visible_byte()? {
            None => {
                self.source.done = true;
                Ok(None)
            }
            Some(_) => Err(self
                .source
                .end("more text", "the end of the file after `]`")),
        }
    }
}

impl<R: Read> Iterator for JsonArray<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.source.done {
            return None;
        }
        self.item().transpose()
    }
}
