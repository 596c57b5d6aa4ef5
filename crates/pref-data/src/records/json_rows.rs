//! JSON files: one object a line, or one array of objects; never more than one record in memory.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};

use memchr::{memchr_iter, memchr2};

use super::fields::{Content, RawError, RawRecord, RawRecords};
use super::limits::MAX_RECORD_BYTES;
use crate::error::{DataError, WHOLE_RECORD};

const BYTE_ORDER_MARK: &[u8] = &[0xEF, 0xBB, 0xBF];

/// Reads JSON; the first character decides between lines and array.
pub(super) fn open(path: &Path, mut input: impl BufRead + 'static) -> Result<RawRecords, RawError> {
    let fatal = |error| RawError::fatal(DataError::io(path, error));
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
            input,
            items: 0,
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
        while !self.source.done {
            let mut bytes = Vec::new();
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
                        return Some(Ok(RawRecord {
                            line,
                            item: None,
                            content: Content::Bytes(bytes),
                        }));
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
struct JsonArray<R> {
    source: Source,
    input: R,
    /// Items begun so far.
    items: u64,
}

impl<R: BufRead> JsonArray<R> {
    /// The next byte that is not white space; it stays in the input.
    fn visible_byte(&mut self) -> Result<Option<u8>, RawError> {
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) => return Err(self.source.io(error)),
            };
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace());
            let blank = blank.count();
            let found = bytes.get(blank).copied();
            let at_end = bytes.is_empty();
            self.source.line += line_ends(&bytes[..blank]);
            self.input.consume(blank);
            if at_end || found.is_some() {
                return Ok(found);
            }
        }
    }

    fn item(&mut self) -> Result<Option<RawRecord>, RawError> {
        let opening = if self.items > 0 { b',' } else { b'[' };
        match self.visible_byte()? {
            Some(byte) if byte == opening => self.input.consume(1),
            Some(b']') if self.items > 0 => return self.after_end(),
            Some(_) => {
                let expected = "a comma or `]` after an item";
                return Err(self.source.end("something else", expected));
            }
            None => {
                let expected = "`]` at the end of the array";
                return Err(self.source.end("the end of the file", expected));
            }
        }
        if self.visible_byte()? == Some(b']') && self.items == 0 {
            return self.after_end();
        }
        self.items += 1;
        let (line, item) = (self.source.line, Some(self.items));
        match self.item_bytes() {
            Ok(bytes) => Ok(Some(RawRecord {
                line,
                item,
                content: Content::Bytes(bytes),
            })),
            Err(RawError { error, fatal }) => Err(RawError {
                error: error.in_item(item),
                fatal,
            }),
        }
    }

    /// Bytes up to the comma or bracket that ends the item, which stays in the input.
    fn item_bytes(&mut self) -> Result<Vec<u8>, RawError> {
        let (mut item, mut cutter) = (Vec::new(), Cutter::default());
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) => return Err(self.source.io(error)),
            };
            if bytes.is_empty() {
                return Err(self.source.end("the end of the file", "the end of an item"));
            }
            let end = cutter.end(bytes);
            let inside = &bytes[..end.unwrap_or(bytes.len())];
            let read = inside.len();
            item.extend_from_slice(inside);
            self.source.line += line_ends(inside);
            self.input.consume(read);
            if item.len() > MAX_RECORD_BYTES {
                return Err(too_long(&mut self.source));
            }
            if end.is_some() {
                return Ok(item);
            }
        }
    }

    fn after_end(&mut self) -> Result<Option<RawRecord>, RawError> {
        self.input.consume(1);
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

fn line_ends(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Where in an item the bytes so far have led.
#[derive(Default)]
struct Cutter {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Cutter {
    /// Where in these bytes the item ends, if it does.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut place = 0;
        while let Some(&byte) = bytes.get(place) {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {
                    // Most bytes are the inside of a string: go to its next mark at once.
                    let rest = &bytes[place..];
                    place += memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    continue;
                }
                b',' | b']' | b'}' if self.depth == 0 => return Some(place),
                b'[' | b'{' => self.depth += 1,
                b']' | b'}' => self.depth -= 1,
                _ => {}
            }
            place += 1;
        }
        None
    }
}

impl<R: BufRead> Iterator for JsonArray<R> {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.source.done {
            return None;
        }
        self.item().transpose()
    }
}
