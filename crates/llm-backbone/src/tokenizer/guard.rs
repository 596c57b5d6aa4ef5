//! Calls of the `tokenizers` library, which panics on some files that contradict themselves.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and no news for anyone.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// What `call` gives; a panic is an error like any other, and is not printed.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, tokenizers::Error>) -> Result<T, String> {
    quiet_when_guarded();
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    GUARDED.set(before);
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("contents that the `tokenizers` library cannot handle".into()),
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
