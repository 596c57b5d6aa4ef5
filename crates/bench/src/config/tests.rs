use std::fs;
use std::path::{Path, PathBuf};

use trainer::TrainError;
use trainer::pdpo_loss::{PreferenceLoss, Simpo};

use super::*;
use crate::experiment::{Experiment, ExperimentData};
use crate::{PrismConfig, PsoupsConfig, TldrConfig};

fn presets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs")
}

const PRESET: &str = include_str!("tests/preset.toml");

fn read(text: &str) -> Result<Preset<TldrConfig>, TrainError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mine.toml");
    fs::write(&path, text).unwrap();
    Preset::read(&path)
}

fn preset() -> Preset<TldrConfig> {
    read(PRESET).unwrap()
}

fn system<'a, D>(config: &'a ExperimentConfig<D>, name: &str) -> &'a SystemConfig {
    let mut systems = config.systems.iter();
    systems.find(|system| system.name == name).unwrap()
}

fn training<D>(config: &ExperimentConfig<D>, name: &str) -> TrainingSection {
    system(config, name).settings.training.clone()
}

fn set(preset: &mut Preset<TldrConfig>, text: &str) -> Result<(), TrainError> {
    preset.set(&text.parse().unwrap())
}

/// A preset whose file has `text` in the place of `old`.
fn preset_with(old: &str, text: &str) -> Result<Preset<TldrConfig>, TrainError> {
    assert!(PRESET.contains(old), "{old}");
    read(&PRESET.replacen(old, text, 1))
}

/// What becomes of it.
fn read_with(old: &str, text: &str) -> Result<ExperimentConfig<TldrConfig>, TrainError> {
    preset_with(old, text)?.config()
}

#[test]
fn every_preset_is_read_and_could_be_trained() {
    fn read<D: Experiment>(path: &Path) {
        let config = Preset::<D>::read(path).unwrap().config().unwrap();
        config.validate().unwrap();
        assert!(!config.systems.is_empty(), "{}", path.display());
    }
    for (experiment, read) in [
        ("tldr", read::<TldrConfig> as fn(&Path)),
        ("psoups", read::<PsoupsConfig>),
        ("prism", read::<PrismConfig>),
    ] {
        let files = fs::read_dir(presets().join(experiment)).unwrap();
        let paths: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
        assert!(paths.len() >= 3, "{experiment}");
        paths.iter().for_each(|path| read(path));
    }
}

#[test]
fn a_system_has_its_own_settings_and_for_the_rest_those_of_all() {
    let config = preset().config().unwrap();
    let rates = |name| {
        let training = training(&config, name);
        (
            training.users_learning_rate,
            training.user_rows_learning_rate,
        )
    };
    assert_eq!(rates("pdpo-individual"), (6e-3, 2e-2));
    assert_eq!(rates("pdpo-cluster"), (2e-2, 1e-1));
    let [individual, cluster] = ["pdpo-individual", "pdpo-cluster"].map(|n| training(&config, n));
    let same = TrainingSection {
        users_learning_rate: 6e-3,
        user_rows_learning_rate: 2e-2,
        ..cluster
    };
    assert_eq!(same, individual);
    assert_eq!(individual, config.training);
}

#[test]
fn what_is_set_for_all_holds_for_systems_that_say_otherwise() {
    let mut mine = preset();
    set(&mut mine, "training.users_learning_rate=0.5").unwrap();
    set(&mut mine, "systems.vanilla-dpo.training.epochs=7").unwrap();
    let config = mine.config().unwrap();
    let cluster = training(&config, "pdpo-cluster");
    assert_eq!(cluster.users_learning_rate, 0.5);
    assert_eq!(cluster.user_rows_learning_rate, 1e-1);
    assert_eq!(training(&config, "vanilla-dpo").epochs, 7);
    assert_eq!(cluster.epochs, 2);
    set(&mut mine, "training.epochs=4").unwrap();
    assert_eq!(training(&mine.config().unwrap(), "vanilla-dpo").epochs, 4);
}

