//! Writes the project's own small P-SOUPS data set, reads it back and prints its counts:
//! `cargo run --release -p pref-data --example make_mini_psoups -- datasets/mini/psoups`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use pref_data::mini::psoups;
use pref_data::{PsoupsData, PsoupsOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args()
        .nth(1)
        .ok_or("usage: make_mini_psoups FOLDER")?
        .into();
    let files = folder.join("rm_training");
    fs::create_dir_all(&files)?;
    for (profile, rows) in psoups::rows(psoups::SEED) {
        let path = files.join(format!("{profile}.json"));
        let unfinished = path.with_extension("tmp");
        fs::write(&unfinished, psoups::json_array(&rows))?;
        fs::rename(&unfinished, &path)?;
    }
    let data = PsoupsData::load(&[&folder], &PsoupsOptions::default())?;
    println!("{}\n{}", data.stats(), data.skipped);
    Ok(())
}
