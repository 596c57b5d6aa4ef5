//! Keys that are set and change nothing beside the others: said, so that nobody waits for what they would have done.

mod online;

use llm_backbone::LoraConfig;
use llm_backbone::sampling::SamplingConfig;
use pdpo_loss::{Branches, ObjectiveConfig, PreferenceLoss};
use pref_data::Layout;
use serde::Serialize;
use user_model::UserModelKind;

use super::{
    Config, DataSection, Dtype, Head, ModelSection, TrainingSection, UsersSection, Widths,
};
use crate::tokenise::{PromptConfig, SpecialTokens, Template};

/// What is known of a run beside its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Users that are trained on.
    pub users: usize,
    /// Comparisons held out.
    pub validation: usize,
    /// Whether any prompt is a chat.
    pub chats: bool,
    /// The model's context in tokens.
    pub positions: usize,
    /// Whether adapters are those of the embedding alone.
    pub embedding_alone: bool,
    /// Whether some weights take fewer than 32 bits.
    pub packed: bool,
}

/// Sentences, one for each key.
struct Idle(Vec<String>);

impl Idle {
    /// Names a key that has another value than its default, and does nothing for that reason.
    fn add<V: PartialEq + Serialize>(&mut self, key: &str, values: (&V, &V), why: &str) {
        let (value, default) = values;
        if value != default {
            // JSON spells values nearly as TOML does.
            let value = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
            self.0
                .push(format!("`{key}` is {value}, which has no effect {why}"));
        }
    }
}

impl Config {
    /// Every key that has another value than its default and changes nothing, in a sentence. Sections that other commands read are
    /// left out.
    pub fn without_effect(&self, circumstances: &Circumstances) -> Vec<String> {
        let mut idle = Idle(Vec::new());
        model(&self.model, circumstances, &mut idle);
        data(&self.data, &mut idle);
        prompt(&self.prompt, circumstances, &mut idle);
        match &self.users {
            Some(users) => user_model(self, users, circumstances, &mut idle),
            None => without_users(self, &mut idle),
        }
        if matches!(self.objective.loss, PreferenceLoss::Sft(_)) {
            let why = "with objective.loss = \"sft\", which is of whole responses";
            idle.add("objective.ld_alpha", (&self.objective.ld_alpha, &1.0), why);
        }
        if circumstances.embedding_alone {
            of_embedding(&self.lora, &mut idle);
        }
        training(self, circumstances, &mut idle);
        sampling(&self.sampling, circumstances, &mut idle);
        idle.0
    }
}

impl Config {
    /// Every key of `[objective]` and `[reward]` that has another value than its default, and that a reward model, which has one loss,
    /// does not read.
    pub fn without_effect_on_rewards(&self) -> Vec<String> {
        let mut idle = Idle(Vec::new());
        let why = "with --mode reward, which reads alpha and branches alone of [objective]";
        idle_objective(&self.objective, why, &mut idle);
        if self.reward.head == Head::User {
            let rates = (&self.reward.learning_rate, &0.0);
            let why = "with reward.head = \"user\": the users' rates move their vectors";
            idle.add("reward.learning_rate", rates, why);
        }
        idle.0
    }
}

fn idle_objective(section: &ObjectiveConfig, why: &str, idle: &mut Idle) {
    let default = ObjectiveConfig::default();
    let losses = (&section.loss.name(), &default.loss.name());
    idle.add("objective.loss", losses, why);
    let weights = (&section.nll_weight, &default.nll_weight);
    idle.add("objective.nll_weight", weights, why);
    let tails = (&section.ld_alpha, &default.ld_alpha);
    idle.add("objective.ld_alpha", tails, why);
    idle.add("objective.wpo", (&section.wpo, &default.wpo), why);
}

fn model(section: &ModelSection, circumstances: &Circumstances, idle: &mut Idle) {
    if section.dtype != Dtype::Stored {
        return;
    }
    let why = match (&section.adapters, circumstances.packed) {
        (Some(_), _) => "on the matrices that model.adapters changes: they are f32",
        (None, false) => "on this model: its file has 32 bits for each weight",
        (None, true) => return,
    };
    idle.add("model.dtype", (&section.dtype, &Dtype::F32), why);
}

