//! Parquet files through the record API (no arrow). Only wanted columns are read.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};

use super::content::Wanted;
use super::fields::{Content, RawError, RawRecord, RawRecords, validate_distinct};
use super::guard::guarded;
use super::json::{Json, Object};
use super::limits::{TOO_MUCH_TEXT, most_bytes};
use super::parquet_size;
use crate::error::{DataError, WHOLE_RECORD};

const EXPECTED: &str =
    "a readable Parquet file with columns of text, integers or lists of messages";

/// Reads the wanted columns of a Parquet file.
pub(super) fn open(path: &Path, file: File, wanted: Wanted) -> Result<RawRecords, RawError> {
    let io = |error| RawError::fatal(DataError::io(path, error));
    let size = file.metadata().map_err(io)?.len();
    let looked_at = file.try_clone().map_err(io)?;
    let reader =
        guarded(|| SerializedFileReader::new(file)).map_err(|found| broken(path, 1, &found))?;
    let schema = reader.metadata().file_metadata().schema();
    let all = schema.get_fields();
    let names: Vec<&str> = all.iter().map(|column| column.name()).collect();
    validate_distinct(path, &names)?;
    let is_wanted = |column: &&TypePtr| wanted(column.name());
    let columns: Vec<TypePtr> = all.iter().filter(is_wanted).cloned().collect();
    let others = names.iter().filter(|name| !wanted(name));
    let others: Rc<[String]> = others.map(|&name| name.to_owned()).collect();
    if columns.is_empty() {
        return Ok(without_columns(
            reader.metadata().file_metadata().num_rows(),
            others,
        ));
    }
    guarded(|| {
        parquet_size::validate(looked_at, size, reader.metadata(), wanted)
            .map_err(ParquetError::General)
    })
    .map_err(|found| broken(path, 1, &found))?;
    let name = schema.name().to_owned();
    let rows = guarded(|| {
        let projection = Type::group_type_builder(&name)
            .with_fields(columns)
            .build()?;
        RowIter::from_file_into(Box::new(reader)).project(Some(projection))
    });
    Ok(Box::new(ParquetRows {
        path: path.to_path_buf(),
        rows: rows
            .map_err(|found| broken(path, 1, &found))?
            .with_batch_size(64),
        others,
        row: 0,
        left: most_bytes(size),
        done: false,
    }))
}

/// A row of no columns but their names, if there is a row.
fn without_columns(rows: i64, others: Rc<[String]>) -> RawRecords {
    let row = || -> Result<RawRecord, RawError> {
        Ok(RawRecord {
            line: 1,
            item: None,
            content: Content::Row(Object::default(), others),
        })
    };
    Box::new((rows > 0).then(row).into_iter())
}

/// The error for a file that is none by its first bytes.
pub(super) fn not_one(path: &Path) -> Result<RawRecords, RawError> {
    Err(broken(path, 1, "other first bytes than those of Parquet"))
}

struct ParquetRows {
    path: PathBuf,
    rows: RowIter<'static>,
    others: Rc<[String]>,
    row: u64,
    /// Bytes that what is read may still take.
    left: u64,
    done: bool,
}

impl Iterator for ParquetRows {
    type Item = Result<RawRecord, RawError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        self.row += 1;
        match guarded(|| self.rows.next().transpose()) {
            Ok(None) => {
                self.done = true;
                None
            }
            Ok(Some(row)) => Some(self.record(row)),
            Err(found) => {
                self.done = true;
                Some(Err(broken(&self.path, self.row, &found)))
            }
        }
    }
}

impl ParquetRows {
    fn record(&mut self, row: Row) -> Result<RawRecord, RawError> {
        let mut fields = Vec::new();
        for (name, field) in row.into_columns() {
            let value = value(&field).map_err(|found| {
                let error = DataError::record(
                    &self.path,
                    self.row,
                    &name,
                    found,
                    "text, an integer or a list",
                );
                RawError::broken_record(error)
            })?;
            fields.push((Cow::Owned(name), value));
        }
        let fields: Object = fields.into_iter().collect();
        let taken = fields.iter().map(|(_, value)| value.bytes()).sum();
        let Some(left) = self.left.checked_sub(taken) else {
            self.done = true;
            return Err(broken(&self.path, self.row, TOO_MUCH_TEXT));
        };
        self.left = left;
        Ok(RawRecord {
            line: self.row,
            item: None,
            content: Content::Row(fields, Rc::clone(&self.others)),
        })
    }
}

fn broken(path: &Path, row: u64, found: &str) -> RawError {
    RawError::fatal(DataError::record(path, row, WHOLE_RECORD, found, EXPECTED))
}

fn value(field: &Field) -> Result<Json<'static>, String> {
    Ok(match field {
        Field::Null => Json::Null,
        Field::Bool(truth) => Json::Bool(*truth),
        Field::Byte(number) => Json::Number((*number).into()),
        Field::Short(number) => Json::Number((*number).into()),
        Field::Int(number) => Json::Number((*number).into()),
        Field::Long(number) => Json::Number((*number).into()),
        Field::UByte(number) => Json::Number((*number).into()),
        Field::UShort(number) => Json::Number((*number).into()),
        Field::UInt(number) => Json::Number((*number).into()),
        Field::ULong(number) => Json::Number((*number).into()),
        Field::Float16(number) => Json::float(number.to_f64()),
        Field::Float(number) => Json::float((*number).into()),
        Field::Double(number) => Json::float(*number),
        Field::Str(text) => Json::text(text.clone()),
        Field::Bytes(bytes) => {
            let text = bytes
                .as_utf8()
                .map_err(|_| "bytes that are no UTF-8 text")?;
            Json::text(text.to_owned())
        }
        Field::Group(row) => Json::Object(object(row)?),
        Field::ListInternal(list) => {
            let items = list.elements().iter().map(value);
            Json::List(items.collect::<Result<_, _>>()?)
        }
        Field::Decimal(_) => return Err(another_kind("a decimal")),
        Field::MapInternal(_) => return Err(another_kind("a map")),
        _ => return Err(another_kind("a date or a time")),
    })
}

/// The value is left out: parquet's own text for it panics where it is out of range.
fn another_kind(kind: &str) -> String {
    format!("a value of another kind ({kind})")
}

fn object(row: &Row) -> Result<Object<'static>, String> {
    row.get_column_iter()
        .map(|(name, field)| Ok((Cow::Owned(name.clone()), value(field)?)))
        .collect()
}
