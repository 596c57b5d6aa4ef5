//! Programs, a tiny model and data, made once; and runs on them.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::faults::Fault;
use super::traces::Traces;
use crate::cargo::{Cargo, root};

/// What trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `prlhf train`
    Prlhf,
    /// `prlhf train --mode reward`
    Reward,
    /// `bench tldr`
    Bench,
}

impl Program {
    /// What its run is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prlhf => "prlhf",
            Self::Reward => "prlhf --mode reward",
            Self::Bench => "bench",
        }
    }

    /// The file of the program, and of its settings without the end.
    fn file(self) -> &'static str {
        match self {
            Self::Prlhf | Self::Reward => "prlhf",
            Self::Bench => "bench",
        }
    }

    /// What it is called with, beside settings and folder.
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Prlhf => &["train", "--plain"],
            Self::Reward => &["train", "--plain", "--mode", "reward"],
            Self::Bench => &["tldr"],
        }
    }
}

/// A run that takes longer has stopped for good.
const LONGEST: Duration = Duration::from_secs(300);

/// What all rounds share.
pub struct World {
    temporary: Option<TempDir>,
    /// Where everything is.
    pub folder: PathBuf,
    /// Runs that nothing happened to, and how many seconds they took, in the order of the programs.
    whole: Vec<(Traces, f64)>,
}

impl World {
    /// Builds the programs and makes one run of each.
    pub fn new() -> Result<Self, Box<dyn Error>> {
        if !cfg!(unix) {
            return Err("torture needs a Unix: sh, kill and signals".into());
        }
        let build = Cargo::release("build").args([
            "--bin",
            "prlhf",
            "--bin",
            "bench",
            "--example",
            "report_again",
        ]);
        if !build.succeeds()? {
            return Err("the programs do not build".into());
        }
        let temporary = tempfile::tempdir()?;
        let mut world = Self {
            folder: temporary.path().to_owned(),
            temporary: Some(temporary),
            whole: Vec::new(),
        };
        let write = |name: &str, text: String| fs::write(world.folder.join(name), text);
        write("bench.toml", BENCH.into())?;
        write("data.jsonl", comparisons())?;
        // The model of the run of bench is that of the others.
        let bench = world.uninterrupted(Program::Bench)?;
        let model = world.folder.join("bench/model");
        let data = world.folder.join("data.jsonl");
        let text = format!("[model]\nsource = {model:?}\n[data]\ntrain = [{data:?}]\n{PRLHF}");
        fs::write(world.folder.join("prlhf.toml"), text)?;
        let prlhf = world.uninterrupted(Program::Prlhf)?;
        let reward = world.uninterrupted(Program::Reward)?;
        world.whole = vec![prlhf, reward, bench];
        Ok(world)
    }

    fn uninterrupted(&self, program: Program) -> Result<(Traces, f64), Box<dyn Error>> {
        let name = program.name().replace(' ', "-");
        let (out, start) = (self.folder.join(name), Instant::now());
        let ended = self.start(program, &out, false, &Fault::None)?.ended()?;
        ended.validate(&Fault::None)?;
        let seconds = start.elapsed().as_secs_f64();
        eprintln!("     {seconds:.1} s  {}, left alone", program.name());
        Ok((Traces::read(&out)?, seconds))
    }

    /// A run that nothing happened to.
    pub fn whole(&self, program: Program) -> &Traces {
        &self.whole[program as usize].0
    }

    /// How long it took.
    pub fn seconds(&self, program: Program) -> f64 {
        self.whole[program as usize].1
    }

    /// Refuses a report whose pages are not those of its `report.json`, as they would be if they were of two reports.
    pub fn validate_report(&self, out: &Path) -> Result<(), Box<dyn Error>> {
        let again = tempfile::tempdir_in(&self.folder)?;
        let program = target().join("release/examples/report_again");
        let done = Command::new(program).arg(out).arg(again.path()).output()?;
        if !done.status.success() {
            return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
        }
        let mut names = vec![
            "report.json".into(),
            "report.md".into(),
            "report.html".into(),
        ];
        for entry in fs::read_dir(again.path().join("plots"))? {
            names.push(Path::new("plots").join(entry?.file_name()));
        }
        for name in names {
            let [found, expected] = [out, again.path()].map(|dir| fs::read(dir.join(&name)));
            if found? != expected? {
                return Err(format!("{} is of another report", name.display()).into());
            }
        }
        Ok(())
    }

    /// Leaves everything where it is.
    pub fn keep(&mut self) {
        if let Some(temporary) = self.temporary.take() {
            self.folder = temporary.keep();
        }
    }

    /// Starts a run in `out` that `fault` happens to.
    pub fn start(
        &self,
        program: Program,
        out: &Path,
        resume: bool,
        fault: &Fault,
    ) -> Result<Running, Box<dyn Error>> {
        let mut args: Vec<OsString> = program.args().iter().map(OsString::from).collect();
        let config = self.folder.join(format!("{}.toml", program.file()));
        let place: [OsString; 4] = ["--config".into(), config.into(), "--out".into(), out.into()];
        args.extend(place);
        if resume {
            args.push("--resume".into());
        }
        let limit = match fault {
            Fault::FullDisk(blocks) => format!("trap '' XFSZ; ulimit -f {blocks}; "),
            _ => String::new(),
        };
        let mut child = Command::new("sh")
            .args(["-c", &format!("{limit}exec \"$0\" \"$@\"")])
            .arg(target().join("release").join(program.file()))
            .args(args)
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let listener = thread::spawn(move || {
            let mut text = Vec::new();
            // What was said before a failure to read is good enough.
            let _ = stderr.map(|mut stderr| stderr.read_to_end(&mut text));
            String::from_utf8_lossy(&text).into_owned()
        });
        let fault = fault.clone();
        Ok(Running {
            child,
            listener,
            fault,
        })
    }
}

