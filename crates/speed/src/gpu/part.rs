//! A part of the visit: a process that ends in time, or is ended.

use std::fmt;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use trainer::TrainError;

use super::card;

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What is done, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Logits and a training step.
    Checks,
    /// The experiment.
    Tldr,
    /// Speed, model by model.
    Rungs,
}

impl Part {
    /// As people and the program call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checks => "checks",
            Self::Tldr => "tldr",
            Self::Rungs => "rungs",
        }
    }

    /// What it leaves: lines of JSON, or a folder.
    pub fn file(self) -> &'static str {
        match self {
            Self::Checks => "checks.jsonl",
            Self::Tldr => "tldr",
            Self::Rungs => "rungs.jsonl",
        }
    }
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finished {
    /// Its exit code; none: its time was up, or a signal ended it.
    pub code: Option<i32>,
    /// Whether its time was up.
    pub is_cut: bool,
    /// How long it took.
    pub seconds: f64,
    /// The most memory seen in use on the GPU, in units of 2^20 bytes.
    pub gpu_mib: Option<u64>,
}

impl Finished {
    /// Whether it ended by itself, badly.
    pub fn has_failed(&self) -> bool {
        !self.is_cut && self.code != Some(0)
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.is_cut, self.code) {
            (true, _) => write!(f, "time was up")?,
            (false, Some(0)) => write!(f, "done")?,
            (false, Some(code)) => write!(f, "FAILED with code {code}")?,
            (false, None) => write!(f, "FAILED, ended by a signal")?,
        }
        write!(f, " after {:.0} s", self.seconds)
    }
}

/// Runs a part for at most `limit`; what it says goes into `log`.
///
/// # Errors
/// A program that cannot be started, or a log that cannot be written.
pub fn run(
    mut command: Command,
    log: &Path,
    limit: Duration,
    gpu: Option<usize>,
) -> Result<Finished, TrainError> {
    let io = |e| TrainError::io(log, e);
    let file = File::create(log).map_err(io)?;
    command
        .stdin(Stdio::null())
        .stderr(file.try_clone().map_err(io)?);
    let program = command.get_program().to_owned();
    let started = command.stdout(file).spawn();
    let mut child = started.map_err(|e| TrainError::io(Path::new(&program), e))?;
    let start = Instant::now();
    let (mut gpu_mib, mut asked) = (None, None::<Instant>);
    let (status, is_cut) = loop {
        if let Some(status) = child.try_wait().map_err(io)? {
            break (Some(status), false);
        }
        if start.elapsed() >= limit {
            let _ = child.kill(); // It may have ended just now.
            let _ = child.wait();
            break (None, true);
        }
        if asked.is_none_or(|asked| asked.elapsed().as_secs() >= 2) {
            asked = Some(Instant::now());
            gpu_mib = gpu_mib.max(gpu.and_then(card::used_mib));
        }
        std::thread::sleep(LOOK);
    };
    Ok(Finished {
        code: status.and_then(|status| status.code()),
        is_cut,
        seconds: start.elapsed().as_secs_f64(),
        gpu_mib,
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, limit: u64) -> (Finished, String) {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let finished = run(command, &log, Duration::from_millis(limit), None).unwrap();
        (finished, std::fs::read_to_string(log).unwrap())
    }

    #[test]
    fn a_part_ends_well_badly_or_in_time() {
        let (good, log) = shell("echo out; echo err >&2", 20_000);
        assert!(!good.has_failed());
        assert!(log.contains("out") && log.contains("err"), "{log}");
        let (bad, _) = shell("exit 3", 20_000);
        assert!(bad.has_failed());
        assert!(bad.to_string().contains("FAILED with code 3"), "{bad}");
        let (cut, log) = shell("echo first; exec sleep 60", 500);
        assert!(cut.is_cut && !cut.has_failed());
        assert!(cut.seconds < 30.0, "{cut}");
        assert_eq!(log, "first\n");
    }
}
