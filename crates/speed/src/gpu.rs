//! A first quarter of an hour on a GPU: is it right, does it learn, how fast is it.
//!
//! Three parts, each a process of its own with a limit on its time, so that none can eat up another's: [`checks`] compares
//! with `transformers` and with the CPU, the program `bench` runs TL;DR, [`rungs`] trains larger and larger models of random
//! weights. What they find goes into one folder as they find it; [`summary`] makes a page of it at the end.

pub mod card;
pub mod checks;
pub mod part;
pub mod rungs;
pub mod summary;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use terminal::say;
use trainer::{TrainError, device, files};

use card::Card;
use part::{Finished, Part};

/// What to do, where, and for how long.
#[derive(Clone, Debug)]
pub struct Visit {
    /// `cuda:N`; any other device rehearses, with little to compute.
    pub device: String,
    /// A new folder for everything.
    pub out: PathBuf,
    /// Minutes for all parts together.
    pub minutes: f64,
    /// The model of the preset `small`; none: `tiny` in its place.
    pub small_model: Option<PathBuf>,
    /// The program `bench`.
    pub bench: PathBuf,
    /// What the GPU has, in units of 10^9 bytes; none: what `nvidia-smi` says.
    pub memory_gb: Option<f64>,
}

/// The shares that the parts have of the time.
const SHARES: [(Part, f64); 3] = [
    (Part::Checks, 0.15),
    (Part::Tldr, 0.45),
    (Part::Rungs, 0.40),
];

impl Visit {
    /// Does all parts, and writes `summary.md`. What failed is in there, too; the names of these parts are returned.
    ///
    /// # Errors
    /// No GPU, a folder that holds something, or a part that cannot be started.
    pub fn run(&self) -> Result<Vec<&'static str>, TrainError> {
        let card = self.card()?;
        device::parse(&self.device)?;
        let taken = self
            .out
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some());
        if taken {
            let expected = "a new or empty folder: give --out";
            return Err(TrainError::config("--out", self.out.display(), expected));
        }
        let io = |e| TrainError::io(&self.out, e);
        std::fs::create_dir_all(&self.out).map_err(io)?;
        if let Some(card) = &card {
            files::replace_file(&self.out.join("nvidia-smi.txt"), &card.report)?;
            say(format_args!("{card}"));
        }
        let mut done: Vec<(Part, Finished)> = Vec::new();
        for (part, share) in SHARES {
            let limit = Duration::from_secs_f64(60.0 * self.minutes * share);
            let name = part.name();
            say(format_args!("{name}: at most {:.0} s", limit.as_secs_f64()));
            let command = self.command(part, limit, card.as_ref())?;
            let log = self.out.join(format!("{name}.log"));
            let finished = part::run(command, &log, limit, card.as_ref().map(|card| card.index))?;
            say(format_args!("{name}: {finished}"));
            done.push((part, finished));
            let page = summary::page(self, card.as_ref(), &done);
            files::replace_file(&self.out.join("summary.md"), page)?;
        }
        let failed = done.iter().filter(|(_, finished)| finished.has_failed());
        Ok(failed.map(|(part, _)| part.name()).collect())
    }

    /// The card, where the device is one.
    fn card(&self) -> Result<Option<Card>, TrainError> {
        let Some(index) = self.device.strip_prefix("cuda:") else {
            return Ok(None);
        };
        Card::ask(index).map(Some).map_err(|problem| {
            TrainError::Usage(format!(
                "no NVIDIA GPU here: {problem}. Nothing was run. `--device flex` rehearses on the CPU"
            ))
        })
    }

    fn command(
        &self,
        part: Part,
        limit: Duration,
        card: Option<&Card>,
    ) -> Result<Command, TrainError> {
        if part == Part::Tldr {
            return Ok(self.tldr());
        }
        let this = std::env::current_exe().map_err(|e| TrainError::io(Path::new("speed"), e))?;
        let mut command = Command::new(this);
        command.args(["gpu-part", part.name(), "--device", &self.device]);
        command.arg("--out").arg(self.out.join(part.file()));
        let seconds = limit.as_secs_f64();
        command.args(["--seconds", &format!("{seconds:.0}")]);
        let there = card.map(|card| card.memory_mib as f64 * 1.048_576e-3);
        if let Some(memory) = self.memory_gb.or(there) {
            command.args(["--memory-gb", &format!("{memory:.1}")]);
        }
        if card.is_none() {
            command.arg("--rehearsal");
        }
        Ok(command)
    }

    /// TL;DR as `small`; a rehearsal makes a few steps with a model made in the run.
    fn tldr(&self) -> Command {
        let mut command = Command::new(&self.bench);
        command.args(["tldr", "--device", &self.device, "--out"]);
        command.arg(self.out.join(Part::Tldr.file()));
        let is_rehearsal = !self.device.starts_with("cuda");
        match &self.small_model {
            Some(model) if !is_rehearsal => {
                command.args(["--preset", "small", "--model"]).arg(model);
            }
            _ => {
                command.args(["--preset", "tiny"]);
            }
        }
        if is_rehearsal {
            for setting in [
                "tiny.sft.steps=8",
                "training.max_steps=4",
                "data.train_limit=64",
                "data.test_limit=32",
                "evaluation.prompts=1",
                "sampling.max_new_tokens=8",
            ] {
                command.args(["--set", setting]);
            }
        }
        command
    }
}
