//! Calls of the `tokenizers` library, which panics on some files that contradict themselves.

use caught::caught;

/// What `call` gives; a panic is an error like any other, and is not printed.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, tokenizers::Error>) -> Result<T, String> {
    match caught(call) {
        Some(result) => result.map_err(|error| error.to_string()),
        None => Err("contents that the `tokenizers` library cannot handle".into()),
    }
}
