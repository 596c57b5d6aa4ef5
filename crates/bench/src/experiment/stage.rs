//! Finished parts of a run, with the settings they were made with: a resumed run takes over those whose settings are
//! still the same, and makes the others anew.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use trainer::lineage::same_weights;
use trainer::{TrainError, files};

/// The settings of a finished part.
pub(super) const FILE: &str = "made-with.json";
/// When the run began, in seconds since 1970.
const CLOCK: &str = "clock";

/// Where a part of a run is made, and how.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// Its folder.
    pub dir: &'a Path,
    /// `--seed`
    pub seed: u64,
    /// Go on with what is there.
    pub resume: bool,
    /// The time that the chat template tells, in seconds since 1970.
    pub clock: u64,
}

/// The time that the chat template tells throughout a run, in seconds since 1970: now, or when the run that goes on began.
pub fn clock(out: &Path, resume: bool) -> u64 {
    let earlier = fs::read_to_string(out.join(CLOCK)).ok();
    let earlier = earlier.filter(|_| resume);
    let now = || SystemTime::now().duration_since(UNIX_EPOCH);
    earlier
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or_else(|| now().map_or(0, |since| since.as_secs()))
}

/// Keeps it for the run that goes on.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_clock(out: &Path, clock: u64) -> Result<(), TrainError> {
    files::replace_file(&out.join(CLOCK), clock.to_string())
}

/// Whether `dir` holds a finished part that was made with these settings.
pub fn is_done(dir: &Path, settings: &Value) -> bool {
    made_with(dir).is_some_and(|mut found| {
        let keys = (found["model"].as_str(), settings["model"].as_str());
        if let (Some(then), Some(now)) = keys
            && same_weights(then, now)
        {
            found["model"] = settings["model"].clone();
        }
        found == *settings
    })
}

/// The settings that a finished part in `dir` was made with; none where there is none.
pub(super) fn made_with(dir: &Path) -> Option<Value> {
    let text = fs::read(dir.join(FILE)).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Says that everything in `dir` is complete; the last file to be written.
///
/// # Errors
/// A folder that cannot be written.
pub fn mark_done(dir: &Path, settings: &Value) -> Result<(), TrainError> {
    let path = dir.join(FILE);
    let text = serde_json::to_vec_pretty(settings).map_err(|e| TrainError::format(&path, e))?;
    files::replace_file(&path, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_that_goes_on_keeps_its_clock() {
        let dir = tempfile::tempdir().unwrap();
        let began = clock(dir.path(), true);
        assert!(began > 1_700_000_000, "{began}");
        write_clock(dir.path(), 5).unwrap();
        assert_eq!(clock(dir.path(), true), 5);
        assert!(clock(dir.path(), false) >= began);
    }

    #[test]
    fn a_part_counts_as_done_only_with_the_settings_it_was_made_with() {
        let dir = tempfile::tempdir().unwrap();
        let made = json!({ "steps": 200, "learning_rate": 3e-3 });
        assert!(!is_done(dir.path(), &made));
        mark_done(dir.path(), &made).unwrap();
        assert!(is_done(dir.path(), &made));
        assert!(!is_done(
            dir.path(),
            &json!({ "steps": 201, "learning_rate": 3e-3 })
        ));
        assert!(!is_done(dir.path(), &json!({ "steps": 200 })));
        // On a model with adapters merged whose tensors alone were hashed then.
        mark_done(dir.path(), &json!({ "model": "m+a" })).unwrap();
        assert!(is_done(dir.path(), &json!({ "model": "m+a.1" })));
        assert!(!is_done(dir.path(), &json!({ "model": "m+b.1" })));
        mark_done(dir.path(), &made).unwrap();
        fs::write(dir.path().join(FILE), "{").unwrap();
        assert!(!is_done(dir.path(), &made));
    }
}
