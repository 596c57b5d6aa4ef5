//! `prlhf inspect`: what a path holds.

use std::path::{Path, PathBuf};

use clap::Args;
use terminal::{Output, grouped, hub};
use trainer::TrainError;
use trainer::config::{Config, read_toml};
use trainer::inference::Trained;
use trainer::llm_backbone::Outline;
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::{self, WeightSource};
use trainer::pref_data::{Audit, DataError, ReadOptions, is_data_file, read_comparisons};

use crate::inspect_run;
use crate::judge::without_secrets;

/// Arguments of `prlhf inspect`.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// A model (folder, GGUF file or hub id), adapters, a checkpoint, a run, a configuration, or comparisons.
    #[arg(value_name = "PATH")]
    pub path: String,
}

/// Says what the path is and describes it.
///
/// # Errors
/// A path that does not exist, or files that are broken.
pub fn run(args: &InspectArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let path = PathBuf::from(&args.path);
    let has = |name: &str| path.join(name).exists();
    let ends = |endings: &[&str]| {
        let extension = path.extension().and_then(|e| e.to_str());
        extension.is_some_and(|e| endings.contains(&e))
    };
    match () {
        () if !path.exists() => model(&hub::locate(&args.path)?, out),
        () if path.is_file() && ends(&["toml"]) => config(&path, out),
        () if path.is_file() && is_data_file(&path) => comparisons(&path, out),
        () if path.is_file() => model(&path, out),
        () if Trained::is_adapters(&path) => inspect_run::adapters(&path, out),
        () if has("state.json") => inspect_run::checkpoint(&path, out),
        () if has("metrics.jsonl") || has("adapters") || has("checkpoint") => {
            inspect_run::run(&path, out)
        }
        () if has("config.json") || has("tokenizer.json") => model(&path, out),
        () => match weights::open(&path) {
            Ok(_) => model(&path, out),
            Err(broken) => match comparisons(&path, out) {
                Err(TrainError::Data(DataError::NoFiles { .. })) => Err(broken.into()),
                done => done,
            },
        },
    }
}

fn model(path: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let (config, source) = weights::open(path)?;
    out.fact("model", path.display())?;
    out.fact("parameters", grouped(parameters(source.as_ref())?))?;
    out.fact("stored as", storage(source.as_ref())?)?;
    out.fact("context", config.max_positions())?;
    Outline::of(&config)?.require_in(source.as_ref())?;
    match Tokenizer::open(path) {
        Ok(tokenizer) => {
            describe_tokenizer(&tokenizer, out)?;
            tokenizer.fits(&config)?;
        }
        Err(error) => out.fact("tokenizer", format_args!("none: {error}"))?,
    }
    out.json(format_args!("{:#}", config.to_hf_json()))
}

fn parameters(source: &dyn WeightSource) -> Result<usize, TrainError> {
    let mut count = 0;
    for name in source.names() {
        count += source.shape(&name)?.iter().product::<usize>();
    }
    Ok(count)
}

/// The kinds of tensors, most frequent first.
fn storage(source: &dyn WeightSource) -> Result<String, TrainError> {
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    for name in source.names() {
        *kinds.entry(source.storage(&name)?).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{kind} ({count} tensors)"))
        .collect();
    Ok(shown.join(", "))
}

fn describe_tokenizer(tokenizer: &Tokenizer, out: &mut Output<'_>) -> Result<(), TrainError> {
    let token = |id: Option<u32>| {
        let text = id.and_then(|id| tokenizer.id_to_token(id));
        text.map_or("none".into(), |t| format!("`{t}`"))
    };
    let stops = tokenizer.stop_ids().into_iter().map(|id| token(Some(id)));
    out.fact(
        "tokenizer",
        format_args!(
            "{} tokens, bos {} ({}added to text), ends at {}, {} chat template",
            grouped(tokenizer.vocab_size()),
            token(tokenizer.bos()),
            if tokenizer.adds_bos() { "" } else { "not " },
            stops.collect::<Vec<_>>().join(" "),
            if tokenizer.chat_template().is_some() {
                "with"
            } else {
                "no"
            },
        ),
    )
}

fn comparisons(path: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let paths = hub::locate_data(&[path.to_path_buf()])?;
    let (comparisons, skipped) = read_comparisons(&paths, ReadOptions { lenient: true })?;
    out.fact("data", path.display())?;
    out.line(Audit::of(&comparisons, &skipped))
}

fn config(path: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let mut config: Config = read_toml(path)?;
    without_secrets(&mut config);
    let text = toml::to_string_pretty(&config).map_err(|e| TrainError::format(path, e))?;
    out.line(format_args!("# {}, defaults included", path.display()))?;
    out.text(&printable::json(&text))
}
