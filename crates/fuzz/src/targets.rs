//! What is mangled, and who reads it.

use std::error::Error;
use std::path::Path;

use trainer::burn::tensor::Device;
use trainer::config::{Config, DataSection, Dtype, UsersSection, read_toml};
use trainer::dataset::Dataset;
use trainer::folder::Start;
use trainer::inference::Trained;
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::progress::Quiet;
use trainer::sides::Sides;
use trainer::source;
use trainer::tokenise::{Formatter, PromptConfig, Template};
use trainer::training::{Place, Training};
use trainer::user_model::{self, ExportedUser};

/// An answer of a reader; any error will do.
type Answer = Result<(), Box<dyn Error>>;

/// One kind of input.
pub struct Target {
    /// Its name.
    pub name: &'static str,
    /// The folder with its intact files, below that of all seeds.
    pub seeds: &'static str,
    /// The files of it that get faults, one at a time; the others are there, too.
    pub files: &'static [&'static str],
    /// How often it comes up, compared with the others.
    pub weight: u64,
    /// Reads a file; `folder` has all of the target.
    pub read: fn(folder: &Path, file: &Path) -> Answer,
}

/// Every format that somebody else's file may come in.
pub const TARGETS: [Target; 14] = [
    Target {
        name: "json",
        seeds: "data",
        weight: 6,
        read: comparisons,
        files: &[
            "general.jsonl",
            "chat.jsonl",
            "array.json",
            "tldr.json",
            "prism.jsonl",
            "arena.jsonl",
            "community.jsonl",
        ],
    },
    Target {
        name: "csv",
        seeds: "data",
        weight: 4,
        read: comparisons,
        files: &["general.csv", "general.tsv"],
    },
    Target {
        name: "parquet",
        seeds: "data",
        weight: 5,
        read: comparisons,
        files: &["plain.parquet", "nested.parquet"],
    },
    Target {
        name: "psoups",
        seeds: "psoups",
        weight: 1,
        read: folder_of_comparisons,
        files: &["rm_training/P1A.json"],
    },
    Target {
        name: "toml",
        seeds: "config",
        weight: 4,
        read: config,
        files: &["run.toml"],
    },
    Target {
        name: "template",
        seeds: "template",
        weight: 5,
        read: template,
        files: &["chatml.jinja", "llama.jinja", "loops.jinja", "macros.jinja"],
    },
    Target {
        name: "tokenizer",
        seeds: "tokenizers",
        weight: 6,
        read: tokenizer,
        files: &[
            "bpe.json",
            "unigram.json",
            "wordpiece.json",
            "wordlevel.json",
        ],
    },
    Target {
        name: "tokenizer files",
        seeds: "model",
        weight: 2,
        read: model,
        files: &[
            "tokenizer.json",
            "tokenizer_config.json",
            "generation_config.json",
            "special_tokens_map.json",
        ],
    },
    Target {
        name: "config.json",
        seeds: "model",
        weight: 4,
        read: model,
        files: &["config.json"],
    },
    Target {
        name: "safetensors",
        seeds: "model",
        weight: 3,
        read: model,
        files: &["model.safetensors"],
    },
    Target {
        name: "gguf",
        seeds: "gguf",
        weight: 6,
        read: gguf,
        files: &["llama.gguf", "qwen3.gguf", "phi3.gguf", "gemma3.gguf"],
    },
    Target {
        name: "adapters",
        seeds: "run",
        weight: 3,
        read: trained,
        files: &[
            "adapters/adapter_config.json",
            "adapters/adapter_model.safetensors",
            "config.toml",
        ],
    },
    Target {
        name: "user model",
        seeds: "run",
        weight: 4,
        read: users,
        files: &[
            "adapters/user_model.json",
            "adapters/user_model.safetensors",
            "user.json",
        ],
    },
    Target {
        name: "checkpoint",
        seeds: "run",
        weight: 2,
        read: resumed,
        files: &[
            "checkpoint/state.json",
            "checkpoint/adapters.safetensors",
            "checkpoint/optimizer.bpk",
            "checkpoint/user_model.json",
            "checkpoint/user_model.safetensors",
            "metrics.jsonl",
        ],
    },
];

