//! How much a file may become: what is packed, or says one thing many times, must not fill the memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// No honest record is longer; a file without line ends must not fill the memory.
pub(super) const MAX_RECORD_BYTES: usize = 64 << 20;

/// No honest record holds more values. Two bytes of a file, `0,`, are a value, and one takes some thirty bytes of memory.
pub(super) const MAX_VALUES: usize = 1 << 20;
pub(super) const TOO_MANY_VALUES: &str = "more than a million values in one record";

/// Bytes that any file may become.
const ANY_FILE: u64 = 512 << 20;
/// How many times its size a file may become beyond that.
const TIMES: u64 = 20;

/// What the contents of a file of so many bytes may take.
pub(super) fn most_bytes(file: u64) -> u64 {
    ANY_FILE.saturating_add(file.saturating_mul(TIMES))
}

/// What is said of more than [`most_bytes`] of text.
pub(super) const TOO_MUCH_TEXT: &str = "more than 512 MiB and 20 times the file's size of text";

/// What is unpacked of a file, up to [`most_bytes`].
pub(super) struct Unpacked<R> {
    input: R,
    /// `gzip` or `zstd`.
    kind: &'static str,
    left: u64,
}

impl<R: Read> Unpacked<R> {
    pub(super) fn new(input: R, kind: &'static str, packed: u64) -> Self {
        let left = most_bytes(packed);
        Self { input, kind, left }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer).map_err(|error| {
            let kind = self.kind;
            io::Error::other(format!(
                "the {kind} data is damaged or ends early ({error})"
            ))
        })?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            io::Error::other(
                "unpacks to more than 512 MiB and 20 times its size; unpack it to read it all the same",
            )
        })?;
        Ok(read)
    }
}

/// What may be read before the next record; shared by the reader of bytes and the reader of records.
#[derive(Clone)]
pub(super) struct Allowance(Rc<Cell<u64>>);

impl Allowance {
    /// Room for one record.
    pub(super) fn new() -> Self {
        Self(Rc::new(Cell::new(MAX_RECORD_BYTES as u64)))
    }

    /// A record has ended: room for another.
    pub(super) fn renew(&self) {
        self.0.set(MAX_RECORD_BYTES as u64);
    }

    /// Whether a record took all of it.
    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

/// Reads no more than the allowance; then the file seems to end.
pub(super) struct Allowed<R> {
    pub input: R,
    pub allowance: Allowance,
}

impl<R: Read> Read for Allowed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.allowance.0.get();
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.input.read(&mut buffer[..most])?;
        self.allowance.0.set(left - read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unpacking_stops_at_the_limit() {
        let mut input = Unpacked::new(io::repeat(b'x'), "gzip", 1);
        let copied = io::copy(&mut input, &mut io::sink());
        assert!(copied.unwrap_err().to_string().contains("512 MiB"));
        let mut short = Unpacked::new(&b"abc"[..], "gzip", 1);
        assert_eq!(io::copy(&mut short, &mut io::sink()).unwrap(), 3);
    }
}