#[test]
fn unknown_keys_are_refused_by_name() {
    let refused = |text: &str| set(&mut preset(), text).unwrap_err().to_string();
    for (text, needles) in [
        ("training.epoch=3", ["--set training.epoch=3", "`epoch`"]),
        (
            "systems.sft.training.epoch=3",
            ["`systems.sft.training`", "`epoch`"],
        ),
        (
            "systems.sft.prompt.template=raw",
            ["`prompt`", "`training`"],
        ),
        (
            "systems.stf.training.epochs=3",
            ["`stf`", "sft, vanilla-dpo"],
        ),
        ("trainng.epochs=3", ["`trainng`", "expected"]),
        ("training.epochs=many", ["many", "in `training.epochs`"]),
    ] {
        let message = refused(text);
        for needle in needles {
            assert!(message.contains(needle), "{text}: {message}");
        }
        assert!(!message.contains('\n'), "{message}");
    }
    let epochs = "[training]\nepochs = 2";
    let message = read_with(epochs, "[training]\nepoch = 2")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("mine.toml: line 23 (`epoch = 2`)"),
        "{message}"
    );
    let own = "training = { users_learning_rate = 2e-2";
    let message = read_with(own, "training = { user_learning_rate = 2e-2")
        .unwrap_err()
        .to_string();
    assert!(
        message.contains(
            "mine.toml: `systems.pdpo-cluster.training`: unknown field `user_learning_rate`"
        ),
        "{message}"
    );
    let message =
        read_with(own, "prompt = {}\ntraining = { users_learning_rate = 2e-2").unwrap_err();
    assert!(
        message
            .to_string()
            .contains("(`prompt = {}`): unknown field `prompt`"),
        "{message}"
    );
}

#[test]
fn a_refused_setting_changes_nothing() {
    let mut mine = preset();
    set(&mut mine, "training.epochs=many").unwrap_err();
    assert_eq!(mine.config().unwrap(), preset().config().unwrap());
}

#[test]
fn a_system_with_a_loss_of_its_own_takes_over_no_keys_of_another() {
    let old = "name = \"vanilla-dpo\"";
    let own = "name = \"vanilla-dpo\"\nobjective = { loss = \"ipo\", beta = 0.25 }";
    let config = read_with(old, own).unwrap();
    let objective = &system(&config, "vanilla-dpo").settings.objective;
    assert_eq!(objective.nll_weight, 0.0);
    assert_eq!(
        system(&config, "pdpo-cluster").settings.objective,
        config.objective
    );
    assert_eq!(config.objective.nll_weight, 1.0);
}

#[test]
fn another_loss_comes_with_its_own_keys_and_leaves_what_all_share() {
    let old = "name = \"vanilla-dpo\"";
    let own = "name = \"vanilla-dpo\"\nobjective = { loss = \"ipo\", beta = 0.25, alpha = 0.1 }";
    let mut mine = preset_with(old, own).unwrap();
    set(&mut mine, "objective.label_smoothing=0.1").unwrap();
    mine.set_loss("simpo").unwrap();
    let config = mine.config().unwrap();
    assert_eq!(config.objective.nll_weight, 1.0);
    for system in config.systems.iter().filter(|system| system.is_trained()) {
        let objective = &system.settings.objective;
        assert_eq!(objective.loss, PreferenceLoss::Simpo(Simpo::default()));
    }
    assert_eq!(system(&config, "vanilla-dpo").settings.objective.alpha, 0.1);
    let error = mine.set_loss("hinges").unwrap_err().to_string();
    assert!(
        error.contains("`hinges`") && error.contains("`simpo`"),
        "{error}"
    );
    assert_eq!(mine.config().unwrap(), config);
}

#[test]
fn what_a_run_writes_down_is_what_it_used() {
    let mut mine = preset();
    set(&mut mine, "training.epochs=5").unwrap();
    set(&mut mine, "systems.sft.sampling.temperature=0.1").unwrap();
    let used = mine.config().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, toml::to_string_pretty(&used).unwrap()).unwrap();
    assert_eq!(Preset::read(&path).unwrap().config().unwrap(), used);
}

