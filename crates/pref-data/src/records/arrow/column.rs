//! Columns of an Arrow batch: what their schema says, where in the batch's bytes they lie, and their values.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use half::f16;
use serde_json::Number;

use super::flat::Table;
use super::packed::Packing;
use crate::records::json::Json;
use crate::records::limits::{MAX_RECORD_BYTES, MAX_VALUES, TOO_MANY_VALUES};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Null,
    Int {
        bytes: usize,
        signed: bool,
    },
    Float {
        bytes: usize,
    },
    Bool,
    /// Bytes or text, with offsets of 4 or 8 bytes.
    Text {
        offset: usize,
    },
    /// Text in views of 16 bytes.
    View,
    /// Lists with offsets of 4 or 8 bytes.
    List {
        offset: usize,
    },
    FixedList {
        items: usize,
    },
    Struct,
    /// One buffer of numbers that are no JSON: dates, times, decimals.
    Other,
}

/// A column of the schema.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub name: String,
    kind: Kind,
    /// The dictionary that the values stand in, and what its keys are.
    pub dictionary: Option<(i64, Box<Field>)>,
    children: Vec<Field>,
}

impl Field {
    /// Field of Arrow's `Schema.fbs`.
    pub fn read(table: &Table, deepest: usize) -> Option<Self> {
        let deeper = deepest.checked_sub(1)?;
        let kind = kind(table.byte(2), table.table(3).as_ref())?;
        let children = table.tables(5).map(|child| Self::read(&child?, deeper));
        let dictionary = table.table(4).map(|dictionary| {
            let keys = dictionary.table(1);
            let kind = keys.map_or(
                Kind::Int {
                    bytes: 4,
                    signed: true,
                },
                |int| int_kind(&int),
            );
            let keys = Self {
                name: String::new(),
                kind,
                dictionary: None,
                children: Vec::new(),
            };
            (dictionary.long(0), Box::new(keys))
        });
        Some(Self {
            name: table.text(0).unwrap_or_default().to_owned(),
            kind,
            dictionary,
            children: children.collect::<Option<_>>()?,
        })
    }

    /// This field and those below that have a dictionary.
    pub fn with_dictionaries(&self) -> Vec<&Self> {
        let below = self.children.iter().flat_map(Self::with_dictionaries);
        self.dictionary.iter().map(|_| self).chain(below).collect()
    }

    /// The field of a dictionary's own values.
    pub fn without_dictionary(&self) -> Self {
        Self {
            dictionary: None,
            ..self.clone()
        }
    }
}

fn int_kind(int: &Table) -> Kind {
    let bytes = usize::try_from(int.int(0) / 8).unwrap_or(0);
    let signed = int.byte(1) != 0;
    Kind::Int { bytes, signed }
}

/// By the number of the kind in `Schema.fbs`; none for kinds whose buffers are not known.
fn kind(number: u8, details: Option<&Table>) -> Option<Kind> {
    Some(match number {
        1 => Kind::Null,
        2 => int_kind(details?),
        3 => Kind::Float {
            bytes: match details?.short(0) {
                0 => 2,
                1 => 4,
                _ => 8,
            },
        },
        4 | 5 => Kind::Text { offset: 4 },
        19 | 20 => Kind::Text { offset: 8 },
        6 => Kind::Bool,
        7..=11 | 15 | 18 => Kind::Other,
        12 | 17 => Kind::List { offset: 4 },
        21 => Kind::List { offset: 8 },
        13 => Kind::Struct,
        16 => Kind::FixedList {
            items: usize::try_from(details?.int(0)).ok()?,
        },
        23 | 24 => Kind::View,
        _ => return None,
    })
}

/// What a batch says of its columns, in the order of the schema.
pub(super) struct Parts {
    nodes: std::vec::IntoIter<[i64; 2]>,
    buffers: std::vec::IntoIter<[i64; 2]>,
    variadic: std::vec::IntoIter<i64>,
}

impl Parts {
    /// Of the table `RecordBatch` in Arrow's `Message.fbs`.
    pub fn of(batch: &Table) -> Self {
        Self {
            nodes: batch.pairs(1).into_iter(),
            buffers: batch.pairs(2).into_iter(),
            variadic: batch.longs(4).into_iter(),
        }
    }

    fn buffer(&mut self) -> Option<Range<usize>> {
        let [offset, length] = self.buffers.next()?;
        let start = usize::try_from(offset).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    }
}

/// Dictionaries by their number.
pub(super) type Dictionaries = HashMap<i64, Rc<Column>>;

