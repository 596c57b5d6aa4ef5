//! Calls of the Parquet reader, which asserts in places where a damaged file reaches it: such a file is an error, not a crash.

use caught::caught;
use parquet::errors::ParquetError;

/// What `read` gives; a panic is an error like any other, and is not printed.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    match caught(read) {
        Some(result) => result.map_err(|error| error.to_string()),
        None => Err("contents that the Parquet reader cannot handle".into()),
    }
}