/// The device of all models here.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// What a run of the tiny model is configured as, on the comparisons of `data`.
pub fn run_config(data: &Path) -> Config {
    let mut config = Config {
        users: Some(UsersSection {
            user_tokens: 2,
            ..UsersSection::default()
        }),
        ..Config::default()
    };
    config.data = section(data, false);
    config.training.batch = 2;
    config.training.max_steps = 2;
    config.prompt.max_prompt_length = 200;
    config.prompt.max_response_length = 32;
    config
}

fn section(path: &Path, lenient: bool) -> DataSection {
    DataSection {
        train: vec![path.to_path_buf()],
        lenient,
        validation_share: 0.0,
        ..DataSection::default()
    }
}

fn comparisons(_: &Path, file: &Path) -> Answer {
    let read = [false, true].map(|lenient| Sides::read(&section(file, lenient)).map(drop));
    read.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}

fn folder_of_comparisons(folder: &Path, _: &Path) -> Answer {
    comparisons(folder, folder)
}

fn config(_: &Path, file: &Path) -> Answer {
    let config: Config = read_toml(file)?;
    Ok(config.validate()?)
}

fn template(folder: &Path, file: &Path) -> Answer {
    let model = folder.join("model");
    std::fs::copy(file, model.join("chat_template.jinja"))?;
    let sides = Sides::read(&section(&folder.join("chat.jsonl"), false))?;
    for template in [Template::Raw, Template::Chat] {
        let prompt = PromptConfig {
            template,
            ..PromptConfig::default()
        };
        let formatter = Formatter::new(Tokenizer::open(&model)?, prompt, 0)?;
        Dataset::new(&sides.train, &formatter)?;
    }
    Ok(())
}

fn tokenizer(folder: &Path, file: &Path) -> Answer {
    std::fs::copy(file, folder.join("tokenizer.json"))?;
    let tokenizer = Tokenizer::open(folder)?;
    for text in [
        "",
        " Hello, world!\n\t1234 ",
        "日本語 👩‍👩‍👧 é\u{0}",
        "<s>▁a</s>",
    ] {
        for special in [false, true] {
            let ids = tokenizer.encode(text, special)?;
            tokenizer.decode(&ids, special)?;
        }
    }
    tokenizer.decode(&[0, 1, u32::MAX], false)?;
    Ok(())
}

fn model(folder: &Path, _: &Path) -> Answer {
    used(folder, &folder.join("../data/chat.jsonl"))
}

/// The small vocabularies of these files need not know the letters of the comparisons.
fn gguf(folder: &Path, file: &Path) -> Answer {
    source::open(file, Dtype::Stored, &device())?;
    let _ = used(file, &folder.join("../data/general.jsonl"));
    Ok(())
}

/// Opens a model, tokenises comparisons, and takes a step.
fn used(model: &Path, data: &Path) -> Answer {
    let base = source::open(model, Dtype::F32, &device())?;
    let config = Config {
        users: None,
        ..run_config(data)
    };
    let mut sides = Sides::read(&config.data)?;
    let training = Training::new(&config, base, &mut sides, None)?;
    let run = tempfile::tempdir()?;
    training
        .preferences(Place::new(run.path()))?
        .run(&mut Quiet)?;
    Ok(())
}

fn trained(folder: &Path, _: &Path) -> Answer {
    Trained::run(folder)?.open(&folder.join("../model"), &device())?;
    Ok(())
}

fn users(folder: &Path, _: &Path) -> Answer {
    let (users, mut table) = user_model::load(&folder.join("adapters"), &device())?;
    let user = ExportedUser::read(&folder.join("user.json"))?;
    if table.contains(&user.id) {
        table.remove(&user.id)?;
    }
    table.import_user(user, &users)?;
    Ok(())
}

fn resumed(folder: &Path, _: &Path) -> Answer {
    let base = source::open(&folder.join("../model"), Dtype::F32, &device())?;
    let config = run_config(&folder.join("../data/general.jsonl"));
    let mut sides = Sides::read(&config.data)?;
    let training = Training::new(&config, base, &mut sides, None)?;
    let place = Place {
        start: Start::Resume,
        ..Place::new(folder)
    };
    training.preferences(place)?.run(&mut Quiet)?;
    Ok(())
}