#[test]
fn a_model_takes_the_place_of_the_tiny_one() {
    let mut mine = preset();
    assert!(mine.config().unwrap().tiny.is_some());
    set(&mut mine, "model.source=models/mine").unwrap();
    let config = mine.config().unwrap();
    assert_eq!(config.model.source, "models/mine");
    assert!(config.tiny.is_none());
}

#[test]
fn flags_about_users_reach_every_user_model_they_are_about() {
    let mut mine = preset();
    mine.set_users("user_tokens", 3);
    mine.without_generic();
    let config = mine.config().unwrap();
    let users = |name| system(&config, name).users.clone();
    assert_eq!(users("vanilla-dpo"), None);
    let [individual, cluster] = ["pdpo-individual", "pdpo-cluster"].map(|n| users(n).unwrap());
    assert_eq!((individual.user_tokens, cluster.user_tokens), (3, 3));
    assert_eq!((individual.generic, cluster.generic), (false, true));
}

#[test]
fn the_room_for_soft_tokens_does_not_depend_on_the_systems_chosen() {
    let mut mine = preset();
    mine.choose(&["vanilla-dpo".into()]).unwrap();
    let config = mine.config().unwrap();
    assert_eq!(config.systems.len(), 1);
    assert_eq!(config.user_tokens(), 10);
    let error = mine.choose(&["dpo".into()]).unwrap_err().to_string();
    assert!(
        error.contains("`systems` is dpo, expected some of sft, vanilla-dpo"),
        "{error}"
    );
}

#[test]
fn the_key_of_a_judge_is_looked_for_where_help_says() {
    let mut mine = preset();
    assert_eq!(mine.config().unwrap().judge, None);
    set(&mut mine, "judge.url=http://localhost:1/v1").unwrap();
    let judge = mine.config().unwrap().judge.unwrap();
    assert_eq!(judge.key_env.as_deref(), Some("JUDGE_API_KEY"));
}

#[test]
fn values_that_nothing_could_make_right_are_refused_by_their_whole_keys() {
    for (text, key) in [
        (
            "systems.pdpo-cluster.training.batch=0",
            "systems.pdpo-cluster.training.batch",
        ),
        (
            "systems.pdpo-cluster.objective.alpha=2",
            "systems.pdpo-cluster.objective.alpha",
        ),
        (
            "systems.pdpo-cluster.users.clusters=0",
            "systems.pdpo-cluster.users.clusters",
        ),
        (
            "systems.pdpo-cluster.lora.alpha=nan",
            "systems.pdpo-cluster.lora.alpha",
        ),
        (
            "systems.pdpo-cluster.training.gradient_checkpointing=blocks",
            "systems.pdpo-cluster.training.gradient_checkpointing",
        ),
        (
            "systems.sft.sampling.top_p=2.0",
            "systems.sft.sampling.top_p",
        ),
        ("systems.sft.training.epochs=2", "systems.sft.training"),
        ("systems.sft.users.user_tokens=2", "systems.sft.users"),
        ("systems.sft.name=../x", "systems.name"),
        ("systems.sft.name=vanilla-dpo", "systems.name"),
        ("systems.sft.name=seed-0", "systems.name"),
        ("systems.sft.name=split-0", "systems.name"),
        ("systems=[]", "systems"),
        ("expected_minutes=nan", "expected_minutes"),
        ("data.paths=[\"\"]", "data.paths"),
        ("data.split_seeds=[]", "data.split_seeds"),
        ("data.split_seeds=[1, 1]", "data.split_seeds"),
        ("data.split=[0.5, 0.5, 0.5]", "data.split"),
        ("data.split=[0.0, 0.5, 0.5]", "data.split"),
        ("data.workers=0", "data.workers"),
        ("data.minority_share=[0.4, 0.2]", "data.minority_share"),
        ("model.adapters=x", "model.adapters"),
        ("model.dtype=bf16", "model.dtype"),
        ("prompt.template=chat", "prompt.template"),
        ("prompt.max_prompt_length=9", "prompt.max_prompt_length"),
        ("tiny.sft.batch=0", "tiny.sft.batch"),
        ("tiny.vocab_size=257", "tiny.vocab_size"),
        ("objective.beta=0.0", "objective.beta"),
        ("objective.nll_weight=-1.0", "objective.nll_weight"),
        ("training.replicas=1000000", "training.replicas"),
        ("lora.rank=0", "lora.rank"),
        ("sampling.max_new_tokens=0", "sampling.max_new_tokens"),
        ("evaluation.batch=0", "evaluation.batch"),
        (
            "evaluation.ratio_bands=[2.0, 1.0]",
            "evaluation.ratio_bands",
        ),
        ("judge.max_tokens=0", "judge.max_tokens"),
        ("judge.key_env=\"\"", "judge.key_env"),
        ("judge.key_env=sk-1", "judge.key_env"),
        ("judge.url=http://localhost:x/v1", "judge.url"),
    ] {
        let mut mine = preset();
        set(&mut mine, text).unwrap();
        let message = mine.config().unwrap().validate().unwrap_err().to_string();
        assert!(
            message.starts_with(&format!("config key `{key}`")),
            "{text}: {message}"
        );
    }
}

