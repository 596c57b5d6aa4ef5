//! From what was measured to the report.

use trainer::pdpo_loss::ObjectiveConfig;
use trainer::pref_data::Prompt;

use super::{Experiment, Measured, Results, Run, SplitResult, collect};
use crate::config::ExperimentConfig;
use crate::measure::{self, Case};
use crate::report::{Report, Response, Sample, Setting, System};

/// The report of everything measured so far; several splits are pooled.
pub fn report<E: Experiment>(run: &Run<E>, results: &[SplitResult], seconds: f64) -> Report {
    let Some(first) = results.first() else {
        return Report::default();
    };
    let systems = first.systems.iter();
    let mut data = first.data.facts.clone();
    if results.len() > 1 {
        data.pooled_splits = Some(results.len() as u64);
        data.eval = results.iter().map(|r| r.data.cases.len() as u64).sum();
        data.notes.push(format!(
            "Figures are pooled over the test sides of {} splits by {}; the counts of train and validation are those of the first.",
            results.len(),
            data.split_by.as_deref().unwrap_or("source")
        ));
    }
    let mut report = Report {
        experiment: E::NAME.into(),
        title: E::TITLE.into(),
        preset: run.preset.clone(),
        seed: run.seed,
        population_seed: first.data.population_seed,
        data,
        model: first.model.clone(),
        yardsticks: first.data.yardsticks.clone(),
        systems: systems
            .map(|s| system(&s.name, &run.config, results))
            .collect(),
        settings: settings(&run.config),
        settings_note: run.config.differences.clone(),
        samples: samples(first, run.config.evaluation.shown),
        gallery: samples(first, usize::MAX),
        environment: collect::environment(run, seconds),
        ..Report::default()
    };
    let results = Results {
        splits: results,
        seed: run.seed,
    };
    let claims = run.config.data.conclude(&results, &mut report).into_iter();
    report.claims = claims.map(|(key, claim)| (key.to_owned(), claim)).collect();
    report
}

fn system<D>(name: &str, config: &ExperimentConfig<D>, results: &[SplitResult]) -> System {
    let mut cases: Vec<Case> = Vec::new();
    let mut correct: Vec<bool> = Vec::new();
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for result in results {
        let Some(measured) = result.systems.iter().find(|s| s.name == name) else {
            continue;
        };
        if let Some(rows) = measured.correct() {
            cases.extend(result.data.cases.iter().cloned());
            correct.extend(rows);
        }
        let of = |t: &super::SampledText| (t.user.clone(), t.text.clone());
        texts.extend(measured.texts.iter().map(of));
        found.push(measured);
    }
    let Some(first) = found.first() else {
        return System::default();
    };
    let users = &results[0].data.users;
    let mean =
        |f: &dyn Fn(&Measured) -> f64| found.iter().map(|m| f(m)).sum::<f64>() / found.len() as f64;
    System {
        name: name.into(),
        accuracy: match correct.is_empty() {
            true => Default::default(),
            false => measure::accuracy(&cases, &correct, &config.evaluation.ratio_bands),
        },
        words: measure::by_group(&texts, users, measure::words),
        empty_share: measure::by_group(&texts, users, measure::empty),
        trainable: first.trainable,
        steps: (first.steps > 0).then_some(first.steps as u64),
        seconds: Some(mean(&|m| m.seconds)),
        comparisons_per_second: first.comparisons_per_second,
        peak_rss_bytes: found.iter().filter_map(|m| m.peak_rss_bytes).max(),
        kl_to_reference: Some(mean(&|m| m.kl)),
        heldout_loss: Some(mean(&|m| m.nll)),
        train_curve: first.curve.clone(),
        ..System::default()
    }
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
    for system in &config.systems {
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
