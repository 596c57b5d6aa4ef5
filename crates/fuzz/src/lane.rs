//! One worker after another, until all inputs of a lane are done: a worker that dies or hangs is told of and replaced.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use crate::worker::{copy, kept, target_of};

/// The longest that one file may take.
const LONGEST: Duration = Duration::from_secs(10);
/// The longest that a worker may take to begin.
const FIRST: Duration = Duration::from_secs(60);
/// Address space of a worker in KiB: an allocation beyond it ends the process instead of the machine.
const ADDRESSES: &str = "16777216";

/// Where and what.
#[derive(Clone, Debug)]
pub struct Lane {
    /// The intact files.
    pub seeds: PathBuf,
    /// The worker's own folder.
    pub scratch: PathBuf,
    /// Where files that did harm are kept.
    pub keep: PathBuf,
    /// The seed of all faults.
    pub seed: u64,
    /// First input, distance of the inputs, and the end.
    pub inputs: (u64, u64, u64),
}

/// What became of the inputs.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Name of the target, and whether the file was accepted.
    pub answers: Vec<(&'static str, bool)>,
    /// What went wrong, with the input.
    pub faults: Vec<String>,
}

/// Runs all inputs of a lane.
pub fn run(mut lane: Lane) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    while lane.inputs.0 < lane.inputs.2 {
        let mut worker = start(&lane).map_err(|e| format!("a worker did not start: {e}"))?;
        let ended = listen(&mut lane, &mut worker, &mut outcome);
        let killed = worker.kill();
        let status = worker.wait().or_else(|e| killed.and(Err(e)));
        if let Some((input, file)) = ended {
            let status = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            let words = fs::read_to_string(log(&lane.scratch)).unwrap_or_default();
            let last = words.lines().last().unwrap_or("no words");
            let reason = format!("ended or hung: {status}: {last}");
            let folder = lane.scratch.join(target_of(input).seeds);
            if let Err(error) = copy(&folder, &kept(&lane.keep, input)) {
                return Err(format!("{}: {error}", lane.keep.display()));
            }
            fault(&lane, &mut outcome, (input, &file), &reason);
            lane.inputs.0 = input + lane.inputs.1;
        }
    }
    Ok(outcome)
}

fn log(scratch: &Path) -> PathBuf {
    scratch.with_extension("log")
}

fn start(lane: &Lane) -> Result<Child, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let mut command = match cfg!(unix) {
        true => {
            let mut shell = Command::new("sh");
            let limited = format!("ulimit -v {ADDRESSES}; exec \"$0\" \"$@\"");
            shell.arg("-c").arg(limited).arg(program);
            shell
        }
        false => Command::new(program),
    };
    let (from, step, to) = lane.inputs;
    command.arg("worker");
    command.args([&lane.seeds, &lane.scratch, &lane.keep]);
    command.args([lane.seed, from, step, to].map(|number| number.to_string()));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Ok(command.stderr(File::create(log(&lane.scratch))?).spawn()?)
}

/// Hears a worker until it is done; else the input that ended it, with its file.
fn listen(lane: &mut Lane, worker: &mut Child, outcome: &mut Outcome) -> Option<(u64, PathBuf)> {
    let lines = lines(worker);
    let mut current = None;
    loop {
        let limit = if current.is_some() { LONGEST } else { FIRST };
        let line = match lines.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return current.or(Some((lane.inputs.0, PathBuf::new())));
            }
        };
        let mut words = line.splitn(3, ' ');
        let (what, number, rest) = (words.next()?, words.next(), words.next().unwrap_or(""));
        let Some(input) = number.and_then(|number| number.parse().ok()) else {
            lane.inputs.0 = lane.inputs.2;
            return None; // done
        };
        match what {
            "start" => current = Some((input, PathBuf::from(rest))),
            "bad" => {
                let file = current.take().map(|(_, file)| file).unwrap_or_default();
                fault(lane, outcome, (input, &file), rest);
            }
            what => outcome
                .answers
                .push((target_of(input).name, what == "accepted")),
        }
        if what != "start" {
            lane.inputs.0 = input + lane.inputs.1;
        }
    }
}

/// The lines of a worker, read by a thread, so that waiting for one can end.
fn lines(worker: &mut Child) -> Receiver<String> {
    let (sender, receiver) = channel();
    if let Some(out) = worker.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

/// Notes a fault; the folder that led to it is kept.
fn fault(lane: &Lane, outcome: &mut Outcome, (input, file): (u64, &Path), reason: &str) {
    let (target, kept) = (target_of(input).name, kept(&lane.keep, input));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let place = kept.display();
    let fault = format!("input {input}, {target} ({name}): {reason} [{place}]");
    outcome.faults.push(fault);
}