/// A column of a batch.
#[derive(Debug)]
pub(super) struct Column {
    kind: Kind,
    bytes: Rc<Vec<u8>>,
    rows: usize,
    valid: Range<usize>,
    buffers: Vec<Range<usize>>,
    children: Vec<(String, Column)>,
    values: Option<Rc<Column>>,
}

impl Column {
    /// Takes a column's parts. None if some are missing.
    pub fn read(
        field: &Field,
        parts: &mut Parts,
        bytes: &Rc<Vec<u8>>,
        dictionaries: &Dictionaries,
    ) -> Option<Self> {
        if let Some((number, keys)) = &field.dictionary {
            let mut column = Self::read(keys, parts, bytes, dictionaries)?;
            column.values = Some(Rc::clone(dictionaries.get(number)?));
            return Some(column);
        }
        let [rows, _] = parts.nodes.next()?;
        let valid = match field.kind {
            Kind::Null => 0..0,
            _ => parts.buffer()?,
        };
        let count = match field.kind {
            Kind::Null | Kind::Struct | Kind::FixedList { .. } => 0,
            Kind::Text { .. } => 2,
            Kind::View => 1 + usize::try_from(parts.variadic.next()?).ok()?,
            _ => 1,
        };
        let buffers = (0..count.min(bytes.len() + 2)).map(|_| parts.buffer());
        let buffers = buffers.collect::<Option<_>>()?;
        let children = field.children.iter().map(|child| {
            let column = Self::read(child, parts, bytes, dictionaries)?;
            Some((child.name.clone(), column))
        });
        Some(Self {
            kind: field.kind,
            bytes: Rc::clone(bytes),
            rows: usize::try_from(rows).ok()?,
            valid,
            buffers,
            children: children.collect::<Option<_>>()?,
            values: None,
        })
    }

    /// Unpacks its buffers and those below, of which there may be so many bytes more.
    pub fn unpack(&mut self, packing: Packing, left: &mut u64) -> Result<(), String> {
        let mut bytes = Vec::new();
        for range in std::iter::once(&mut self.valid).chain(&mut self.buffers) {
            let packed = self.bytes.get(range.clone()).ok_or(OUTSIDE)?;
            let start = bytes.len();
            packing.unpack(packed, &mut bytes, left)?;
            *range = start..bytes.len();
        }
        self.bytes = Rc::new(bytes);
        let mut below = self.children.iter_mut();
        below.try_for_each(|(_, child)| child.unpack(packing, left))
    }

    /// One value.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn value(&self, row: usize, room: &Room) -> Result<Json<'static>, &'static str> {
        room.take(1, 0)?;
        if row >= self.rows {
            return Err("fewer values than rows");
        }
        if !self.valid.is_empty() && !self.bit(&self.valid, row)? {
            return Ok(Json::Null);
        }
        if let Some(values) = &self.values {
            let key = usize::try_from(self.integer(0, row)?).map_err(|_| OUTSIDE)?;
            return values.value(key, room);
        }
        Ok(match self.kind {
            Kind::Null => Json::Null,
            Kind::Bool => Json::Bool(self.bit(self.buffer(0)?, row)?),
            Kind::Int { .. } => {
                let number = self.integer(0, row)?;
                let unsigned = || u64::try_from(number).map(Number::from);
                let number = i64::try_from(number)
                    .map(Number::from)
                    .or_else(|_| unsigned());
                Json::Number(number.map_err(|_| OUTSIDE)?)
            }
            Kind::Float { bytes } => Json::float(self.number(bytes, row)?),
            Kind::Text { offset } => {
                let range = self.range(offset, row)?;
                let text = self.slice(self.buffer(1)?)?.get(range).ok_or(OUTSIDE)?;
                words(text, room)?
            }
            Kind::View => words(self.view(row)?, room)?,
            Kind::List { offset } => self.list(self.range(offset, row)?, room)?,
            Kind::FixedList { items } => {
                let start = row.checked_mul(items).ok_or(OUTSIDE)?;
                self.list(start..start.saturating_add(items), room)?
            }
            Kind::Struct => {
                let fields = self.children.iter().map(|(name, child)| {
                    room.take(1, name.len())?;
                    Ok((Cow::Owned(name.clone()), child.value(row, room)?))
                });
                Json::Object(fields.collect::<Result<_, &'static str>>()?)
            }
            Kind::Other => return Err("a value of another kind (a date, a time or a decimal)"),
        })
    }

