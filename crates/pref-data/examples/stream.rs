//! How fast the loaders stream, and in how much memory:
//! `cargo run --release -p pref-data --example stream -- [MEGABYTES]` (2000 if not given).
//!
//! For each layout, repeats the mini data into one file of that size in the temporary folder, reads it record by record and
//! prints megabytes a second and the most memory the process has held. PRISM dialogues are turned into comparisons as the
//! loader does; nothing is kept. The texts of the mini data are short, so there are more records in a megabyte than in the
//! official files.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use pref_data::prism::{ComparisonOptions, read_dialogues};
use pref_data::{DataError, ReadOptions, Skipped, psoups, tldr};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What stands before, between and after the records of a file.
#[derive(Clone, Copy)]
struct Marks(&'static str, &'static str, &'static str);

const LINES: Marks = Marks("", "\n", "\n");
const ARRAY: Marks = Marks("[", ", ", "]");

fn main() -> Outcome<()> {
    let size = std::env::args().nth(1);
    let megabytes: u64 = size.map_or(Ok(2000), |number| number.parse())?;
    let options = ReadOptions::default();

    let records = mini("tldr.jsonl")?;
    measure("TL;DR", megabytes, &records, LINES, |path| {
        count(tldr::read(&[path], options)?)
    })?;
    let rows = mini("psoups/rm_training/P1A.json")?;
    for (name, marks) in [("P-SOUPS, lines", LINES), ("P-SOUPS, array", ARRAY)] {
        measure(name, megabytes, &rows, marks, |path| {
            count(psoups::read(&[path], options)?)
        })?;
    }
    let conversations = mini("prism/conversations.jsonl")?;
    measure(
        "PRISM, dialogues",
        megabytes,
        &conversations,
        LINES,
        |path| count(read_dialogues(&[path], options)?),
    )?;
    measure(
        "PRISM, comparisons",
        megabytes,
        &conversations,
        LINES,
        |path| {
            let (mut skipped, mut found) = (Skipped::default(), 0);
            for dialogue in read_dialogues(&[path], options)? {
                let options = ComparisonOptions::default();
                let made = dialogue?.comparisons(Some("I like tea."), options, &mut skipped);
                found += made.len();
            }
            Ok(found)
        },
    )
}

/// The records of a file of the mini data, which has one on a line.
fn mini(name: &str) -> Outcome<Vec<String>> {
    let mini = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/mini");
    let text = fs::read_to_string(mini.join(name))?;
    let lines = text.lines().filter(|line| line.starts_with('{'));
    Ok(lines
        .map(|line| line.trim_end_matches(',').to_owned())
        .collect())
}

fn count<T>(records: impl Iterator<Item = Result<T, DataError>>) -> Outcome<usize> {
    let mut count = 0;
    for record in records {
        record?;
        count += 1;
    }
    Ok(count)
}

fn measure(
    name: &str,
    megabytes: u64,
    records: &[String],
    marks: Marks,
    read: impl Fn(&Path) -> Outcome<usize>,
) -> Outcome<()> {
    let file = tempfile::Builder::new().suffix(".json").tempfile()?;
    write(file.path(), megabytes * 1_000_000, records, marks)?;
    let (start, busy) = (Instant::now(), busy_seconds());
    let found = read(file.path())?;
    let rate = |seconds: f64| megabytes as f64 / seconds;
    let wall = rate(start.elapsed().as_secs_f64());
    print!("{name}: {megabytes} MB, {found} read, {wall:.0} MB/s");
    if let (Some(before), Some(after)) = (busy, busy_seconds()) {
        print!(" ({:.0} MB per second of CPU time)", rate(after - before));
    }
    match peak_megabytes() {
        Some(peak) => println!(", peak memory {peak} MB"),
        None => println!(),
    }
    Ok(())
}

fn write(path: &Path, bytes: u64, records: &[String], marks: Marks) -> Outcome<()> {
    let Marks(open, between, close) = marks;
    let mut output = BufWriter::new(File::create(path)?);
    output.write_all(open.as_bytes())?;
    let mut written = 0;
    for record in records.iter().cycle() {
        output.write_all(record.as_bytes())?;
        written += (record.len() + between.len()) as u64;
        if written >= bytes {
            break;
        }
        output.write_all(between.as_bytes())?;
    }
    output.write_all(close.as_bytes())?;
    Ok(output.flush()?)
}

/// The most memory that this process has held; nothing where the system does not say.
fn peak_megabytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1000)
}

/// What this process has computed, its own and the system's share (a tick is a hundredth of a second on Linux).
fn busy_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let fields = stat.rsplit(") ").next()?.split(' ');
    let ticks: Vec<f64> = fields.skip(11).take(2).flat_map(str::parse).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}