/// A program at work.
pub struct Running {
    child: Child,
    listener: thread::JoinHandle<String>,
    fault: Fault,
}

impl Running {
    /// Lets the fault happen, and waits for the end.
    pub fn ended(mut self) -> Result<Ended, Box<dyn Error>> {
        let start = Instant::now();
        let mut waiting = match &self.fault {
            Fault::Signal(name, after) => Some((*name, *after)),
            _ => None,
        };
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            if let Some((name, _)) = waiting.take_if(|(_, after)| start.elapsed() >= *after) {
                let id = self.child.id().to_string();
                Command::new("kill").args(["-s", name, &id]).status()?;
            }
            if start.elapsed() > LONGEST {
                self.child.kill()?;
            }
            thread::sleep(Duration::from_millis(2));
        };
        let error = self.listener.join().unwrap_or_default();
        let timed_out = start.elapsed() > LONGEST;
        Ok(Ended {
            code: status.code(),
            error,
            timed_out,
        })
    }
}

/// How a program ended.
pub struct Ended {
    /// Its exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// What it said.
    pub error: String,
    timed_out: bool,
}

impl Ended {
    /// Refuses an end that the fault does not explain.
    pub fn validate(&self, fault: &Fault) -> Result<(), String> {
        let expected: &[Option<i32>] = match fault {
            Fault::None => &[Some(0)],
            Fault::FullDisk(_) => &[Some(0), Some(1)],
            // A signal that comes before there is anything to save ends a program as it ends others.
            Fault::Signal(..) => &[Some(0), Some(130), None],
        };
        let said = self.error.contains("error: ") || self.code != Some(1);
        let well = expected.contains(&self.code) && said && !self.timed_out;
        match well && !self.error.contains("panicked") {
            true => Ok(()),
            false => Err(format!("exit code {:?}\n{}", self.code, self.error)),
        }
    }
}

/// Where cargo builds.
fn target() -> PathBuf {
    let set = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    set.map_or_else(|| root().join("target"), |target| root().join(target))
}

/// 40 comparisons: two users who choose oppositely of the same answers, and one whose pairs share one answer with theirs.
fn comparisons() -> String {
    let mut text = String::new();
    for number in 0..16 {
        let prompt = format!("Question {number}: is it so? Answer: ");
        let yes = format!("Yes, {number} is.");
        let no = format!("No, and there is a lot more to be said about {number}.");
        let perhaps = "Perhaps.".to_owned();
        let mut row = |user: &str, chosen: &str, rejected: &str| {
            let row = serde_json::json!({
                "prompt": prompt, "chosen": chosen, "rejected": rejected, "user": user,
            });
            // invariant: text takes every line
            let _ = writeln!(text, "{row}");
        };
        row("ann", &yes, &no);
        row("ben", &no, &yes);
        if number % 2 == 0 {
            row("cat", &perhaps, &yes);
        }
    }
    text
}

/// 24 steps, with more to save than to compute.
const PRLHF: &str = r#"
validation_share = 0.2
[prompt]
template = "raw"
max_response_length = 32
[users]
user_tokens = 2
[lora]
rank = 2
[training]
epochs = 3
batch = 4
micro_rows = 2
learning_rate = 1e-3
users_learning_rate = 1e-2
warmup_steps = 2
eval_every = 3
save_every = 2
"#;

/// A tiny model, fine-tuned, and a system of every kind.
const BENCH: &str = r#"
expected_minutes = 0.1
[data]
paths = ["datasets/mini/tldr.jsonl"]
workers = 10
policies = "sft"
population_seed = 3456
split = [0.7, 0.08, 0.22]
split_seeds = [0]
test_limit = 200
[tiny]
vocab_size = 400
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
max_position_embeddings = 256
sft = { steps = 8, batch = 4, learning_rate = 3e-3, warmup_steps = 2 }
[sft]
steps = 4
batch = 4
[prompt]
template = "raw"
max_prompt_length = 48
max_response_length = 24
[lora]
rank = 2
[training]
max_steps = 8
batch = 4
micro_rows = 2
warmup_steps = 2
eval_every = 3
eval_limit = 12
save_every = 2
[[systems]]
name = "sft"
[[systems]]
name = "vanilla-dpo"
[[systems]]
name = "pdpo-individual"
users = { kind = "individual", user_tokens = 2 }
[[systems]]
name = "lora-per-worker"
adapter_per_user = true
training = { max_steps = 2, eval_every = 0, save_every = 0 }
[[systems]]
name = "prm-individual"
mode = "reward"
users = { kind = "individual", user_tokens = 2 }
[sampling]
max_new_tokens = 8
[evaluation]
prompts = 2
batch = 8
quality_comparisons = 8
best_of = { from = ["sft", "pdpo-individual"], counts = [1, 2] }
"#;
