//! What a run leaves behind, without what depends on the clock.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Keys of JSON objects that tell time, memory, process or command.
const PASSING: [&str; 9] = [
    "seconds",
    "train_seconds",
    "comparisons_per_second",
    "tokens_per_second",
    "peak_rss_bytes",
    "metrics_bytes",
    "environment",
    "process",
    "clock",
];

/// Every file by its path in the run's folder.
#[derive(Debug, PartialEq)]
pub struct Traces(BTreeMap<String, Content>);

/// What is compared of a file.
#[derive(Debug, PartialEq)]
enum Content {
    /// Every byte.
    Bytes(Vec<u8>),
    /// The values of JSON, line by line.
    Json(Vec<Value>),
    /// Log-probs by their key, as bits.
    LogProbs(BTreeMap<String, u64>),
    /// Nothing: it holds times, or has no order of its own.
    Name,
}

impl Traces {
    /// Reads the folder of a run.
    pub fn read(dir: &Path) -> Result<Self, Box<dyn Error>> {
        let mut found = BTreeMap::new();
        // What is made in a run is called by its place.
        let place = dir.display().to_string();
        collect(dir, "", &place, &mut found)?;
        Ok(Self(found))
    }

    /// Refuses traces that differ from those of a run that nothing happened to.
    pub fn validate(&self, whole: &Self) -> Result<(), String> {
        if let Some(name) = self.0.keys().find(|name| !whole.0.contains_key(*name)) {
            return Err(format!("{name} should not be there"));
        }
        for (name, expected) in &whole.0 {
            match self.0.get(name) {
                None => return Err(format!("{name} is missing")),
                Some(found) if found != expected => return Err(format!("{name} differs")),
                Some(_) => {}
            }
        }
        Ok(())
    }
}

fn collect(
    dir: &Path,
    prefix: &str,
    place: &str,
    found: &mut BTreeMap<String, Content>,
) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_dir() {
            collect(&path, &format!("{name}/"), place, found)?;
            continue;
        }
        let bytes = without(&fs::read(&path)?, place.as_bytes());
        let content = content(bytes, &name).map_err(|e| format!("{}: {e}", path.display()))?;
        found.insert(name, content);
    }
    Ok(())
}

/// Bytes without a part, wherever it comes.
fn without(bytes: &[u8], part: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), bytes);
    while let Some((first, others)) = rest.split_first() {
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind,
            None => {
                kept.push(*first);
                rest = others;
            }
        }
    }
    kept
}

fn content(bytes: Vec<u8>, name: &str) -> Result<Content, Box<dyn Error>> {
    let file = name.rsplit('/').next().unwrap_or(name);
    let json = |line: &[u8]| serde_json::from_slice(line).map(without_times);
    Ok(match file {
        // The order of a hash map; sums of files with times; the time of the start; pages with times.
        "optimizer.bpk" | "SHA256SUMS" | "clock" | "report.md" | "report.html" => Content::Name,
        "gallery.html" | ".prlhf-run" => Content::Name,
        _ if file.ends_with(".svg") => Content::Name,
        _ if file.starts_with("reference-") => Content::LogProbs(log_probs(&bytes)?),
        _ if file.ends_with(".jsonl") => {
            let lines = bytes
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty());
            Content::Json(lines.map(json).collect::<Result<_, _>>()?)
        }
        "state.json" | "result.json" | "report.json" => Content::Json(vec![json(&bytes)?]),
        _ => Content::Bytes(bytes),
    })
}

/// The first number of every key. Broken lines, which a kill leaves, are passed over, as the program does.
fn log_probs(bytes: &[u8]) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut found = BTreeMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        if let (Some(key), Some(bits)) = (value["key"].as_str(), value["bits"].as_u64()) {
            found.entry(key.to_owned()).or_insert(bits);
        }
    }
    match found.is_empty() {
        true => Err("no log-probs".into()),
        false => Ok(found),
    }
}

fn without_times(value: Value) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(key, _)| !PASSING.contains(&key.as_str()))
            .map(|(key, value)| (key, without_times(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(without_times).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: &[(&str, &str)]) -> Traces {
        let dir = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        Traces::read(dir.path()).expect("traces")
    }

    #[test]
    fn times_may_differ_and_nothing_else() {
        let whole = of(&[
            (
                "metrics.jsonl",
                "{\"loss\":1.5,\"tokens_per_second\":7.0}\n",
            ),
            ("a/b", "x"),
        ]);
        let other = of(&[
            (
                "metrics.jsonl",
                "{\"loss\":1.5,\"tokens_per_second\":9.0}\n",
            ),
            ("a/b", "x"),
        ]);
        other.validate(&whole).expect("the same");
        let problem = |files: &[(&str, &str)]| of(files).validate(&whole).expect_err("differs");
        let loss = ("metrics.jsonl", "{\"loss\":1.25}\n");
        assert_eq!(problem(&[loss, ("a/b", "x")]), "metrics.jsonl differs");
        assert_eq!(problem(&[("a/b", "x")]), "metrics.jsonl is missing");
        let more = [
            ("metrics.jsonl", "{\"loss\":1.5}\n"),
            ("a/b", "x"),
            ("a/.b.tmp", ""),
        ];
        assert_eq!(problem(&more), "a/.b.tmp should not be there");
    }

    #[test]
    fn of_a_log_prob_the_first_number_counts() {
        let lines =
            "{\"key\":\"k\",\"bits\":1}\n{\"ke\n{\"key\":\"k\",\"bits\":2}\n{\"settled\":true}\n";
        let found = log_probs(lines.as_bytes()).expect("log-probs");
        assert_eq!(found, BTreeMap::from([("k".to_owned(), 1)]));
    }
}
