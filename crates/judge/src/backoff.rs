//! How long to wait before asking again.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The wait before repetition `attempt` (from 0): `first` doubled each time, at most `most`, times a factor between a
/// half and one, so that clients that failed together do not come back together. `jitter` is in `[0, 1)`.
pub fn delay(first: Duration, most: Duration, attempt: u32, jitter: f64) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(attempt));
    doubled
        .min(most)
        .mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// The wait that a `Retry-After` header asks for in seconds; `None` for its other form, a date.
pub fn retry_after(header: &str) -> Option<Duration> {
    let seconds: f64 = header.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// How often a wait looks whether it was called off.
const SLICE: Duration = Duration::from_millis(50);

/// Waits; `false` if it was called off before the end.
pub(crate) fn sleep_until(end: Instant, called_off: &AtomicBool) -> bool {
    loop {
        if called_off.load(Ordering::Relaxed) {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(SLICE));
    }
}

/// A pause that a server asked for and that holds for every call of a client.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// Calls wait until then.
    pub fn extend(&self, until: Instant) {
        let mut end = self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        *end = Some(end.map_or(until, |end| end.max(until)));
    }

    /// Waits for the pause to end; `false` if it was called off.
    pub fn wait(&self, called_off: &AtomicBool) -> bool {
        let end = *self.0.lock().unwrap_or_else(|broken| broken.into_inner());
        sleep_until(end.unwrap_or_else(Instant::now), called_off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn delays_double_up_to_the_longest_and_jitter_takes_up_to_half() {
        let no_jitter = |attempt| delay(SECOND, 10 * SECOND, attempt, 1.0).as_secs_f64();
        assert_eq!(
            [0, 1, 2, 3, 4, 99].map(no_jitter),
            [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
        );
        assert_eq!(delay(SECOND, 10 * SECOND, 1, 0.0), SECOND);
        assert_eq!(delay(SECOND, 10 * SECOND, 1, 0.5).as_secs_f64(), 1.5);
    }

    #[test]
    fn retry_after_is_read_in_seconds() {
        assert_eq!(retry_after(" 2 "), Some(2 * SECOND));
        assert_eq!(retry_after("0.5"), Some(SECOND / 2));
        for other in ["Wed, 21 Oct 2026 07:28:00 GMT", "-1", "NaN", "inf", ""] {
            assert_eq!(retry_after(other), None, "{other}");
        }
    }

    #[test]
    fn a_wait_ends_when_it_is_called_off() {
        let start = Instant::now();
        assert!(!sleep_until(start + 60 * SECOND, &AtomicBool::new(true)));
        assert!(sleep_until(start, &AtomicBool::new(false)));
        assert!(start.elapsed() < 10 * SECOND);
    }
}
