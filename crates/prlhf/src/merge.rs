//! `prlhf merge`: a model and its adapters become a model.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use terminal::{Output, bytes, hub};
use trainer::TrainError;
use trainer::config::Dtype;
use trainer::head::RewardHead;
use trainer::lineage::{Lineage, merged_folder};
use trainer::{device, merge};

use crate::trained::TrainedArgs;

/// Arguments of `prlhf merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Where the model goes; default: `merged` beside the folder of the adapters, which is where adapters trained on it
    /// look for it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The type of the weights: as training with adapters in memory has them, or half as large.
    #[arg(long, value_enum, default_value_t = Type::F32)]
    pub dtype: Type,
}

/// Types of weights in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Type {
    F32,
    Bf16,
    F16,
}

impl From<Type> for Dtype {
    fn from(kind: Type) -> Self {
        match kind {
            Type::F32 => Self::F32,
            Type::Bf16 => Self::Bf16,
            Type::F16 => Self::F16,
        }
    }
}

/// Merges and writes.
///
/// # Errors
/// Missing or broken files, adapters of another model, or a folder that holds something else.
pub fn run(args: &MergeArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let mut trained = args.trained.trained()?;
    RewardHead::validate_without(trained.dir())?;
    trained.config.model.dtype = Dtype::F32;
    let to = match &args.out {
        Some(to) => to.clone(),
        None => merged_folder(trained.dir()),
    };
    let from = hub::locate(&trained.base()?)?;
    let merged = trained.merged(&from, &device::parse(&args.trained.device)?)?;
    out.fact("model", &merged.source)?;
    let name = to.display().to_string();
    let there = Lineage::read(&to, &name)?;
    if there.as_ref().is_some_and(|there| merged.lineage.is(there)) {
        out.fact("merged", format_args!("{name}, which is there already"))?;
    } else if there.is_some() {
        let problem = "already holds a model that was merged of other weights, as of these adapters before they were trained anew: \
                       remove it, or choose another folder with --out";
        return Err(TrainError::format(&to, problem));
    } else {
        merge::write(&merged, &from, &to, args.dtype.into())?;
        let path = to.join("model.safetensors");
        let size = std::fs::metadata(&path).map_err(|e| TrainError::io(&path, e))?;
        let kind = format!("{:?}", args.dtype).to_uppercase();
        out.fact(
            "merged",
            format_args!("{name}, {kind}, {}", bytes(size.len())),
        )?;
    }
    if from.is_file() || !from.join("config.json").is_file() {
        let text = "the base is a GGUF file: its weights were taken out of their blocks";
        out.fact("note", text)?;
    }
    if trained.dir().join("tokenizer.json").is_file() {
        let dir = trained.dir().display();
        let text = format_args!("the tokenizer is the base's; {dir} has one too, for you to copy");
        out.fact("note", text)?;
    }
    out.fact(
        "next",
        format_args!("set model.source = \"{name}\", without model.adapters"),
    )
}
