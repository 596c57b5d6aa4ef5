//! `adapter_config.json`: every key is honoured, or refused by name.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::lora::{
    Layers, LoraConfig, LoraError, LoraInit, Matcher, Pattern, RANKS, Rules, Targets,
};

/// The file's name.
pub(super) const FILE: &str = "adapter_config.json";

/// What `adapter_config.json` says of adapters.
#[derive(Clone, Debug)]
pub struct PeftConfig {
    /// The model that the adapters belong to: a path or a hub id.
    pub base_model_name_or_path: Option<String>,
    /// What adapters of modules are like that no pattern names.
    pub lora: LoraConfig,
    /// The rank of modules whose name's last parts match.
    pub(super) rank_pattern: Vec<(String, usize)>,
    /// The alpha of modules whose name's last parts match.
    pub(super) alpha_pattern: Vec<(String, f64)>,
    exclude: Option<Targets>,
    layers: Vec<u64>,
    layer_lists: Vec<String>,
    /// Modules that are in the file as a whole.
    pub(super) saved: Vec<String>,
    /// Whether a saved embedding stays the head of a model that ties the two.
    pub(super) keeps_ties: bool,
    /// Rows of embeddings that are in the file, by module; an empty name is the input embedding.
    pub(super) token_rows: Vec<(String, Vec<usize>)>,
}

/// Keys that say nothing of the model's output. Those of an initialisation act through `init_lora_weights` alone.
const WITHOUT_EFFECT: [&str; 15] = [
    "auto_mapping",
    "revision",
    "inference_mode",
    "peft_version",
    "runtime_config",
    "megatron_core",
    "qalora_group_size",
    "loftq_config",
    "eva_config",
    "corda_config",
    "lora_ga_config",
    // Linear layers store their weights in one way; `peft` ignores the key for them too.
    "fan_in_fan_out",
    // Of the first versions of `peft`.
    "enable_lora",
    "merge_weights",
    "base_model_class",
];

/// Initialisations that change nothing but where the factors begin.
const PLAIN_STARTS: [&str; 4] = ["gaussian", "eva", "orthogonal", "mica"];

/// Methods of `peft` that put learnt vectors before or into the sequence, which no weights can take in.
const PROMPTS: [&str; 6] = [
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "P_TUNING",
    "PREFIX_TUNING",
    "ADAPTION_PROMPT",
    "CPT",
];

/// What helps with adapters that are not read.
pub(super) const MERGE: &str = "merge them in Python (`peft`: `merge_and_unload`, then `save_pretrained`) and use the merged model";

impl PeftConfig {
    /// Reads the file in the folder of the adapters.
    ///
    /// # Errors
    /// A missing or broken file, or a key whose value is not supported, by name.
    pub fn read(dir: &Path) -> Result<Self, LoraError> {
        let path = dir.join(FILE);
        let text = fs::read(&path).map_err(|source| super::io(&path, source))?;
        let map: Map<String, Value> =
            serde_json::from_slice(&text).map_err(|error| super::format(&path, &error))?;
        Self::of(&map, &path)
    }

    /// Rank, alpha and targets, and nothing else.
    pub(super) fn plain(lora: LoraConfig) -> Self {
        Self {
            base_model_name_or_path: None,
            lora,
            rank_pattern: Vec::new(),
            alpha_pattern: Vec::new(),
            exclude: None,
            layers: Vec::new(),
            layer_lists: Vec::new(),
            saved: Vec::new(),
            keeps_ties: false,
            token_rows: Vec::new(),
        }
    }

    fn of(map: &Map<String, Value>, path: &Path) -> Result<Self, LoraError> {
        // `peft`'s own values where the file is silent.
        let mut config = Self::plain(LoraConfig {
            alpha: 8.0,
            targets: Targets::Names(vec!["q_proj".into(), "v_proj".into()]),
            ..LoraConfig::default()
        });
        for (key, value) in map {
            let entry = Entry { key, value, path };
            config.take(&entry)?;
        }
        let text_targets = !matches!(config.lora.targets, Targets::Names(_));
        for (key, used) in [
            ("layers_to_transform", !config.layers.is_empty()),
            ("layers_pattern", !config.layer_lists.is_empty()),
        ] {
            if used && (text_targets || config.layers.is_empty()) {
                let value = map.get(key).unwrap_or(&Value::Null);
                let why = "it goes with `layers_to_transform` and a list of `target_modules` only";
                return Err(Entry { key, value, path }.refused(why));
            }
        }
        Ok(config)
    }

