//! From what was measured to the report.

use std::collections::BTreeMap;

use trainer::llm_backbone::LoraInit;
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::pref_data::Prompt;

use super::{
    Experiment, ExperimentData, Measured, Results, Run, SeedResult, SplitResult, collect,
    over_seeds,
};
use crate::best_of;
use crate::config::{ExperimentConfig, SystemConfig};
use crate::measure::{self, Case};
use crate::newcomers;
use crate::report::{CurvePoint, Report, Response, Sample, Setting, System, Yardstick};

/// The report of everything measured so far; several seeds and splits are pooled.
pub fn report<E: Experiment>(run: &Run<E>, results: &[SeedResult], seconds: f64) -> Report {
    let shown = results.first().map(|first| (first, first.splits.first()));
    let Some((result, Some(first))) = shown else {
        return Report::default();
    };
    let splits = &result.splits;
    let mut data = first.data.facts.clone();
    if splits.len() > 1 {
        data.pooled_splits = Some(splits.len() as u64);
        data.eval = splits.iter().map(|r| r.data.cases.len() as u64).sum();
        data.notes.push(format!(
            "Figures are pooled over the test sides of {} splits by {}; the counts of train and validation, and of each user, are those of the first.",
            splits.len(),
            data.split_by.as_deref().unwrap_or("source")
        ));
    }
    let mut report = Report {
        experiment: E::NAME.into(),
        title: E::TITLE.into(),
        preset: run.preset.clone(),
        seed: result.seed,
        seeds: match results.len() {
            0 | 1 => Vec::new(),
            _ => results.iter().map(|result| result.seed).collect(),
        },
        population_seed: first.data.population_seed,
        data,
        model: first.model.clone(),
        yardsticks: yardsticks(splits),
        systems: (first.systems.iter())
            .map(|s| system(&s.name, &run.config, results))
            .collect(),
        settings: settings(&run.config),
        settings_note: run.config.differences.clone(),
        samples: samples(first, run.config.evaluation.shown),
        gallery: samples(first, usize::MAX),
        environment: collect::environment(run, seconds),
        ..Report::default()
    };
    report
        .tables
        .extend(over_seeds::table(&report, &run.config, results));
    let results = Results { seeds: results };
    let best_of = run.config.evaluation.best_of.as_ref();
    report.best_of = best_of.map_or_else(Vec::new, |section| {
        let prefers = |group: &str, texts: [&str; 2]| run.config.data.prefers(group, texts);
        best_of::measured(&results, &section.counts, &prefers)
    });
    let (new_users, table) = newcomers::told(&results, &report.systems);
    report.new_users = new_users;
    report.tables.extend(table);
    let mut claims = run.config.data.conclude(&results, &mut report);
    claims.extend(newcomers::claims(&results, &report.systems));
    let claims = claims.into_iter();
    report.claims = claims.map(|(key, claim)| (key.to_owned(), claim)).collect();
    report
}

/// Those of all splits: means over them, weighted by how many comparisons each tests.
fn yardsticks(splits: &[SplitResult]) -> BTreeMap<String, Yardstick> {
    let names = splits.first().map(|first| first.data.yardsticks.keys());
    let pooled = |name: &String| {
        let mean = |value: fn(&Yardstick) -> Option<f64>| {
            let each = splits.iter().filter_map(|split| {
                let value = value(split.data.yardsticks.get(name)?)?;
                let weight = split.data.cases.len() as f64;
                Some((value * weight, weight))
            });
            let (sum, weights) = each.fold((0.0, 0.0), |(sum, all), (v, w)| (sum + v, all + w));
            (weights > 0.0).then(|| sum / weights)
        };
        Yardstick {
            top: mean(|y| y.top),
            generic: mean(|y| y.generic),
            majority: mean(|y| y.majority),
            minority: mean(|y| y.minority),
        }
    };
    let names = names.into_iter().flatten();
    names.map(|name| (name.clone(), pooled(name))).collect()
}

/// What is known of a system from all seeds and splits that have it.
pub fn system<D>(name: &str, config: &ExperimentConfig<D>, results: &[SeedResult]) -> System {
    let all = Results { seeds: results };
    let found: Vec<(usize, &ExperimentData, &Measured)> = all
        .splits()
        .filter_map(|(number, split)| {
            let measured = split.systems.iter().find(|s| s.name == name)?;
            Some((number, &*split.data, measured))
        })
        .collect();
    let Some((_, data, first)) = found.first() else {
        return System::default();
    };
    let (mut cases, mut shares): (Vec<Case>, Vec<Option<f64>>) = (Vec::new(), Vec::new());
    let splits = found.iter().map(|(number, ..)| number + 1).max();
    for split in 0..splits.unwrap_or(0) {
        let runs = found.iter().filter(|(number, ..)| *number == split);
        let correct: Vec<_> = runs.clone().filter_map(|(.., m)| m.correct()).collect();
        if let (Some((_, data, _)), false) = (runs.clone().next(), correct.is_empty()) {
            cases.extend(data.cases.iter().cloned());
            shares.extend(measure::shares(&correct));
        }
    }
    let texts = found.iter().flat_map(|(.., measured)| &measured.texts);
    let texts: Vec<_> = texts.map(|t| (t.user.clone(), t.text.clone())).collect();
    let by_group = |value: fn(&str) -> f64| measure::by_group(&texts, &data.users, value);
    let measured: Vec<&Measured> = found.iter().map(|(.., measured)| *measured).collect();
    let mean = |f: fn(&Measured) -> Option<f64>| {
        statistics::mean(&measured.iter().filter_map(|m| f(m)).collect::<Vec<_>>())
    };
    let curves: Vec<&[CurvePoint]> = (found.iter())
        .filter(|(number, ..)| *number == 0)
        .map(|(.., measured)| &measured.curve[..])
        .collect();
    let trained = config
        .systems
        .iter()
        .find(|s| s.name == name && s.is_trained());
    System {
        name: name.into(),
        loss: trained.map(|system| system.loss().into()),
        head: (trained.filter(|system| system.is_reward_model())).map(head),
        accuracy: match shares.is_empty() {
            true => Default::default(),
            false => measure::accuracy(&cases, &shares, &config.evaluation.ratio_bands),
        },
        words: by_group(measure::words),
        median_words: measure::medians(&texts, &data.users, measure::words),
        empty_share: by_group(measure::empty),
        trainable: first.trainable,
        steps: (first.steps > 0).then_some(first.steps as u64),
        seconds: mean(|m| Some(m.seconds)),
        comparisons_per_second: first.comparisons_per_second,
        peak_rss_bytes: measured.iter().filter_map(|m| m.peak_rss_bytes).max(),
        kl_to_reference: mean(|m| m.kl),
        heldout_loss: mean(|m| m.nll),
        train_curve: measure::mean_curve(&curves),
        ..System::default()
    }
}

