//! How much memory a Parquet file would take, by the headers of its pages: a small one may claim gigabytes.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::content::Wanted;
use super::limits::most_bytes;

/// Bytes that a page may take beyond twenty times those it is packed into.
const ANY_PAGE: u64 = 64 << 20;
/// Values that a column of lists may have in a row group, or rows a file, beyond twenty for each byte of the file.
const ANY_COLUMN: u64 = 2_000_000;
const TIMES: u64 = 20;

/// Refuses a file whose wanted columns become more than is reasonable for its size.
pub(super) fn validate(
    file: File,
    size: u64,
    metadata: &ParquetMetaData,
    wanted: Wanted,
) -> Result<(), String> {
    let most_values = ANY_COLUMN.saturating_add(size.saturating_mul(TIMES));
    let rows = u64::try_from(metadata.file_metadata().num_rows()).unwrap_or(u64::MAX);
    if rows > most_values {
        return Err(too_much(size, &format!("{rows} rows")));
    }
    let mut input = BufReader::with_capacity(512, file);
    let mut bytes = 0;
    for group in metadata.row_groups() {
        for column in group.columns() {
            let name = column.column_path().parts().first();
            if !name.is_some_and(|name| wanted(name)) {
                continue;
            }
            let pages = pages(&mut input, column);
            let values: u64 = pages.iter().map(|page| page.values).sum();
            if column.column_descr().max_rep_level() > 0 {
                let dictionary = pages.iter().find(|page| page.entries > 0);
                let each = dictionary.map_or(0, |page| page.whole / page.entries);
                if values > most_values || values.saturating_mul(each) > most_bytes(size) {
                    let found = format!("{values} values in the lists of one column");
                    return Err(too_much(size, &found));
                }
            }
            for page in &pages {
                if page.whole > ANY_PAGE.saturating_add(page.packed.saturating_mul(TIMES)) {
                    let found = format!("a page of {} MiB", page.whole >> 20);
                    return Err(too_much(size, &found));
                }
            }
            bytes += pages.iter().map(|page| page.whole).sum::<u64>();
        }
    }
    if bytes > most_bytes(size) {
        return Err(too_much(size, &format!("columns of {} MiB", bytes >> 20)));
    }
    Ok(())
}

fn too_much(size: u64, found: &str) -> String {
    format!(
        "{found}, more than a file of {size} bytes can honestly hold; write it anew as JSON Lines"
    )
}

/// What the header of a page says.
#[derive(Default)]
struct Page {
    /// Bytes unpacked.
    whole: u64,
    /// Bytes in the file.
    packed: u64,
    values: u64,
    /// Of a dictionary.
    entries: u64,
}

/// The pages of a column as far as their headers can be read: the reader itself says what is wrong with the rest.
fn pages(input: &mut BufReader<File>, column: &ColumnChunkMetaData) -> Vec<Page> {
    let mut pages = Vec::new();
    let (start, length) = column.byte_range();
    let mut at = start;
    while at < start.saturating_add(length) {
        if input.seek(SeekFrom::Start(at)).is_err() {
            break;
        }
        let mut thrift = Thrift { input, read: 0 };
        let Some(page) = thrift.page() else { break };
        at = at.saturating_add(thrift.read).saturating_add(page.packed);
        pages.push(page);
    }
    pages
}

/// Thrift's compact protocol, as far as a page's header needs it.
struct Thrift<'i> {
    input: &'i mut BufReader<File>,
    read: u64,
}

impl Thrift<'_> {
    /// `PageHeader` of the format's `parquet.thrift`: 2 and 3 are the sizes, 5, 7 and 8 the headers of kinds of pages, whose
    /// first field is the number of values.
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let mut field = 0;
        loop {
            let (kind, number) = self.field(field)?;
            field = number;
            match (kind, number) {
                (0, _) => return Some(page),
                (5, 2) => page.whole = u64::try_from(self.number()?).ok()?,
                (5, 3) => page.packed = u64::try_from(self.number()?).ok()?,
                (12, 5 | 8) => page.values = self.values()?,
                (12, 7) => page.entries = self.values()?,
                (kind, _) => self.skip(kind, 8)?,
            }
        }
    }

    /// The first field of a struct, if it is an integer; the struct is read to its end.
    fn values(&mut self) -> Option<u64> {
        let (mut values, mut field) = (0, 0);
        loop {
            let (kind, number) = self.field(field)?;
            field = number;
            match (kind, number) {
                (0, _) => return Some(values),
                (5, 1) => values = u64::try_from(self.number()?).ok()?,
                (kind, _) => self.skip(kind, 8)?,
            }
        }
    }

    /// Kind and number of the next field; kind 0 ends a struct.
    fn field(&mut self, last: i64) -> Option<(u8, i64)> {
        let byte = self.byte()?;
        let (kind, step) = (byte & 15, i64::from(byte >> 4));
        match (kind, step) {
            (0, _) => Some((0, last)),
            (_, 0) => Some((kind, self.number()?)),
            _ => Some((kind, last.checked_add(step)?)),
        }
    }

    fn skip(&mut self, kind: u8, deepest: u8) -> Option<()> {
        let deeper = deepest.checked_sub(1)?;
        match kind {
            1 | 2 => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => self.bytes(8)?,
            8 => {
                let length = self.varint()?;
                self.bytes(length)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let items = match byte >> 4 {
                    15 => self.varint()?,
                    few => u64::from(few),
                };
                for _ in 0..items {
                    // In a list a truth value takes a byte.
                    let kind = if byte & 15 < 3 { 3 } else { byte & 15 };
                    self.skip(kind, deeper)?;
                }
            }
            12 => {
                let mut field = 0;
                loop {
                    let (kind, number) = self.field(field)?;
                    field = number;
                    if kind == 0 {
                        break;
                    }
                    self.skip(kind, deeper)?;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn number(&mut self) -> Option<i64> {
        let zigzag = self.varint()?;
        Some((zigzag >> 1) as i64 ^ -((zigzag & 1) as i64))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for place in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << place;
            if byte < 128 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).ok()?;
        self.read += 1;
        Some(byte[0])
    }

    fn bytes(&mut self, count: u64) -> Option<()> {
        let step = i64::try_from(count).ok()?;
        self.input.seek_relative(step).ok()?;
        self.read = self.read.checked_add(count)?;
        Some(())
    }
}