fn of_embedding(section: &LoraConfig, idle: &mut Idle) {
    let default = LoraConfig::default();
    let why = "with adapters of the embedding alone, whose inputs are single tokens";
    idle.add("lora.dropout", (&section.dropout, &default.dropout), why);
    let starts = (&section.init_lora_weights, &default.init_lora_weights);
    idle.add("lora.init_lora_weights", starts, why);
    if !section.use_dora {
        let ratios = (&section.loraplus_lr_ratio, &default.loraplus_lr_ratio);
        idle.add("lora.loraplus_lr_ratio", ratios, why);
    }
}

fn data(section: &DataSection, idle: &mut Idle) {
    let default = DataSection::default();
    if !section.validation.is_empty() {
        let shares = (&section.validation_share, &default.validation_share);
        idle.add("data.validation_share", shares, "beside data.validation");
    }
    if section
        .layout
        .is_some_and(|layout| layout != Layout::General)
    {
        let why = "with that data.layout: only the general one has columns by other names";
        idle.add("data.columns", (&section.columns, &default.columns), why);
    }
}

fn prompt(section: &PromptConfig, circumstances: &Circumstances, idle: &mut Idle) {
    let default = PromptConfig::default();
    match section.template {
        Template::Chat => {
            let specials = (&section.special_tokens, &SpecialTokens::default());
            let why = "with prompt.template = \"chat\": what users wrote is text there";
            idle.add("prompt.special_tokens", specials, why);
        }
        Template::Raw if !circumstances.chats => {
            let why = "with prompt.template = \"raw\" where no prompt is a chat";
            idle.add("prompt.system", (&section.system, &default.system), why);
        }
        Template::Raw => {}
    }
}

fn without_users(config: &Config, idle: &mut Idle) {
    let section = &config.training;
    let branches = (&config.objective.branches, &Branches::default());
    idle.add("objective.branches", branches, "without [users]");
    let rates = [
        ("training.users_learning_rate", section.users_learning_rate),
        (
            "training.user_rows_learning_rate",
            section.user_rows_learning_rate,
        ),
    ];
    for (key, rate) in rates {
        idle.add(key, (&rate, &0.0), "without [users]");
    }
}

fn user_model(
    config: &Config,
    section: &UsersSection,
    circumstances: &Circumstances,
    idle: &mut Idle,
) {
    let default = UsersSection::default();
    let users = circumstances.users;
    if config.objective.alpha == 0.0 {
        let why = "on users: their own term weighs nothing, so that nothing is learnt of them";
        idle.add("objective.alpha", (&0.0, &1.0), why);
    }
    if [0.0, 1.0].contains(&config.objective.alpha) {
        let branches = (&config.objective.branches, &Branches::default());
        let why = "with objective.alpha 0 or 1, where one branch counts";
        idle.add("objective.branches", branches, why);
    }
    if section.user_tokens == 0 {
        idle.add(
            "users.user_tokens",
            (&0, &1),
            "on anything: a user model without tokens adds nothing",
        );
    }
    let [clusters, generic, row_init] =
        ["clusters", "generic", "row_init"].map(|key| format!("users.{key}"));
    let kind = section.model_config(users, Widths::LEAST, 0).kind;
    let name = match kind {
        UserModelKind::Uniform => "uniform",
        UserModelKind::Individual { .. } => "individual",
        UserModelKind::Cluster { .. } => "cluster",
        UserModelKind::Prefix { .. } => "prefix",
    };
    let why = format!("with the kind {name} (users.kind, {users} users)");
    if !matches!(kind, UserModelKind::Cluster { .. }) {
        idle.add(&clusters, (&section.clusters, &default.clusters), &why);
    }
    match kind {
        UserModelKind::Individual { generic: false } => {
            let why = "without the shared e_0 (users.generic = false)";
            idle.add("users.init", (&section.init, &default.init), why);
        }
        UserModelKind::Individual { .. } => {}
        UserModelKind::Cluster { .. } | UserModelKind::Prefix { .. } => {
            idle.add(&generic, (&section.generic, &true), &why);
        }
        UserModelKind::Uniform => {
            idle.add(&generic, (&section.generic, &true), &why);
            idle.add(&row_init, (&section.row_init, &None), &why);
            let rate = config.training.user_rows_learning_rate;
            idle.add("training.user_rows_learning_rate", (&rate, &0.0), &why);
        }
    }
}

