//! Parquet files through the record API (no arrow). Only our own columns are read.

use std::borrow::Cow;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Number;

use super::columns;
use super::fields::{Content, RawError, RawRecord, RawRecords};
use super::json::{Json, Object};
use crate::error::{DataError, WHOLE_RECORD};

const EXPECTED: &str =
    "a readable Parquet file with columns of text, integers or lists of messages";

/// Opens a Parquet file.
pub(super) fn open(path: &Path) -> Result<RawRecords, RawError> {
    let file = File::open(path).map_err(|error| RawError::fatal(DataError::io(path, error)))?;
    let reader =
        guarded(|| SerializedFileReader::new(file)).map_err(|found| broken(path, 1, &found))?;
    let schema = reader.metadata().file_metadata().schema();
    let columns = our_columns(path, schema)?;
    let name = schema.name().to_owned();
    let rows = guarded(|| {
        let projection = Type::group_type_builder(&name)
            .with_fields(columns)
            .build()?;
        RowIter::from_file_into(Box::new(reader)).project(Some(projection))
    });
    Ok(Box::new(ParquetRows {
        path: path.to_path_buf(),
        rows: rows.map_err(|found| broken(path, 1, &found))?,
        row: 0,
        done: false,
    }))
}

fn our_columns(path: &Path, schema: &Type) -> Result<Vec<TypePtr>, RawError> {
    let all = schema.get_fields();
    let names: Vec<&str> = all.iter().map(|column| column.name()).collect();
    columns::validate(path, &names).map_err(RawError::fatal)?;
    let ours = |name: &str| columns::is_text(name) || columns::is_optional(name);
    Ok(all
        .iter()
        .filter(|column| ours(column.name()))
        .cloned()
        .collect())
}

struct ParquetRows {
    path: PathBuf,
    rows: RowIter<'static>,
    row: u64,
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
    fn record(&self, row: Row) -> Result<RawRecord, RawError> {
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
            let value = match value {
                Json::Text(text) if columns::is_text(&name) => columns::text_cell(&text),
                other => other,
            };
            fields.push((Cow::Owned(name), value));
        }
        Ok(RawRecord {
            line: self.row,
            item: None,
            content: Content::Fields(fields.into_iter().collect()),
        })
    }
}

/// The record API asserts in places where a damaged file reaches it; such a file must be an error, not a crash.
fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("contents that the Parquet reader cannot handle".into()),
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
        Field::Float16(number) => float(number.to_f64()),
        Field::Float(number) => float((*number).into()),
        Field::Double(number) => float(*number),
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

/// JSON has no number for what is not finite.
fn float(number: f64) -> Json<'static> {
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}

fn object(row: &Row) -> Result<Object<'static>, String> {
    row.get_column_iter()
        .map(|(name, field)| Ok((Cow::Owned(name.clone()), value(field)?)))
        .collect()
}
