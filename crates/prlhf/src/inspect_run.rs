//! What training left: adapters, checkpoints, run folders.

use std::fs;
use std::path::Path;

use terminal::{Output, grouped};
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::checkpoint::State;
use trainer::config::Head;
use trainer::head::RewardHead;
use trainer::inference::Trained;
use trainer::llm_backbone::LoraInit;
use trainer::llm_backbone::peft::{PeftConfig, open_tensors};
use trainer::metrics::Line;
use trainer::user_model::{self, MANIFEST_FILE, UserModel, UserTable};

use crate::train::best;

/// Describes a PEFT folder and the user model beside it.
///
/// # Errors
/// Broken files.
pub fn adapters(dir: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let peft = PeftConfig::read(dir)?;
    let tensors = open_tensors(dir)?;
    let mut weights = 0;
    for name in tensors.names() {
        weights += tensors.shape(&name)?.iter().product::<usize>();
    }
    out.fact("adapters", dir.display())?;
    let base = peft.base_model_name_or_path.unwrap_or("unknown".into());
    out.fact("base", base)?;
    let targets = serde_json::to_string(&peft.lora.targets);
    let targets = targets.map_err(|e| TrainError::format(dir, e))?;
    out.fact(
        "lora",
        format_args!(
            "rank {}, alpha {}{}{}{}, targets {targets}, {} weights",
            peft.lora.rank,
            peft.lora.alpha,
            if peft.lora.use_rslora { ", rsLoRA" } else { "" },
            if peft.lora.use_dora { ", DoRA" } else { "" },
            match peft.lora.init_lora_weights {
                LoraInit::Pissa => ", PiSSA",
                LoraInit::Kaiming => "",
            },
            grouped(weights)
        ),
    )?;
    let head = RewardHead::kind_in(dir)?;
    if let Some(head) = head {
        let what = match head {
            Head::Scalar => {
                "a reward model with a head that all users share: it ranks texts and writes none"
            }
            Head::User => {
                "a reward model whose heads are the users' vectors: it ranks texts and writes none"
            }
        };
        out.fact("head", what)?;
    }
    match dir.join(MANIFEST_FILE).is_file() {
        true => users(dir, user_model::load(dir, &Device::flex())?, out),
        false => out.fact("users", "no user model: the same for everybody"),
    }
}

fn users(
    dir: &Path,
    (model, table): (UserModel, UserTable),
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let config = model.config();
    let kind = serde_json::to_string(&config.kind);
    let kind = kind.map_err(|e| TrainError::format(Path::new(MANIFEST_FILE), e))?;
    let what = match (RewardHead::kind_in(dir)?, config.kind.is_prefix()) {
        (Some(Head::User), _) => "vector that is the head",
        (_, true) => "keys and values at every layer",
        (_, false) => "soft tokens",
    };
    let fitted = table.fitted().count()?;
    let and_fitted = match fitted {
        0 => String::new(),
        fitted => format!(" and {fitted} fitted"),
    };
    out.fact(
        "users",
        format_args!(
            "{} known, {} rows trained{and_fitted}, kind {kind}, {} {what} (T_u), width {}",
            table.len() + fitted,
            table.touched(),
            config.user_tokens,
            config.width()
        ),
    )
}

/// Describes a checkpoint.
///
/// # Errors
/// A broken state file.
pub fn checkpoint(dir: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    let path = dir.join("state.json");
    let text = fs::read(&path).map_err(|e| TrainError::io(&path, e))?;
    let state: State = serde_json::from_slice(&text).map_err(|e| TrainError::format(&path, e))?;
    out.fact("checkpoint", dir.display())?;
    let ended = match state.finished {
        true => "training has ended",
        false => "training can go on with --resume",
    };
    out.fact("step", format_args!("{}, {ended}", state.step))?;
    out.fact("best", best(state.best.as_ref(), "not validated yet"))?;
    match dir.join(MANIFEST_FILE).is_file() {
        true => users(dir, user_model::load(dir, &Device::flex())?, out),
        false => Ok(()),
    }
}

/// Describes a run folder: what of it there is.
///
/// # Errors
/// Broken files.
pub fn run(dir: &Path, out: &mut Output<'_>) -> Result<(), TrainError> {
    out.fact("run", dir.display())?;
    let metrics = dir.join("metrics.jsonl");
    if let Some(line) = last_line(&metrics)? {
        let rewards = match (line.rewards_accuracies, line.rewards_margins) {
            (Some(accuracy), Some(margin)) => {
                format!(", accuracy {accuracy:.3}, margin {margin:.3}")
            }
            _ => String::new(),
        };
        out.fact(
            "last",
            format_args!(
                "{} at step {}: loss {:.4}{rewards}",
                line.split, line.step, line.loss
            ),
        )?;
    }
    if dir.join("checkpoint/state.json").is_file() {
        checkpoint(&dir.join("checkpoint"), out)?;
    }
    if Trained::is_adapters(&dir.join("adapters")) {
        adapters(&dir.join("adapters"), out)?;
    }
    Ok(())
}

fn last_line(path: &Path) -> Result<Option<Line>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(path).map_err(|e| TrainError::io(path, e))?;
    let Some((at, line)) = text.lines().enumerate().last() else {
        return Ok(None);
    };
    let line = serde_json::from_str(line)
        .map_err(|e| TrainError::format(path, format!("line {}: {e}", at + 1)))?;
    Ok(Some(line))
}
