//! What a run writes beside its report, and says while it runs.

use trainer::{TrainError, files, machine};

use super::{Experiment, Run};
use crate::report::{Environment, System};

/// One line per finished system.
pub fn announce(system: &System) {
    let percent = |v: Option<f64>| v.map(|v| format!("{:.1} %", 100.0 * v));
    let count = |v: Option<f64>| v.map(|v| format!("{v:.1}"));
    let (accuracy, words) = (&system.accuracy, &system.words);
    let parts: Vec<String> = [
        ("top", percent(accuracy.top)),
        ("majority", percent(accuracy.majority.mean)),
        ("minority", percent(accuracy.minority.mean)),
        ("generic", percent(accuracy.generic)),
        ("words majority", count(words.majority)),
        ("words minority", count(words.minority)),
        ("words generic", count(words.generic)),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("{name} {}", value?)))
    .collect();
    let seconds = system.seconds.unwrap_or_default();
    tracing::info!("{}: {} ({seconds:.0} s)", system.title(), parts.join(", "));
}

/// All systems' metrics in one file, each line with the name of its system, its seed and its split.
///
/// # Errors
/// A file that cannot be read, or a folder that cannot be written.
pub fn metrics<E: Experiment>(run: &Run<E>) -> Result<(), TrainError> {
    let mut all = String::new();
    let splits = run.config.data.split_seeds();
    let runs = run
        .seeds
        .iter()
        .flat_map(|seed| splits.iter().map(move |split| (*seed, *split)));
    for (seed, split) in runs {
        for system in &run.config.systems {
            let name = &system.name;
            let path = run.folder(seed, split).join(name).join("metrics.jsonl");
            if !path.exists() {
                continue; // Not every system is trained.
            }
            let text = std::fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
            let origin = serde_json::json!({ "system": name, "seed": seed, "split_seed": split });
            all += &with_origin(&text, &origin);
        }
    }
    files::replace_file(&run.out.join("metrics.jsonl"), all)
}

/// The lines of `metrics.jsonl`, each with more keys in front.
pub fn with_origin(lines: &str, origin: &serde_json::Value) -> String {
    let origin = origin.to_string();
    let origin = origin.trim_end_matches('}').to_owned() + ",";
    let lines = lines.lines();
    lines
        .map(|line| line.replacen('{', &origin, 1) + "\n")
        .collect()
}

/// Where this runs.
pub fn environment<E>(run: &Run<E>, seconds: f64) -> Environment {
    Environment {
        command: Some(run.command.clone()),
        device: Some(run.devices.1.clone()),
        cpu: machine::processor(),
        threads: std::thread::available_parallelism()
            .ok()
            .map(|n| n.get() as u64),
        os: Some(std::env::consts::OS.into()),
        version: Some(env!("CARGO_PKG_VERSION").into()),
        seconds: Some(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn lines_stay_json_whatever_an_id_holds() {
        let id = "a\"}{b";
        let lines = with_origin("{\"step\":1}\n{\"step\":2}\n", &json!({ "adapter_of": id }));
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let expected = [1, 2].map(|step| json!({ "adapter_of": id, "step": step }));
        assert!(lines.eq(expected));
    }
}
