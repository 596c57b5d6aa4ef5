//! Newcomers with adapters of their own: a copy of a system's, trained on with their answers.

use std::path::Path;

use terminal::Bars;
use trainer::TrainError;
use trainer::config::TrainingSection;
use trainer::endings::Endings;
use trainer::monitor::Monitor;
use trainer::policy::Policy;

use super::system::{Trainer, engine, preference};
use crate::config::SystemConfig;
use crate::newcomers::{AdaptersSection, Scorer, Served, Trained};

/// Trains a copy of the adapters in `dir` for each newcomer and number of answers, in a folder `newcomer-N-ANSWERS` there, and has it
/// serve the newcomer; nothing where no adapters are asked for.
///
/// # Errors
/// From training and scoring.
pub fn newcomers<D>(
    trainer: &Trainer<'_, D>,
    dir: &Path,
    monitor: &mut dyn Monitor,
) -> Result<Vec<Served>, TrainError> {
    let prepared = trainer.prepared;
    let newcomers = &prepared.data.newcomers;
    let Some(adapters) = &newcomers.alternatives.adapters else {
        return Ok(Vec::new());
    };
    let system = going_on(trainer.system, adapters);
    let trainer = Trainer {
        system: &system,
        ..*trainer
    };
    let tokenised = prepared.newcomers(system.text)?;
    let task = preference(&system, prepared)?;
    let (start, _) = prepared
        .model
        .clone()
        .with_adapters(&dir.join("adapters"))?;
    let mut served = Vec::new();
    for (number, (user, of)) in newcomers.users.iter().zip(&tokenised).enumerate() {
        let answers = of.answers.examples(None);
        for &count in &adapters.answers {
            let start = (Policy::plain(start.clone()), None);
            let data = (answers[..count].to_vec(), Vec::new());
            let folder = format!("newcomer-{}-{count}", number + 1);
            let (name, id) = (&system.name, printable::quoted(&user.id));
            tracing::info!("{name}: adapters trained on {count} answers of {id} in {folder}");
            let dir = dir.join(folder);
            let outcome = trainer.train(
                &dir,
                (task.clone(), Endings::default()),
                start,
                data,
                monitor,
            )?;
            let seconds = outcome.state.train_seconds;
            let engine = engine(&system, prepared, (outcome.policy, None))?;
            let bars = Bars::default();
            let scorer = Scorer::new((&engine, &task), Trained::OnOthers, &bars);
            served.push(scorer.adapted(&user.id, of, (count, seconds))?);
        }
    }
    Ok(served)
}

/// The system as it goes on training.
fn going_on(system: &SystemConfig, adapters: &AdaptersSection) -> SystemConfig {
    let mut system = system.clone();
    system.settings.training = TrainingSection {
        epochs: adapters.epochs,
        max_steps: 0,
        learning_rate: adapters.learning_rate,
        warmup_steps: 0,
        eval_every: 0,
        save_every: 0,
        patience: 0,
        ..system.settings.training
    };
    system
}
