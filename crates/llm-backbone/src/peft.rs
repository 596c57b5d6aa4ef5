//! Adapters on disk: a PEFT directory (`adapter_config.json`, `adapter_model.safetensors`).

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::lora::{AllLinear, LoraConfig, LoraError, Targets};
use crate::model::Model;
use crate::weights::{SafetensorsFile, WeightError, WeightSource, replace_file, write_safetensors};

/// The fields of `adapter_config.json` that matter here; others are ignored when reading.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PeftConfig {
    /// Always `LORA`.
    pub peft_type: String,
    /// Always `CAUSAL_LM`.
    #[serde(default)]
    pub task_type: Option<String>,
    /// The model that the adapters belong to: a path or a hub id.
    #[serde(default)]
    pub base_model_name_or_path: Option<String>,
    /// The rank.
    pub r: usize,
    /// The scale is `lora_alpha / r`.
    pub lora_alpha: f64,
    /// Dropout of the low-rank path in training.
    #[serde(default)]
    pub lora_dropout: f64,
    /// Module names or the keyword `all-linear`.
    pub target_modules: Targets,
    /// Only `none` is supported.
    #[serde(default = "no_bias")]
    pub bias: String,
    /// Rank-stabilised scaling is not supported.
    #[serde(default)]
    pub use_rslora: bool,
    /// Weight decomposition is not supported.
    #[serde(default)]
    pub use_dora: bool,
    /// True for adapters at rest.
    #[serde(default)]
    pub inference_mode: bool,
}

fn no_bias() -> String {
    "none".into()
}

/// The file names inside the directory.
const CONFIG: &str = "adapter_config.json";
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
        let peft = PeftConfig {
            peft_type: "LORA".into(),
            task_type: Some("CAUSAL_LM".into()),
            base_model_name_or_path: Some(base.into()),
            r: config.rank,
            lora_alpha: config.alpha,
            lora_dropout: config.dropout,
            target_modules: config.targets.clone(),
            bias: no_bias(),
            use_rslora: false,
            use_dora: false,
            inference_mode: true,
        };
        let text =
            serde_json::to_string_pretty(&peft).map_err(|e| format(&dir.join(CONFIG), &e))?;
        let tensors = dir.join(TENSORS);
        write_safetensors(&tensors, self.adapter_tensors()).map_err(|e| format(&tensors, &e))?;
        let path = dir.join(CONFIG);
        replace_file(&path, |temporary| {
            fs::write(temporary, text).map_err(|source| WeightError::io(&path, source))
        })
        .map_err(|e| format(&path, &e))
    }

    /// Attaches the adapters of a PEFT directory, written by this crate or by `peft`.
    ///
    /// # Errors
    /// A missing or broken file, an unsupported kind of adapter, or tensors that do not fit, each by name.
    pub fn with_adapters(self, dir: &Path) -> Result<(Self, LoraConfig), LoraError> {
        let path = dir.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(|source| io(&path, source))?;
        let peft: PeftConfig = serde_json::from_str(&text).map_err(|e| format(&path, &e))?;
        if peft.peft_type != "LORA" || peft.bias != "none" || peft.use_rslora || peft.use_dora {
            let found =
                "only plain LoRA without biases, DoRA or rank-stabilised scaling is supported";
            return Err(format(&path, &found));
        }
        let config = LoraConfig {
            rank: peft.r,
            alpha: peft.lora_alpha,
            dropout: peft.lora_dropout,
            targets: peft.target_modules,
        };
        let path = dir.join(TENSORS);
        let file = SafetensorsFile::open(&path).map_err(|e| format(&path, &e))?;
        let mut tensors = Vec::new();
        for name in file.names() {
            let shape = file.shape(&name).map_err(|e| format(&path, &e))?;
            let values = file.read(&name).map_err(|e| format(&path, &e))?;
            tensors.push((name, shape, values));
        }
        let model = self.with_adapter_tensors(&config, &path.display().to_string(), tensors)?;
        Ok((model, config))
    }
}

impl Targets {
    /// Every linear layer of every block.
    pub fn all_linear() -> Self {
        Self::Keyword(AllLinear::AllLinear)
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
