//! Adapters on disk: a PEFT directory (`adapter_config.json`, `adapter_model.safetensors` or `.bin`).

mod config;
mod tensors;
mod whole;

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

pub use config::PeftConfig;
pub use tensors::open_tensors;

use crate::lora::{Kind, LoraConfig, LoraError, LoraInit, Rules, Taken, Targets};
use crate::model::{HEAD, Model};
use crate::weights::write_safetensors;

/// The file of the tensors, as written here.
const TENSORS: &str = "adapter_model.safetensors";

impl Model {
    /// Writes the adapters as a PEFT directory that `peft` reads. `base` names the model they belong to.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub fn save_adapters(
        &self,
        dir: &Path,
        config: &LoraConfig,
        base: &str,
    ) -> Result<(), LoraError> {
        fs::create_dir_all(dir).map_err(|source| io(dir, source))?;
        let path = dir.join(config::FILE);
        let json = self.peft_config(config, base)?.to_json();
        let text = serde_json::to_string_pretty(&json).map_err(|e| format(&path, &e))?;
        let tensors = dir.join(TENSORS);
        write_safetensors(&tensors, self.adapter_tensors())?;
        whole_file::replace(&path, text).map_err(|source| io(&path, source))
    }

    /// What the adapters are like, where they differ from `lora` by name.
    fn peft_config(&self, lora: &LoraConfig, base: &str) -> Result<PeftConfig, LoraError> {
        let mut config = PeftConfig::plain(lora.as_written());
        config.base_model_name_or_path = Some(base.into());
        let rules = lora.rules()?;
        let mut adapted = Vec::new();
        // `peft` matches a pattern with containers of modules too, and fails at the first.
        let mut as_said = !matches!(lora.targets, Targets::Pattern(_));
        for part in self.parts() {
            let Some((kind, adapter)) = part.adapter() else {
                continue;
            };
            let module = part.name();
            as_said &= rules.targets.matches(module, kind)? == adapter.is_some();
            let Some(adapter) = adapter else { continue };
            adapted.push(module.to_owned());
            let (rank, scale) = adapter.rank_and_scale();
            let alpha = config.lora.alpha_of(rank, scale);
            if rank != config.lora.rank {
                config.rank_pattern.push((module.into(), rank));
            }
            if (alpha - config.lora.alpha).abs() > 1e-9 * config.lora.alpha.abs() {
                config.alpha_pattern.push((module.into(), alpha));
            }
        }
        if !as_said {
            config.lora.targets = Targets::Names(adapted);
        }
        Ok(config)
    }

    /// Attaches the adapters of a PEFT directory, written by this crate or by `peft`, with the logits that `peft` gives.
    /// Weights that the directory has as a whole (`modules_to_save`, saved embeddings, biases, rows of tokens) replace
    /// those of the model.
    ///
    /// # Errors
    /// A missing or broken file, a kind of adapter that is not supported, by its key, or tensors that do not fit, each by
    /// name.
    pub fn with_adapters(mut self, dir: &Path) -> Result<(Self, LoraConfig), LoraError> {
        let config = PeftConfig::read(dir)?;
        let origin = tensors::file_in(dir)?.display().to_string();
        let tensors = tensors::read(dir)?;
        let factors = self.with_whole_weights(&config, &origin, tensors)?;
        let rules = config.rules()?;
        self.validate_ties(&config, &rules, dir)?;
        let model = self.with_factors(&rules, &origin, factors, Taken::InWeight)?;
        Ok((model, config.lora))
    }

    /// Refuses what acts on the embedding and on the head that is its matrix at once.
    fn validate_ties(
        &self,
        config: &PeftConfig,
        rules: &Rules,
        dir: &Path,
    ) -> Result<(), LoraError> {
        let embedding = &self.decoder().embedding().name;
        let refused = |key: &str, found: &str, problem: &str| {
            Err(LoraError::Key {
                file: dir.join(config::FILE).display().to_string(),
                key: key.into(),
                found: found.into(),
                problem: problem.into(),
            })
        };
        if !self.is_tied() {
            return Ok(());
        }
        if config.keeps_ties && rules.shape(embedding, Kind::Embedding)?.is_some() {
            let problem = format!(
                "this model ties its head to {embedding}, and adapters that the two share are not read; {}",
                config::MERGE
            );
            return refused("ensure_weight_tying", "true", &problem);
        }
        let takes = config.lora.init_lora_weights == LoraInit::Pissa;
        if takes && rules.shape(HEAD, Kind::Head)?.is_some() {
            let problem = format!(
                "this model ties its head to {embedding}, of which `peft` takes the head's start too; adapters of {HEAD} that began so are not read: train them with another start, or without {HEAD}"
            );
            return refused("init_lora_weights", "\"pissa\"", &problem);
        }
        Ok(())
    }
}

fn io(path: &Path, source: std::io::Error) -> LoraError {
    let file = path.display().to_string();
    LoraError::Io { file, source }
}

fn format(path: &Path, problem: &dyn std::fmt::Display) -> LoraError {
    LoraError::Format {
        file: path.display().to_string(),
        problem: problem.to_string(),
    }
}