#[test]
fn blocks_that_are_computed_again_have_no_dropout() {
    let validated = |texts: &[&str]| {
        let mut mine = preset();
        set(&mut mine, "training.gradient_checkpointing=blocks").unwrap();
        texts.iter().for_each(|text| set(&mut mine, text).unwrap());
        mine.config().unwrap().validate()
    };
    validated(&["sft.steps=5"]).unwrap();
    for (texts, key) in [
        (&["lora.dropout=0.1"][..], "systems.vanilla-dpo.training"),
        (
            &["systems.pdpo-cluster.lora.dropout=0.1"],
            "systems.pdpo-cluster.training",
        ),
        (&["lora.dropout=0.1", "sft.steps=5"], "training"),
    ] {
        let message = validated(texts).unwrap_err().to_string();
        let key = format!("config key `{key}.gradient_checkpointing` is blocks, with dropout");
        assert!(message.starts_with(&key), "{texts:?}: {message}");
    }
}

#[test]
fn a_key_that_changes_nothing_is_named() {
    let idle = |text: &str| {
        let mut mine = preset();
        set(&mut mine, text).unwrap();
        let told = mine
            .config()
            .unwrap()
            .without_effect(&ExperimentData::default());
        let key = |sentence: &String| sentence.split('`').nth(1).unwrap().to_owned();
        told.iter().map(key).collect::<Vec<_>>()
    };
    let always = idle("training.epochs=1");
    for (text, key) in [
        ("training.patience=2", "training.patience"),
        (
            "systems.pdpo-individual.users.clusters=7",
            "systems.pdpo-individual.users.clusters",
        ),
        (
            "systems.vanilla-dpo.training.users_learning_rate=0.1",
            "systems.vanilla-dpo.training.users_learning_rate",
        ),
    ] {
        let found = idle(text);
        assert!(found.iter().any(|told| told == key), "{text}: {found:?}");
        assert!(!always.iter().any(|told| told == key), "{text}: {always:?}");
    }
}

#[test]
fn the_key_of_a_judge_is_looked_at_before_the_work_and_never_shown() {
    // Cargo sets the first two for every test; nobody sets the last.
    for (variable, is_good) in [
        ("CARGO_PKG_NAME", true),
        ("CARGO_PKG_DESCRIPTION", false),
        ("P_RLHF_S3CR3T", false),
    ] {
        let mut mine = preset();
        set(&mut mine, "judge.url=http://localhost:1/v1").unwrap();
        set(&mut mine, &format!("judge.key_env={variable}")).unwrap();
        let judge = mine.config().unwrap().judge.unwrap();
        match super::validate_judge_key(&judge) {
            Ok(()) => assert!(is_good, "{variable}"),
            Err(error) => {
                let message = error.to_string();
                assert!(
                    !is_good && message.starts_with("config key `judge.key_env`"),
                    "{message}"
                );
                assert!(!message.contains("S3CR3T"), "{message}");
            }
        }
    }
}
