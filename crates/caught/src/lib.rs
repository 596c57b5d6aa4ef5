//! Panics of a library as values.
//!
//! Some libraries panic on files that contradict themselves. For whoever reads files of strangers such a panic is an error like any
//! other: it is caught, and the program's own panic hook hears nothing of it.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is expected, and no news for anyone.
    static EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// What `call` returns; `None` if it panics, of which nothing is printed. What a call has left half-done must not be used again.
pub fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    pass_over_expected();
    let before = EXPECTED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    EXPECTED.set(before);
    result.ok()
}

/// Puts a hook in front of the program's own that passes over expected panics.
fn pass_over_expected() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let own = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !EXPECTED.get() {
                own(info);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_is_a_value_and_only_others_reach_the_hook() {
        static HEARD: AtomicUsize = AtomicUsize::new(0);
        panic::set_hook(Box::new(|_| {
            HEARD.fetch_add(1, Ordering::SeqCst);
        }));
        assert_eq!(caught(|| 7), Some(7));
        let nested = caught(|| {
            assert_eq!(caught(|| -> u8 { panic!("inside") }), None);
            panic!("outside")
        });
        assert_eq!(nested, None::<()>);
        assert_eq!(HEARD.load(Ordering::SeqCst), 0);
        catch_unwind(|| panic!("of nobody")).unwrap_err();
        assert_eq!(HEARD.load(Ordering::SeqCst), 1);
    }
}
