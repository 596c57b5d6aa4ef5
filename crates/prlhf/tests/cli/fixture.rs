//! A tiny model, a little data, and one finished run, made once for all tests; runs of the program.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use trainer::burn::tensor::Device;
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::write_safetensors;

/// What tests share; they change copies only.
pub struct Fixture {
    folder: TempDir,
    /// A Hugging Face directory.
    pub model: PathBuf,
    /// 16 comparisons of two users, one with a prompt beyond the context.
    pub data: PathBuf,
    /// Four steps on them.
    pub config: PathBuf,
    /// The finished run.
    pub run: PathBuf,
    next: AtomicUsize,
}

/// A path inside the fixture's folder.
pub struct Place(PathBuf);

impl Place {
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

/// What a call of the program gave.
pub struct Called {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Called {
    /// The output of a success.
    #[track_caller]
    pub fn ok(&self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout.clone()
    }

    /// The one line of a failure.
    #[track_caller]
    pub fn error(&self) -> String {
        assert_eq!(self.code, 1, "{}{}", self.stdout, self.stderr);
        let at = self
            .stderr
            .find("error: ")
            .expect("a line that says `error:`");
        let line = self.stderr[at..].to_string();
        assert_eq!(line.lines().count(), 1, "{line}");
        line
    }
}

pub fn prlhf(args: &[&str]) -> Called {
    prlhf_with(args, "")
}

pub fn prlhf_with(args: &[&str], input: &str) -> Called {
    let mut child = started(args);
    // A program that ends early closes the pipe; that is its right.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    ended(child)
}

/// A call under way.
pub fn started(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_prlhf"))
        .args(args)
        .env_remove("RUST_LOG")
        // A hub id must fail at once, with or without a network.
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for its end.
pub fn ended(child: Child) -> Called {
    let output = child.wait_with_output().unwrap();
    Called {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(Fixture::new)
}

const SHORT: &str = "yes.";
const LONG: &str = "yes, and there is a lot more to be said about it.";

/// Eight comparisons per user in JSON Lines; `short` prefers short answers, everyone else long ones.
pub fn comparisons(users: &[&str]) -> String {
    let mut text = String::new();
    for user in users {
        for number in 0..8 {
            let (chosen, rejected) = if *user == "short" {
                (SHORT, LONG)
            } else {
                (LONG, SHORT)
            };
            let row = serde_json::json!({
                "prompt": format!("Question {number}: is it so? Answer: "),
                "chosen": chosen,
                "rejected": rejected,
                "user": user,
            });
            writeln!(text, "{row}").unwrap();
        }
    }
    text
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (model, data, config, run) = (
            path("model"),
            path("data.jsonl"),
            path("run.toml"),
            path("run"),
        );
        make_model(&model, 128);
        let long = "very ".repeat(200);
        let text =
            comparisons(&["long", "short"]).replacen("is it so", &format!("is it {long}so"), 1);
        fs::write(&data, text).unwrap();
        fs::write(&config, toml(&model, &data)).unwrap();
        let args = [
            "train",
            "--config",
            config.to_str().unwrap(),
            "--out",
            run.to_str().unwrap(),
        ];
        let done = prlhf(&args);
        done.ok();
        let next = AtomicUsize::new(0);
        Self {
            folder,
            model,
            data,
            config,
            run,
            next,
        }
    }

    /// A path where nothing is yet.
    pub fn fresh(&self, name: &str) -> Place {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Place(self.folder.path().join(format!("{number}-{name}")))
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.fresh(name).0;
        fs::write(&path, text).unwrap();
        path
    }

    pub fn copy_of_run(&self) -> Place {
        let copy = self.fresh("run");
        copy_dir(&self.run, copy.path());
        copy
    }

    /// The configuration with something else in the place of `old`.
    pub fn config_with(&self, old: &str, new: &str) -> PathBuf {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(old));
        self.file("run.toml", &text.replacen(old, new, 1))
    }
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_dir(&path, &target),
            false => drop(fs::copy(&path, &target).unwrap()),
        }
    }
}

fn toml(model: &Path, data: &Path) -> String {
    format!(
        "[model]\nsource = {model:?}\n[data]\ntrain = [{data:?}]\nvalidation_share = 0.25\n\
         [prompt]\nmax_response_length = 32\n[users]\nuser_tokens = 2\n[training]\nbatch = 4\n\
         micro_rows = 8\nlearning_rate = 1e-3\nusers_learning_rate = 1e-2\nwarmup_steps = 1\n\
         [lora]\nrank = 4\n[sft]\nsteps = 2\nbatch = 4\n[sampling]\nmax_new_tokens = 8\n"
    )
}

/// A tiny random model with a context of so many tokens.
pub fn make_model(dir: &Path, max_positions: usize) {
    fs::create_dir(dir).unwrap();
    let texts = [SHORT, LONG, "Question: is it very so? Answer: "];
    let tokenizer = Tokenizer::train_bpe(texts.into_iter().cycle().take(12), 300, &["<s>", "</s>"])
        .and_then(|t| t.with_bos("<s>")?.with_eos("</s>")?.with_bos_in_front())
        .unwrap();
    tokenizer.save(dir).unwrap();
    let config = ModelConfig::from_scratch(
        Sizes {
            vocab_size: tokenizer.vocab_size(),
            hidden_size: 32,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: 2,
            head_dim: 8,
            max_positions,
            ties_embeddings: true,
            bos_token_id: tokenizer.bos(),
            eos_token_ids: tokenizer.eos().into_iter().collect(),
        },
        64,
    );
    let model = Model::random(&config, 0, &Device::flex()).unwrap();
    write_safetensors(dir.join("model.safetensors"), model.export()).unwrap();
    fs::write(dir.join("config.json"), config.to_hf_json().to_string()).unwrap();
}
