//! The process that reads mangled files, one after another, and says before each which one comes.

use std::error::Error;
use std::fs;
use std::io::{Write, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trainer::memory;

use crate::mangle::mangled;
use crate::targets::{TARGETS, Target};

/// Memory that reading may take at most, by bytes of the file, and beside them.
const PER_BYTE: u64 = 20;
const BESIDE: u64 = 1 << 30;

/// The last panic that reached a terminal, whether or not somebody caught it.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Reads some inputs. `seeds` holds the intact files, `scratch` is where they get their faults, and `keep` where folders stay that
/// did harm.
pub fn run(
    [seeds, scratch, keep]: [&Path; 3],
    seed: u64,
    inputs: impl Iterator<Item = u64>,
) -> Result<(), Box<dyn Error>> {
    set_hook(Box::new(|panic| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic.to_string());
    }));
    if scratch.exists() {
        fs::remove_dir_all(scratch)?;
    }
    copy(seeds, scratch)?;
    for input in inputs {
        let (target, file) = prepare(seeds, scratch, seed, input)?;
        let size = fs::metadata(&file)?.len();
        say(&format!("start {input} {}", file.display()))?;
        memory::reset_peak();
        let before = memory::current_bytes();
        let folder = scratch.join(target.seeds);
        let answer = catch_unwind(AssertUnwindSafe(|| {
            let read = (target.read)(&folder, &file);
            read.map_err(|error| error.to_string()).is_ok()
        }));
        let taken = memory::peak_bytes().zip(before);
        let taken = taken.map_or(0, |(peak, before)| peak.saturating_sub(before));
        let panic = PANIC.lock().unwrap_or_else(PoisonError::into_inner).take();
        let line = match (answer, panic) {
            (Err(_), panic) | (_, panic @ Some(_)) => {
                let words = panic.unwrap_or_default().replace('\n', " ");
                format!("bad {input} panic: {words}")
            }
            _ if taken > PER_BYTE * size + BESIDE => {
                format!("bad {input} memory: {} MiB for {size} bytes", taken >> 20)
            }
            (Ok(true), None) => format!("accepted {input}"),
            (Ok(false), None) => format!("refused {input}"),
        };
        if line.starts_with("bad") {
            copy(&folder, &kept(keep, input))?;
        }
        say(&line)?;
        // Intact again: other targets read these files, too.
        fs::remove_dir_all(&folder)?;
        copy(&seeds.join(target.seeds), &folder)?;
    }
    say("done")
}

/// Where the folder of an input is kept.
pub fn kept(keep: &Path, input: u64) -> PathBuf {
    let target = target_of(input).name.replace(' ', "-");
    keep.join(format!("{input}-{target}"))
}

/// Gives one file of an input's target faults.
fn prepare(
    seeds: &Path,
    scratch: &Path,
    seed: u64,
    input: u64,
) -> Result<(&'static Target, PathBuf), Box<dyn Error>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(input);
    let target = target_of(input);
    let pick = |rng: &mut ChaCha8Rng| target.files[rng.random_range(0..target.files.len())];
    let (name, other) = (pick(&mut rng), pick(&mut rng));
    let (intact, folder) = (seeds.join(target.seeds), scratch.join(target.seeds));
    let bytes = mangled(
        &fs::read(intact.join(name))?,
        &fs::read(intact.join(other))?,
        &mut rng,
    );
    let file = folder.join(name);
    fs::write(&file, bytes)?;
    Ok((target, file))
}

/// The kind of an input: each comes up as often as its weight says.
pub fn target_of(input: u64) -> &'static Target {
    let all: u64 = TARGETS.iter().map(|target| target.weight).sum();
    let mut place = input % all;
    for target in &TARGETS {
        match place.checked_sub(target.weight) {
            Some(left) => place = left,
            None => return target,
        }
    }
    &TARGETS[0]
}

fn say(line: &str) -> Result<(), Box<dyn Error>> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Copies a folder with all that is below it.
pub fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let new = to.join(path.file_name().unwrap_or_default());
        match path.is_dir() {
            true => copy(&path, &new)?,
            false => _ = fs::copy(&path, &new)?,
        }
    }
    Ok(())
}
