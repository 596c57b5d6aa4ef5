//! Renders the report of a finished run again from its `report.json`, for example after an update, and shows it:
//! `cargo run --release -p bench --example report_again -- RUN_FOLDER [OTHER_FOLDER]`. The gallery is not part of
//! `report.json` and stays as it is.

use std::error::Error;
use std::path::PathBuf;

use bench::report::{self, Document};

#[allow(clippy::print_stdout, reason = "an example talks to its reader")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut folders = std::env::args_os().skip(1).map(PathBuf::from);
    let from = folders.next().ok_or("expected the folder of a run")?;
    let to = folders.next().unwrap_or_else(|| from.clone());
    let report = report::read(&from)?;
    report::write(&to, &report)?;
    print!("{}", Document::of(&report).terminal());
    Ok(())
}