    fn buffer(&self, number: usize) -> Result<&Range<usize>, &'static str> {
        self.buffers.get(number).ok_or(OUTSIDE)
    }

    fn slice(&self, range: &Range<usize>) -> Result<&[u8], &'static str> {
        self.bytes.get(range.clone()).ok_or(OUTSIDE)
    }

    /// The bytes of the row's value where each has so many.
    fn cell(&self, buffer: usize, size: usize, row: usize) -> Result<&[u8], &'static str> {
        let start = row.checked_mul(size).ok_or(OUTSIDE)?;
        let bytes = self.slice(self.buffer(buffer)?)?;
        bytes.get(start..start + size).ok_or(OUTSIDE)
    }

    fn bit(&self, buffer: &Range<usize>, row: usize) -> Result<bool, &'static str> {
        let byte = self.slice(buffer)?.get(row / 8).ok_or(OUTSIDE)?;
        Ok(byte >> (row % 8) & 1 == 1)
    }

    fn integer(&self, buffer: usize, row: usize) -> Result<i128, &'static str> {
        let Kind::Int { bytes, signed } = self.kind else {
            return Err(OUTSIDE);
        };
        let cell = self.cell(buffer, bytes, row)?;
        Ok(match (little(cell), signed) {
            (number, true) => {
                let unused = 128 - 8 * bytes.clamp(1, 16);
                (number << unused) as i128 >> unused
            }
            (number, false) => i128::try_from(number).map_err(|_| OUTSIDE)?,
        })
    }

    fn number(&self, bytes: usize, row: usize) -> Result<f64, &'static str> {
        let cell = self.cell(0, bytes, row)?;
        Ok(match *cell {
            [a, b] => f16::from_le_bytes([a, b]).to_f64(),
            [a, b, c, d] => f32::from_le_bytes([a, b, c, d]).into(),
            _ => f64::from_le_bytes(cell.try_into().map_err(|_| OUTSIDE)?),
        })
    }

    /// From the row's offset to the next one.
    fn range(&self, size: usize, row: usize) -> Result<Range<usize>, &'static str> {
        let at = |row| {
            let offset = little(self.cell(0, size, row)?);
            usize::try_from(offset).map_err(|_| OUTSIDE)
        };
        Ok(at(row)?..at(row + 1)?)
    }

    /// Up to 12 bytes stand in the view itself, more in a buffer that it names.
    fn view(&self, row: usize) -> Result<&[u8], &'static str> {
        let view = self.cell(0, 16, row)?;
        let number = |at: usize| little(&view[at..at + 4]) as usize; // invariant: 16 bytes
        let length = number(0);
        if length <= 12 {
            return view.get(4..4 + length).ok_or(OUTSIDE);
        }
        let bytes = self.slice(self.buffer(1 + number(8))?)?;
        let start = number(12);
        bytes.get(start..start + length).ok_or(OUTSIDE)
    }

    fn list(&self, range: Range<usize>, room: &Room) -> Result<Json<'static>, &'static str> {
        let (_, items) = self.children.first().ok_or(OUTSIDE)?;
        let items = range.map(|row| items.value(row, room));
        Ok(Json::List(items.collect::<Result<_, _>>()?))
    }
}

const OUTSIDE: &str = "damaged contents";

/// What a record may still take: parts of different rows may lie on the same bytes.
pub(super) struct Room {
    values: Cell<usize>,
    bytes: Cell<usize>,
}

impl Room {
    /// For one record.
    pub fn new() -> Self {
        Self {
            values: Cell::new(MAX_VALUES),
            bytes: Cell::new(MAX_RECORD_BYTES),
        }
    }

    fn take(&self, values: usize, bytes: usize) -> Result<(), &'static str> {
        let left = self.values.get().checked_sub(values);
        self.values.set(left.ok_or(TOO_MANY_VALUES)?);
        let left = self.bytes.get().checked_sub(bytes);
        self.bytes
            .set(left.ok_or("more than 64 MiB in one record")?);
        Ok(())
    }

    /// Bytes of what was taken.
    pub fn taken(&self) -> u64 {
        (MAX_RECORD_BYTES - self.bytes.get()) as u64
    }
}

fn words(bytes: &[u8], room: &Room) -> Result<Json<'static>, &'static str> {
    room.take(0, bytes.len())?;
    let text = std::str::from_utf8(bytes).map_err(|_| "bytes that are no UTF-8 text")?;
    Ok(Json::text(text.to_owned()))
}

/// A number of up to 16 bytes, the least of them first.
fn little(bytes: &[u8]) -> u128 {
    let bytes = bytes.iter().take(16).rev();
    bytes.fold(0, |number, &byte| number << 8 | u128::from(byte))
}