fn training(config: &Config, circumstances: &Circumstances, idle: &mut Idle) {
    let (section, default) = (&config.training, TrainingSection::default());
    let patience = ("training.patience", (&section.patience, &default.patience));
    if circumstances.validation == 0 {
        let why = "without validation data";
        idle.add(patience.0, patience.1, why);
        idle.add(
            "training.eval_every",
            (&section.eval_every, &default.eval_every),
            why,
        );
        idle.add(
            "training.eval_limit",
            (&section.eval_limit, &default.eval_limit),
            why,
        );
    } else if section.eval_every == 0 {
        let why = "with training.eval_every = 0: there is one validation, at the end";
        idle.add(patience.0, patience.1, why);
    }
    let keep_packed = (&section.keep_packed, &default.keep_packed);
    if config.model.dtype != Dtype::F32 {
        let why = "with model.dtype other than \"f32\": no other weights are cut";
        idle.add("training.keep_packed", keep_packed, why);
    } else if !llm_backbone::has_tiles() {
        let why = "on this processor, which has no tiles (AMX)";
        idle.add("training.keep_packed", keep_packed, why);
    }
    let clip = (&section.clip, &default.clip);
    if section.max_grad_norm == 0.0 {
        let why = "with training.max_grad_norm = 0: nothing is clipped";
        idle.add("training.clip", clip, why);
    } else if config.users.is_none() {
        let why = "without [users]: the adapters are all that is clipped";
        idle.add("training.clip", clip, why);
    }
    if config.lora.dropout > 0.0 && section.replicas > 1 {
        let why = "with lora.dropout: the order of its draws is part of the result";
        idle.add("training.replicas", (&section.replicas, &0), why);
    }
}

