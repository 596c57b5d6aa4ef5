//! Calls of the Parquet reader, which asserts in places where a damaged file reaches it: such a file is an error, not a crash.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use parquet::errors::ParquetError;

thread_local! {
    /// Whether a panic of this thread is expected, and no news for anyone.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `read` gives; a panic is an error like any other, and is not printed.
pub(super) fn guarded<T>(read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    quiet_when_guarded();
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    GUARDED.set(before);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("contents that the Parquet reader cannot handle".into()),
    }
}

/// Puts a hook in front of the program's own that passes over guarded threads.
fn quiet_when_guarded() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let own = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                own(info);
            }
        }));
    });
}
