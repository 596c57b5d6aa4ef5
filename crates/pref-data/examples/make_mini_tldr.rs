//! Writes the project's own small TL;DR data set:
//! `cargo run --release -p pref-data --example make_mini_tldr -- datasets/mini/tldr.jsonl`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use pref_data::mini;

fn main() -> Result<(), Box<dyn Error>> {
    let path: PathBuf = std::env::args()
        .nth(1)
        .ok_or("usage: make_mini_tldr FILE")?
        .into();
    let records = mini::tldr(mini::SEED, mini::POSTS);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension("tmp");
    fs::write(&unfinished, mini::json_lines(&records))?;
    fs::rename(&unfinished, &path)?;
    Ok(())
}
