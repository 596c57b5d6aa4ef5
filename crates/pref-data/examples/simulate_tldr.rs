//! Writes the TL;DR experiment's comparisons, with simulated workers of two groups, as files that any trainer reads:
//! `cargo run --release -p pref-data --example simulate_tldr -- FOLDER PATH...` (official files; the mini data if none is given).
//!
//! `train.jsonl`, `validation.jsonl` and `test.jsonl` are those of `cargo xtask repro tldr` for the same files: seven of ten workers prefer the longer
//! summary, three the shorter one. Validation comparisons are those of the ten, test comparisons those of all workers.
#![allow(clippy::print_stdout)]

use std::collections::HashSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use pref_data::tldr::{TldrData, TldrOptions};
use pref_data::{Comparison, SplitRatios};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = paths.next().ok_or("name a folder to write to")?;
    let mut paths: Vec<PathBuf> = paths.collect();
    if paths.is_empty() {
        let mini = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../datasets/mini/tldr.jsonl"
        );
        paths.push(mini.into());
    }
    let options = TldrOptions {
        // As configs/tldr/tiny.toml has it.
        ratios: SplitRatios {
            train: 0.7,
            validation: 0.08,
            test: 0.22,
        },
        ..TldrOptions::default()
    };
    let mut split = TldrData::load(&paths, &options)?.split;
    let seen: HashSet<_> = split.train.iter().map(|c| c.user.clone()).collect();
    split.validation.retain(|c| seen.contains(&c.user));
    fs::create_dir_all(&folder)?;
    for (name, side) in [
        ("train", &split.train),
        ("validation", &split.validation),
        ("test", &split.test),
    ] {
        let path = folder.join(format!("{name}.jsonl"));
        fs::write(&path, side.iter().map(line).collect::<String>())?;
        println!("{} comparisons: {}", side.len(), path.display());
    }
    Ok(())
}

/// A comparison in the general layout.
fn line(comparison: &Comparison) -> String {
    let user = comparison.user.as_ref().map(|user| user.as_str());
    let record = json!({
        "prompt": comparison.prompt,
        "chosen": comparison.chosen,
        "rejected": comparison.rejected,
        "user": user,
        "group": comparison.group,
        "source": comparison.source,
    });
    format!("{record}\n")
}
