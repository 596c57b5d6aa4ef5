//! From what was measured to the report.

use super::{Run, SplitResult, environment, verdicts};
use crate::config::ExperimentConfig;
use crate::measure::{self, Case};
use crate::report::{Report, Response, Sample, Setting, System};
use trainer::eval::Scored;

/// The report of everything measured so far; several splits are pooled.
pub fn report(run: &Run, results: &[SplitResult], seconds: f64) -> Report {
    let Some(first) = results.first() else {
        return Report::default();
    };
    let systems: Vec<System> = first
        .systems
        .iter()
        .map(|s| system(&s.name, &run.config, results))
        .collect();
    let mut data = first.data.clone();
    if results.len() > 1 {
        data.pooled_splits = Some(results.len() as u64);
        data.eval = results.iter().map(|r| r.cases.len() as u64).sum();
        data.notes.push(format!(
            "Figures are pooled over the test sides of {} splits by post; the counts of train and validation are those of the first.",
            results.len()
        ));
    }
    Report {
        experiment: "tldr".into(),
        preset: run.preset.clone(),
        seed: run.seed,
        population_seed: first.split.population_seed(),
        data,
        model: first.model.clone(),
        yardsticks: first.split.yardsticks().into(),
        verdicts: [
            ("e1".to_string(), verdicts::e1(&systems)),
            ("e2".to_string(), verdicts::e2(&systems)),
        ]
        .into(),
        systems,
        settings: settings(&run.config),
        settings_note: run.config.differences.clone(),
        samples: samples(&run.config, first),
        environment: environment(run, seconds),
        ..Report::default()
    }
}

fn system(name: &str, config: &ExperimentConfig, results: &[SplitResult]) -> System {
    let mut cases: Vec<Case> = Vec::new();
    let mut scored: Vec<Scored> = Vec::new();
    let mut texts = Vec::new();
    let mut found = Vec::new();
    for result in results {
        let Some(measured) = result.systems.iter().find(|s| s.name == name) else {
            continue;
        };
        if let Some(rows) = measured.scored() {
            cases.extend(result.cases.iter().cloned());
            scored.extend(rows);
        }
        texts.extend(
            measured
                .texts
                .iter()
                .map(|t| (t.user.clone(), t.text.clone())),
        );
        found.push(measured);
    }
    let Some(first) = found.first() else {
        return System::default();
    };
    let users = &results[0].users;
    let mean = |f: &dyn Fn(&super::Measured) -> f64| {
        found.iter().map(|m| f(m)).sum::<f64>() / found.len() as f64
    };
    System {
        name: name.into(),
        accuracy: match scored.is_empty() {
            true => Default::default(),
            false => measure::accuracy(&cases, &scored, &config.evaluation.ratio_bands),
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

/// Responses to the same posts, side by side.
fn samples(config: &ExperimentConfig, result: &SplitResult) -> Vec<Sample> {
    let posts = result.split.test_posts(config.evaluation.shown);
    posts
        .into_iter()
        .map(|post| Sample {
            prompt: match &post.prompt {
                trainer::pref_data::Prompt::Text(text) => text.clone(),
                trainer::pref_data::Prompt::Chat(messages) => messages
                    .iter()
                    .map(|m| m.content.clone())
                    .collect::<Vec<_>>()
                    .join("\n\n"),
            },
            responses: result
                .systems
                .iter()
                .flat_map(|system| {
                    let texts = system.texts.iter().filter(|t| t.source == post.source);
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

/// The numbers a reader compares runs by.
fn settings(config: &ExperimentConfig) -> Vec<Setting> {
    let training = &config.training;
    let objective = &config.objective;
    let setting = |name: &str, value: String| Setting {
        name: name.into(),
        value,
    };
    let mut all = vec![
        setting(
            "objective.loss",
            format!("{:?}", objective.loss).to_lowercase(),
        ),
        setting("objective.beta", objective.beta.to_string()),
        setting("objective.alpha", objective.alpha.to_string()),
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
    ];
    for system in &config.systems {
        if let Some(users) = &system.users {
            let value = format!("T_u {}, {:?}", users.user_tokens, users.kind).to_lowercase();
            all.push(setting(&format!("{}.users", system.name), value));
        }
    }
    all
}
