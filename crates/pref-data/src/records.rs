//! From paths to records: folders, formats, and fields that say what is wrong with them. A record is named JSON values,
//! whatever its format; what they mean is the layouts' business.

mod arrow;
mod content;
mod csv_quotes;
mod csv_rows;
mod fields;
mod files;
mod guard;
mod invalid;
mod json;
mod json_rows;
mod limits;
mod lines;
mod parquet_rows;
mod parquet_size;

pub(crate) use content::{first_mark, open};
pub(crate) use fields::{Fields, RawError, RawRecord, RawRecords, describe, shortened};
pub use files::is_data_file;
pub(crate) use files::{DataFile, Format, Found, list, names};
pub(crate) use json::{Json, Object, repeated_name};