    fn take(&mut self, entry: &Entry<'_>) -> Result<(), LoraError> {
        let value = entry.value;
        match entry.key {
            "peft_type" if PROMPTS.iter().any(|kind| value == kind) => {
                return Err(entry.refused(
                    "LORA adapters are read; learnt prompts are not, and cannot be merged into a model either: use them in Python, or train a LoRA",
                ));
            }
            "peft_type" if value != "LORA" => {
                return Err(entry.refused(&format!("LORA adapters are read; {MERGE}")));
            }
            "task_type" if !value.is_null() && value != "CAUSAL_LM" => {
                return Err(entry.refused("adapters of language models are read (CAUSAL_LM)"));
            }
            "peft_type" | "task_type" => {}
            "base_model_name_or_path" => {
                self.base_model_name_or_path = value.as_str().map(str::to_owned);
            }
            "r" => self.lora.rank = entry.rank(value)?,
            "lora_alpha" => self.lora.alpha = entry.number(value)?,
            "lora_dropout" => self.lora.dropout = entry.number(value)?,
            "target_modules" if value.is_null() => {}
            "target_modules" => self.lora.targets = entry.targets()?,
            "exclude_modules" if entry.is_empty() => {}
            "exclude_modules" => {
                self.exclude = Some(match value.as_str() {
                    Some(pattern) => Targets::Pattern(pattern.into()),
                    None => entry.targets()?,
                });
            }
            "use_rslora" => self.lora.use_rslora = entry.flag()?,
            "use_dora" => self.lora.use_dora = entry.flag()?,
            "ensure_weight_tying" => self.keeps_ties = entry.flag()?,
            "rank_pattern" => {
                self.rank_pattern = entry.pattern(|value| entry.rank(value))?;
            }
            "alpha_pattern" => {
                self.alpha_pattern = entry.pattern(|value| entry.number(value))?;
            }
            "layers_to_transform" => self.layers = entry.numbers(value)?,
            "layers_pattern" => self.layer_lists = entry.texts()?,
            "modules_to_save" => self.saved = entry.texts()?,
            "trainable_token_indices" => self.token_rows = entry.token_rows()?,
            "bias"
                if ["none", "all", "lora_only"]
                    .iter()
                    .any(|kind| value == kind) => {}
            "init_lora_weights" => self.lora.init_lora_weights = entry.start()?,
            key if WITHOUT_EFFECT.contains(&key) => {}
            _ if entry.is_empty() => {}
            key => return Err(entry.refused(&format!("{}; {MERGE}", reason(key)))),
        }
        Ok(())
    }

    /// What it says of every module.
    pub(super) fn rules(&self) -> Result<Rules, LoraError> {
        let mut rules = self.lora.rules()?;
        rules.exclude = self.exclude.as_ref().map(Matcher::new).transpose()?;
        if !self.layers.is_empty() {
            rules.layers = Some(Layers::new(self.layers.clone(), &self.layer_lists)?);
        }
        for name in &self.saved {
            rules.saved.push(Rules::saved_pattern(name)?);
        }
        for (key, rank) in &self.rank_pattern {
            rules.ranks.push(Pattern::new(key, *rank)?);
        }
        for (key, alpha) in &self.alpha_pattern {
            rules.alphas.push(Pattern::new(key, *alpha)?);
        }
        Ok(rules)
    }

    /// What it says of the arithmetic beside the tensors, which tell modules and ranks: the same text for adapters that act alike.
    pub fn beside_tensors(&self) -> String {
        let lora = &self.lora;
        json!({
            "lora_alpha": lora.alpha,
            "alpha_pattern": pairs(&self.alpha_pattern),
            "use_rslora": lora.use_rslora,
            "use_dora": lora.use_dora,
            "init_lora_weights": lora.init_lora_weights,
            "modules_to_save": self.saved,
            "ensure_weight_tying": self.keeps_ties,
            "trainable_token_indices": self.token_rows,
        })
        .to_string()
    }

    /// Whether the file has a module as a whole.
    pub(super) fn saves(&self, module: &str) -> bool {
        self.saved.iter().any(|name| module.ends_with(name))
    }

    /// The file's content for plain adapters, and what patterns name.
    pub(super) fn to_json(&self) -> Value {
        let ranks: Map<_, _> = pairs(&self.rank_pattern);
        let alphas: Map<_, _> = pairs(&self.alpha_pattern);
        json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": self.base_model_name_or_path,
            "r": self.lora.rank,
            "lora_alpha": self.lora.alpha,
            "lora_dropout": self.lora.dropout,
            "target_modules": self.lora.targets,
            "rank_pattern": ranks,
            "alpha_pattern": alphas,
            "bias": "none",
            "use_rslora": self.lora.use_rslora,
            "use_dora": self.lora.use_dora,
            "inference_mode": true,
        })
    }
}