fn sampling(section: &SamplingConfig, circumstances: &Circumstances, idle: &mut Idle) {
    let default = SamplingConfig::default();
    if section.greedy {
        let why = "with sampling.greedy = true";
        idle.add(
            "sampling.temperature",
            (&section.temperature, &default.temperature),
            why,
        );
        idle.add("sampling.top_k", (&section.top_k, &default.top_k), why);
        idle.add("sampling.top_p", (&section.top_p, &default.top_p), why);
        idle.add("sampling.seed", (&section.seed, &default.seed), why);
    }
    let (most, positions) = (section.max_new_tokens, circumstances.positions);
    if most >= positions && most != default.max_new_tokens {
        idle.0.push(format!(
            "`sampling.max_new_tokens` is {most}, and the model's context has {positions} tokens: generate and chat will refuse it"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Circumstances = Circumstances {
        users: 10,
        validation: 10,
        chats: false,
        positions: 512,
        embedding_alone: false,
        packed: true,
    };

    fn idle_keys(text: &str, circumstances: Circumstances) -> Vec<String> {
        let config: Config = toml::from_str(text).unwrap();
        let told = config.without_effect(&circumstances);
        let key = |sentence: &String| sentence.split('`').nth(1).unwrap().to_owned();
        told.iter().map(key).collect()
    }

    #[test]
    fn a_key_that_changes_nothing_is_named() {
        let none = Circumstances {
            validation: 0,
            ..TEN
        };
        let (embedding_alone, packed) = (true, false);
        let embedding = Circumstances {
            embedding_alone,
            ..TEN
        };
        let whole = Circumstances { packed, ..TEN };
        for (text, circumstances, expected) in [
            ("", none, &[][..]),
            ("[training]\npatience = 2", TEN, &[]),
            (
                "[training]\npatience = 2\neval_limit = 3\neval_every = 9",
                none,
                &[
                    "training.patience",
                    "training.eval_every",
                    "training.eval_limit",
                ],
            ),
            (
                "[training]\npatience = 2\neval_every = 0",
                TEN,
                &["training.patience"],
            ),
            (
                "[training]\nusers_learning_rate = 0.1\nuser_rows_learning_rate = 0.1",
                TEN,
                &[
                    "training.users_learning_rate",
                    "training.user_rows_learning_rate",
                ],
            ),
            ("[users]\n[training]\nusers_learning_rate = 0.1", TEN, &[]),
            ("[users]\n[training]\nclip = \"together\"", TEN, &[]),
            ("[training]\nclip = \"together\"", TEN, &["training.clip"]),
            (
                "[users]\n[training]\nclip = \"together\"\nmax_grad_norm = 0.0",
                TEN,
                &["training.clip"],
            ),
            ("[users]\nclusters = 7", TEN, &["users.clusters"]),
            (
                "[users]\nclusters = 7",
                Circumstances { users: 5000, ..TEN },
                &[],
            ),
            (
                "[users]\nkind = \"uniform\"\nclusters = 7\ngeneric = false",
                TEN,
                &["users.clusters", "users.generic"],
            ),
            (
                "[users]\nkind = \"cluster\"\ngeneric = false",
                TEN,
                &["users.generic"],
            ),
            (
                "[users]\nkind = \"prefix\"\ngeneric = false\nclusters = 7",
                TEN,
                &["users.clusters", "users.generic"],
            ),
            (
                "[users]\ngeneric = false\ninit = \"zeros\"",
                TEN,
                &["users.init"],
            ),
            ("[users]\nuser_tokens = 0", TEN, &["users.user_tokens"]),
            (
                "[users]\n[objective]\nalpha = 0.0",
                TEN,
                &["objective.alpha"],
            ),
            (
                "[users]\n[objective]\nloss = \"sft\"\nld_alpha = 0.5",
                TEN,
                &["objective.ld_alpha"],
            ),
            (
                "[data]\nvalidation = [\"a\"]\nvalidation_share = 0.3",
                TEN,
                &["data.validation_share"],
            ),
            (
                "[data]\nlayout = \"tldr\"\ncolumns = { user = \"w\" }",
                TEN,
                &["data.columns"],
            ),
            ("[prompt]\nsystem = \"Be kind.\"", TEN, &["prompt.system"]),
            (
                "[prompt]\nsystem = \"Be kind.\"",
                Circumstances { chats: true, ..TEN },
                &[],
            ),
            (
                "[prompt]\ntemplate = \"chat\"\nspecial_tokens = \"text\"",
                TEN,
                &["prompt.special_tokens"],
            ),
            (
                "[sampling]\ngreedy = true\ntop_k = 3\ntemperature = 0.5",
                TEN,
                &["sampling.temperature", "sampling.top_k"],
            ),
            (
                "[sampling]\nmax_new_tokens = 512",
                TEN,
                &["sampling.max_new_tokens"],
            ),
            (
                "[lora]\ndropout = 0.1\ninit_lora_weights = \"pissa\"\nloraplus_lr_ratio = 4.0",
                TEN,
                &[],
            ),
            (
                "[lora]\ndropout = 0.1\ninit_lora_weights = \"pissa\"\nloraplus_lr_ratio = 4.0",
                embedding,
                &[
                    "lora.dropout",
                    "lora.init_lora_weights",
                    "lora.loraplus_lr_ratio",
                ],
            ),
            (
                "[lora]\nuse_dora = true\nloraplus_lr_ratio = 4.0",
                embedding,
                &[],
            ),
            ("[model]\ndtype = \"stored\"", TEN, &[]),
            ("[model]\ndtype = \"bf16\"", whole, &[]),
            ("[model]\ndtype = \"stored\"", whole, &["model.dtype"]),
            (
                "[model]\ndtype = \"stored\"\nadapters = \"sft\"",
                TEN,
                &["model.dtype"],
            ),
            (
                "[lora]\ndropout = 0.1\n[training]\nreplicas = 4",
                TEN,
                &["training.replicas"],
            ),
        ] {
            assert_eq!(idle_keys(text, circumstances), expected, "{text}");
        }
    }

    #[test]
    fn a_reward_model_reads_alpha_alone_of_the_objective() {
        for (text, expected) in [
            ("", &[][..]),
            ("[users]\n[objective]\nalpha = 0.25", &[]),
            (
                "[objective]\nloss = \"ipo\"\nnll_weight = 0.5\nwpo = true\nld_alpha = 0.5",
                &[
                    "objective.loss",
                    "objective.nll_weight",
                    "objective.ld_alpha",
                    "objective.wpo",
                ],
            ),
            ("[reward]\nlearning_rate = 1e-3", &[]),
            (
                "[reward]\nhead = \"user\"\nlearning_rate = 1e-3",
                &["reward.learning_rate"],
            ),
        ] {
            let config: Config = toml::from_str(text).unwrap();
            let told = config.without_effect_on_rewards();
            let keys: Vec<&str> = told.iter().filter_map(|s| s.split('`').nth(1)).collect();
            assert_eq!(keys, expected, "{text}");
        }
    }

    #[test]
    fn what_is_told_names_value_and_reason() {
        let config: Config = toml::from_str("[training]\npatience = 2").unwrap();
        let none = Circumstances {
            validation: 0,
            ..TEN
        };
        assert_eq!(
            config.without_effect(&none),
            ["`training.patience` is 2, which has no effect without validation data"]
        );
    }
}
