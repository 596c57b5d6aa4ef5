//! Loads comparisons of any layout and prints what is in them:
//! `cargo run --release -p pref-data --example load -- PATH...` (files or folders; the mini data if none is given).
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use pref_data::prism::{PrismData, PrismOptions};
use pref_data::psoups::{PsoupsData, PsoupsOptions};
use pref_data::tldr::{PolicyFilter, TldrData, TldrOptions};
use pref_data::{AuditBuilder, Layout, ReadOptions, general, read_comparisons};

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if paths.is_empty() {
        let mini = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../datasets/mini/tldr.jsonl"
        );
        paths.push(mini.into());
    }
    match Layout::detect(&paths)? {
        Layout::Tldr => tldr(&paths),
        Layout::Psoups => {
            let data = PsoupsData::load(&paths, &PsoupsOptions::default())?;
            println!("{}\n\n{}", data.skipped, data.stats());
            Ok(())
        }
        Layout::Prism => {
            let data = PrismData::load(&paths, &PrismOptions::default())?;
            println!("{}\n\n{}", data.skipped, data.stats());
            Ok(())
        }
        Layout::General | Layout::PsoupsHub => general(&paths),
        _ => {
            let (comparisons, skipped) = read_comparisons(&paths, ReadOptions { lenient: true })?;
            let mut audit = AuditBuilder::default();
            comparisons.iter().for_each(|one| audit.add(one));
            println!("{}", audit.finish(&skipped));
            Ok(())
        }
    }
}

/// Streams comparisons and audits them; a broken record is counted, not fatal.
fn general(paths: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let mut reader = general::read(paths, ReadOptions { lenient: true })?;
    let mut audit = AuditBuilder::default();
    for comparison in reader.by_ref() {
        audit.add(&comparison?);
    }
    println!("{}", audit.finish(reader.skipped()));
    Ok(())
}

/// The paper's experiment on official files: filter, ranking, simulated workers, split, Table 3.
fn tldr(paths: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let options = TldrOptions {
        filter: PolicyFilter::All,
        ..TldrOptions::default()
    };
    let data = TldrData::load(paths, &options)?;
    println!("{} records, split: {}", data.records, data.split.origin);
    println!("{}\n", data.skipped);
    println!("{}", data.stats());
    Ok(())
}
