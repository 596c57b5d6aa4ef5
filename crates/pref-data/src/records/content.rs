//! What a file really holds: packed or not, and what its first bytes say.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};

use flate2::read::MultiGzDecoder;

use super::fields::{RawError, RawRecords};
use super::files::{DataFile, Format};
use super::limits::Unpacked;
use super::{arrow, csv_rows, json_rows, lines, parquet_rows};
use crate::error::{DataError, WHOLE_RECORD};

/// Which columns of a table are wanted.
pub(crate) type Wanted<'a> = &'a dyn Fn(&str) -> bool;

/// How many bytes tell what a file is.
const HEAD: usize = 512;

type Input = BufReader<Box<dyn Read>>;

/// The records of one file; of the columns of Parquet and Arrow those that are `wanted`.
pub(crate) fn open(file: &DataFile, wanted: Wanted) -> Result<RawRecords, RawError> {
    let path = file.path();
    let io = |error| RawError::fatal(DataError::io(path, error));
    let mut plain = file.open().map_err(RawError::fatal)?;
    let first = head(&mut plain).map_err(io)?;
    plain.rewind().map_err(io)?;
    let packed = packing(&first);
    if packed.is_none() && first.starts_with(b"PAR1") {
        return parquet_rows::open(path, plain, wanted);
    }
    let (first, input) = unpacked(plain, packed).map_err(|error| {
        let (found, expected) = (error.to_string(), "a whole file");
        RawError::fatal(DataError::record(path, 1, WHOLE_RECORD, found, expected))
    })?;
    if let Some((found, expected)) = refused(&first, packed.is_some()) {
        let error = DataError::record(path, 1, WHOLE_RECORD, found, expected);
        return Err(RawError::fatal(error));
    }
    let is_arrow = first.starts_with(b"ARROW1") || first.starts_with(&[0xFF; 4]);
    match file.format.unwrap_or_else(|| guess(&first)) {
        Format::Arrow => arrow::open(path, input, wanted),
        _ if is_arrow => arrow::open(path, input, wanted),
        Format::Json => json_rows::open(path, input),
        Format::Csv => csv_rows::open(path, input, b','),
        Format::Tsv => csv_rows::open(path, input, b'\t'),
        Format::Parquet => parquet_rows::not_one(path),
        Format::Lines if begins_with_object(&first) => json_rows::open(path, input),
        Format::Lines => Ok(lines::open(path, input)),
    }
}

/// JSON Lines, or an array of objects, under another name.
fn begins_with_object(first: &[u8]) -> bool {
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    let text = text.trim_ascii_start();
    let inside = text.strip_prefix(b"[").unwrap_or(text);
    let quoted = |rest: &[u8]| matches!(rest.trim_ascii_start(), [b'"', ..]);
    inside
        .trim_ascii_start()
        .strip_prefix(b"{")
        .is_some_and(quoted)
}

/// The first bytes.
fn head(input: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut first = Vec::with_capacity(HEAD);
    input.take(HEAD as u64).read_to_end(&mut first)?;
    Ok(first)
}

#[derive(Clone, Copy)]
enum Packing {
    Gzip,
    Zstd,
}

fn packing(first: &[u8]) -> Option<Packing> {
    match first {
        [0x1F, 0x8B, ..] => Some(Packing::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Packing::Zstd),
        _ => None,
    }
}

/// The first bytes of what is packed, and all of it.
fn unpacked(file: File, packing: Option<Packing>) -> std::io::Result<(Vec<u8>, Input)> {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut input: Box<dyn Read> = match packing {
        None => Box::new(file),
        Some(Packing::Gzip) => {
            let input = MultiGzDecoder::new(BufReader::new(file));
            Box::new(Unpacked::new(input, "gzip", size))
        }
        Some(Packing::Zstd) => {
            let input = zstd::Decoder::new(file)?;
            Box::new(Unpacked::new(input, "zstd", size))
        }
    };
    let first = head(&mut input)?;
    let all: Box<dyn Read> = Box::new(Cursor::new(first.clone()).chain(input));
    Ok((first, BufReader::with_capacity(1 << 16, all)))
}

/// Standard input has no ending.
fn guess(first: &[u8]) -> Format {
    let text = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    match text.trim_ascii_start() {
        [b'{' | b'[', ..] | [] => Format::Json,
        text => {
            let mut line = text.split(|byte| *byte == b'\n');
            let line = line.next().unwrap_or_default();
            let count = |mark| line.iter().filter(|byte| **byte == mark).count();
            match count(b'\t') > count(b',') {
                true => Format::Tsv,
                false => Format::Csv,
            }
        }
    }
}

/// What is no data, whatever the ending says: found and expected.
fn refused(first: &[u8], packed: bool) -> Option<(&'static str, &'static str)> {
    const UNPACK: &str = "data as it is, or packed with gzip or zstd: unpack it first";
    let text = first.trim_ascii_start();
    let begins = |mark: &[u8]| first.starts_with(mark);
    Some(match () {
        () if begins(b"PK\x03\x04") => ("a zip archive", UNPACK),
        () if begins(b"BZh") => ("a bzip2 file", UNPACK),
        () if begins(b"\xFD7zXZ") => ("an xz file", UNPACK),
        () if begins(b"7z\xBC\xAF") => ("a 7z archive", UNPACK),
        () if begins(b"\x04\x22\x4D\x18") => ("an lz4 file", UNPACK),
        () if packed && begins(b"PAR1") => ("a packed Parquet file", UNPACK),
        () if first.get(257..262) == Some(b"ustar") => {
            ("a tar archive", "the files in it: unpack it first")
        }
        () if begins(b"version https://git-lfs") => (
            "a pointer of Git LFS in place of the file",
            "the file itself: run `git lfs pull`",
        ),
        () if begins(b"\xFF\xFE") || begins(b"\xFE\xFF") => {
            ("text in UTF-16", "text in UTF-8: save it as that")
        }
        () if begins_with_word(text, b"<!doctype") || begins_with_word(text, b"<html") => {
            ("a web page", "data: download the file itself")
        }
        () => return None,
    })
}

fn begins_with_word(text: &[u8], word: &[u8]) -> bool {
    let start = text.get(..word.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether one of the first readable records of a file passes, looking at its fields alone.
pub(crate) fn first_mark<K: Copy>(
    file: &DataFile,
    kinds: &[(&[&str], K)],
) -> Result<Option<K>, DataError> {
    const LOOKED_AT: usize = 100;
    let path = file.path();
    // A name, not the values: nothing of a table is read.
    let records = open(file, &|_| false).map_err(|error| error.error)?;
    for record in records.take(LOOKED_AT) {
        let record = match record {
            Ok(record) => record,
            Err(error) if error.fatal => return Err(error.error),
            Err(_) => continue,
        };
        let Ok(object) = record.object(path) else {
            continue;
        };
        let fields = super::Fields::of(path, &record, &object);
        let has = |name: &&str| fields.names().any(|found| found == *name);
        if let Some((_, kind)) = kinds.iter().find(|(names, _)| names.iter().all(has)) {
            return Ok(Some(*kind));
        }
    }
    Ok(None)
}