fn pairs<T: Copy + Into<Value>>(pattern: &[(String, T)]) -> Map<String, Value> {
    let pairs = pattern.iter();
    pairs
        .map(|(key, value)| (key.clone(), (*value).into()))
        .collect()
}

/// Why a key that asks for something is not read.
fn reason(key: &str) -> &'static str {
    match key {
        "use_qalora" => "adapters of pooled inputs (QA-LoRA) are not read",
        "lora_bias" => "a bias inside of the adapters is not read",
        "bias" => "`none`, `all` and `lora_only` are read",
        "layer_replication" => "the adapters belong to a model with other layers",
        "target_parameters" => "adapters of parameters that are no linear layers are not read",
        "alora_invocation_tokens" => "adapters that begin to act at a token (aLoRA) are not read",
        "megatron_config" => "adapters of Megatron's layers are not read",
        "kasa_config" | "arrow_config" | "use_bdlora" | "monteclora_config" | "velora_config" => {
            "this variant of LoRA is not read"
        }
        _ => "this key is not known here, so that what it asks for would be ignored",
    }
}

/// A key with its value.
struct Entry<'a> {
    key: &'a str,
    value: &'a Value,
    path: &'a Path,
}

impl Entry<'_> {
    fn refused(&self, problem: &str) -> LoraError {
        LoraError::Key {
            file: self.path.display().to_string(),
            key: self.key.into(),
            found: self.value.to_string(),
            problem: problem.into(),
        }
    }

    /// Whether the value is what a key has that asks for nothing.
    fn is_empty(&self) -> bool {
        match self.value {
            Value::Null | Value::Bool(false) => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        }
    }

    fn flag(&self) -> Result<bool, LoraError> {
        match self.value {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(self.refused("expected true or false")),
        }
    }

    fn number(&self, value: &Value) -> Result<f64, LoraError> {
        let number = value.as_f64().filter(|number| number.is_finite());
        number.ok_or_else(|| self.refused("expected numbers"))
    }

    fn rank(&self, value: &Value) -> Result<usize, LoraError> {
        let rank = value.as_u64().and_then(|rank| usize::try_from(rank).ok());
        rank.filter(|rank| RANKS.contains(rank))
            .ok_or_else(|| self.refused("expected ranks of 1 to 65536"))
    }

    fn targets(&self) -> Result<Targets, LoraError> {
        serde_json::from_value(self.value.clone())
            .map_err(|_| self.refused("expected a text or a list of module names"))
    }

    /// One text, several, or none.
    fn texts(&self) -> Result<Vec<String>, LoraError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::String(text) if text.is_empty() => Ok(Vec::new()),
            Value::String(text) => Ok(vec![text.clone()]),
            list => serde_json::from_value(list.clone())
                .map_err(|_| self.refused("expected a list of texts")),
        }
    }

    /// One whole number, several, or none.
    fn numbers<T: TryFrom<u64>>(&self, value: &Value) -> Result<Vec<T>, LoraError> {
        let one = |value: &Value| T::try_from(value.as_u64()?).ok();
        let numbers = match value {
            Value::Null => Some(Vec::new()),
            Value::Array(list) => list.iter().map(one).collect(),
            number => one(number).map(|number| vec![number]),
        };
        numbers.ok_or_else(|| self.refused("expected whole numbers"))
    }

    /// Names with values, in the file's order.
    fn pattern<T>(
        &self,
        read: impl Fn(&Value) -> Result<T, LoraError>,
    ) -> Result<Vec<(String, T)>, LoraError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), read(value)?)))
                .collect(),
            _ => Err(self.refused("expected names with values")),
        }
    }

    fn token_rows(&self) -> Result<Vec<(String, Vec<usize>)>, LoraError> {
        match self.value {
            Value::Null => Ok(Vec::new()),
            Value::Object(_) => self.pattern(|value| self.numbers(value)),
            list => Ok(vec![(String::new(), self.numbers(list)?)]),
        }
    }

    /// Where the factors began: what is taken of a base's weights can be taken again where it follows from these.
    fn start(&self) -> Result<LoraInit, LoraError> {
        let Value::String(kind) = self.value else {
            return match self.value {
                Value::Null | Value::Bool(_) => Ok(LoraInit::Kaiming),
                _ => Err(self.refused("expected true, false or a text")),
            };
        };
        let is = |name: &&str| kind.eq_ignore_ascii_case(name);
        match PLAIN_STARTS.iter().any(is) {
            true => Ok(LoraInit::Kaiming),
            false if is(&"pissa") => Ok(LoraInit::Pissa),
            false => Err(self.refused(
                "with this start the adapters belong to a base whose weights were changed before training; save them with `path_initial_model_for_weight_conversion`, which makes plain LoRA of them",
            )),
        }
    }
}
