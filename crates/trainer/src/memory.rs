//! Memory: what this process takes and what is free, where the system tells (Linux). What training will take is
//! [`estimate`](crate::estimate)'s.

mod allocator;

pub use allocator::{give_back, keep};

/// Forgets the peak so far, so that the next [`peak_bytes`] speaks of what follows.
pub fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The largest resident set since the start or the last reset; none where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    status("VmHWM:")
}

/// The resident set now; none where the system does not tell.
pub fn current_bytes() -> Option<u64> {
    status("VmRSS:")
}

/// What programs can still take without swapping, with what this one has kept and does not use; none where the system does not
/// tell.
pub(crate) fn available_bytes() -> Option<u64> {
    give_back();
    field("/proc/meminfo", "MemAvailable:")
}

fn status(name: &str) -> Option<u64> {
    field("/proc/self/status", name)
}

fn field(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