/// What makes the rewards of a reward model.
fn head(system: &SystemConfig) -> String {
    format!("{:?}", system.settings.reward.head).to_lowercase()
}

/// Responses to the same prompts, side by side.
fn samples(result: &SplitResult, count: usize) -> Vec<Sample> {
    let prompts = result.data.prompts().into_iter().take(count);
    prompts
        .map(|(key, prompt)| Sample {
            prompt: shown(prompt),
            responses: result
                .systems
                .iter()
                .flat_map(|system| {
                    let texts = system.texts.iter().filter(|t| t.source == key);
                    texts.map(|t| Response {
                        system: system.name.clone(),
                        user: t.user.clone(),
                        text: t.text.clone(),
                    })
                })
                .collect(),
        })
        .collect()
}

/// A prompt as people read it.
fn shown(prompt: &Prompt) -> String {
    match prompt {
        Prompt::Text(text) => text.clone(),
        Prompt::Chat(messages) => match messages.as_slice() {
            [only] => only.content().into_owned(),
            several => several
                .iter()
                .map(|m| format!("{}: {}", m.role(), m.content()))
                .collect::<Vec<_>>()
                .join("\n\n"),
        },
    }
}

/// The numbers a reader compares runs by.
fn settings<D>(config: &ExperimentConfig<D>) -> Vec<Setting> {
    let training = &config.training;
    let objective = &config.objective;
    let setting = |name: &str, value: String| Setting {
        name: name.into(),
        value,
    };
    let mut all = objective_settings(objective);
    all.extend([
        setting("training.epochs", training.epochs.to_string()),
        setting("training.batch", training.batch.to_string()),
        setting("training.learning_rate", training.learning_rate.to_string()),
        setting(
            "training.users_learning_rate",
            training.users_rate().to_string(),
        ),
        setting("lora.rank", config.lora.rank.to_string()),
        setting("lora.alpha", config.lora.alpha.to_string()),
        setting(
            "prompt.max_prompt_length",
            config.prompt.max_prompt_length.to_string(),
        ),
        setting(
            "sampling.temperature",
            config.sampling.temperature.to_string(),
        ),
        setting(
            "sampling.max_new_tokens",
            config.sampling.max_new_tokens.to_string(),
        ),
    ]);
    let lora = &config.lora;
    let of_lora = [
        (lora.use_rslora, "use_rslora", "true".to_owned()),
        (lora.use_dora, "use_dora", "true".to_owned()),
        (
            lora.init_lora_weights == LoraInit::Pissa,
            "init_lora_weights",
            "pissa".to_owned(),
        ),
        (
            lora.loraplus_lr_ratio != 1.0,
            "loraplus_lr_ratio",
            lora.loraplus_lr_ratio.to_string(),
        ),
    ];
    for (is_set, key, value) in of_lora {
        if is_set {
            all.push(setting(&format!("lora.{key}"), value));
        }
    }
    for system in &config.systems {
        if system.adapter_per_user {
            let name = format!("{}.adapter_per_user", system.name);
            all.push(setting(&name, "true".into()));
        }
        if system.is_reward_model() {
            let value = format!("reward, head {}", head(system));
            all.push(setting(&format!("{}.mode", system.name), value));
        }
        if let Some(users) = &system.users {
            let value = format!("T_u {}, {:?}", users.user_tokens, users.kind).to_lowercase();
            all.push(setting(&format!("{}.users", system.name), value));
        }
    }
    all
}

/// The loss with its own keys, and the weight of the user-specific term.
fn objective_settings(objective: &ObjectiveConfig) -> Vec<Setting> {
    let values = match serde_json::to_value(objective) {
        Ok(values) => values,
        Err(error) => {
            let (name, value) = ("objective".into(), format!("not shown: {error}"));
            return vec![Setting { name, value }];
        }
    };
    let values = values.as_object().into_iter().flatten();
    values
        .map(|(key, value)| Setting {
            name: format!("objective.{key}"),
            value: value.as_str().map_or_else(|| value.to_string(), Into::into),
        })
        .collect()
}
