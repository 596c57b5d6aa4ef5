//! Learning from what the policy writes itself: what is made in a step, what is learnt from it, and runs.

#[path = "../support/mod.rs"]
mod support;

mod compared;
mod made;
mod runs;

use std::fs;
use std::sync::Arc;

use pref_data::{Comparison, Prompt, UserId};
use tempfile::TempDir;
use trainer::TrainError;
use trainer::config::{Config, Dtype};
use trainer::progress::Progress;
use trainer::scorer::{Beside, Scorer};
use trainer::sides::Sides;
use trainer::source;
use trainer::training::Training;

use support::words::tokenizer_files;
use support::{device, model_fixture};

/// User `a` wants many words, `b` few, everybody else a middle number.
#[derive(Debug)]
struct Words;

impl Scorer for Words {
    fn rewards(
        &self,
        texts: &[Comparison],
        _: Beside<'_>,
        _: &dyn Progress,
    ) -> Result<Vec<f32>, TrainError> {
        let reward = |text: &Comparison| {
            let words = text.chosen.split_whitespace().count() as f32;
            match text.user.as_ref().map(UserId::as_str) {
                Some("a") => words,
                Some("b") => -words,
                _ => -(words - 4.0).abs(),
            }
        };
        Ok(texts.iter().map(reward).collect())
    }

    fn key(&self) -> Result<String, TrainError> {
        Ok("words".into())
    }

    fn knows(&self, user: &str) -> bool {
        ["a", "b"].contains(&user)
    }
}

/// A base model and prompts of users `a` and `b`, ready to be trained on.
struct World {
    folder: TempDir,
    training: Training,
    sides: Sides,
    config: Config,
}

impl World {
    /// With keys over those of all.
    fn new(keys: &str) -> Self {
        Self::checked(keys).expect("good settings")
    }

    fn checked(keys: &str) -> Result<Self, TrainError> {
        let mut all: toml::Table = toml::from_str(ALL).expect("good keys");
        let own: toml::Table = toml::from_str(keys).expect("good keys");
        for (section, keys) in own {
            let entry = all
                .entry(section)
                .or_insert_with(|| toml::Table::new().into());
            let entry = entry.as_table_mut().expect("a section");
            entry.extend(keys.as_table().expect("a section").clone());
        }
        Self::of(&all.try_into().expect("good keys"))
    }

    fn with(config: &Config) -> Self {
        Self::of(config).expect("good settings")
    }

    fn of(config: &Config) -> Result<Self, TrainError> {
        let folder = tempfile::tempdir().expect("a folder");
        let base = folder.path().join("base");
        fs::create_dir(&base).expect("a folder");
        for file in ["config.json", "model.safetensors"] {
            let from = model_fixture("llama_tied").join(file);
            fs::copy(from, base.join(file)).expect("a fixture");
        }
        let [tokenizer, settings] = tokenizer_files();
        fs::write(base.join("tokenizer.json"), tokenizer).expect("a file");
        fs::write(base.join("tokenizer_config.json"), settings).expect("a file");
        let mut sides = Sides {
            train: comparisons(3..11),
            validation: comparisons(40..44),
            ..Sides::default()
        };
        let base = source::open(&base, Dtype::F32, &device())?;
        let training = Training::new(config, base, &mut sides, None)?;
        Ok(Self {
            folder,
            training,
            sides,
            config: config.clone(),
        })
    }

    fn scorer() -> Arc<dyn Scorer> {
        Arc::new(Words)
    }
}

const ALL: &str = r#"
[prompt]
max_prompt_length = 30
max_response_length = 16

[lora]
rank = 4
alpha = 8.0

[users]
user_tokens = 2
init = { uniform = { range = 0.5 } }

[training]
batch = 3
micro_rows = 4
learning_rate = 1e-2
users_learning_rate = 5e-2
warmup_steps = 1
eval_every = 3
save_every = 0
"#;

/// Two prompts of each number, one of each user; the responses are of no interest.
fn comparisons(numbers: std::ops::Range<usize>) -> Vec<Comparison> {
    let of = |number: usize| {
        ["a", "b"].map(|user| {
            let line = format!(
                "{{\"prompt\": \"w{number} w3 w{} w5\", \"chosen\": \"w7 w8\", \"rejected\": \"w9\", \"user\": \"{user}\"}}\n",
                number + 2
            );
            line
        })
    };
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("data.jsonl");
    let text: String = numbers.flat_map(of).collect();
    fs::write(&path, text).expect("a file");
    let options = pref_data::DataOptions::default();
    let (found, _) = pref_data::read_comparisons(&[path], options).expect("comparisons");
    assert!(matches!(found[0].prompt, Prompt::Text(_)));
    found
}
