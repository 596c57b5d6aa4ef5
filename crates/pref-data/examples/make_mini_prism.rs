//! Writes the project's own small PRISM data set into a folder, reads it back and prints what is in it:
//! `cargo run --release -p pref-data --example make_mini_prism -- datasets/mini/prism`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use pref_data::mini::prism::{SEED, generate, hidden_kind, json_lines};
use pref_data::{PrismData, PrismOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args()
        .nth(1)
        .ok_or("usage: make_mini_prism FOLDER")?
        .into();
    fs::create_dir_all(&folder)?;
    let mini = generate(SEED);
    for (name, text) in [
        ("survey.jsonl", json_lines(&mini.survey)?),
        ("conversations.jsonl", json_lines(&mini.conversations)?),
    ] {
        let unfinished = folder.join(name).with_extension("tmp");
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, folder.join(name))?;
    }
    let mut data = PrismData::load(&[&folder], &PrismOptions::default())?;
    data.label(|user| hidden_kind(user).map(|kind| kind.name().to_owned()));
    println!("{}", data.stats());
    if let Some(comparison) = data.split.train.first() {
        println!("{}", serde_json::to_string_pretty(comparison)?);
    }
    Ok(())
}
