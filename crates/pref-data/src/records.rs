//! From paths to records: folders, formats, and fields that say what is wrong with them. A record is named JSON values,
//! whatever its format; what they mean is the layouts' business.

mod columns;
mod csv_rows;
mod fields;
mod files;
mod json;
mod json_rows;
mod parquet_rows;

pub(crate) use fields::{Fields, RawError, RawRecord, RawRecords, describe, shortened};
pub(crate) use files::{Format, first_mark, list, names, open};
pub(crate) use json::Json;
