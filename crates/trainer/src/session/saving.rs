//! What a run writes: its checkpoint, and what it keeps for use.

use super::{BEST_MODEL, Outcome, Session};
use crate::adapters;
use crate::checkpoint;
use crate::error::TrainError;
use crate::policy::Policy;
use crate::task::Task;

impl<T: Task> Session<T> {
    /// True after every so many steps.
    pub(super) fn save_is_due(&self) -> bool {
        let every = self.config.training.save_every;
        every > 0 && self.state.step.is_multiple_of(every)
    }

    /// Writes the checkpoint.
    pub(super) fn save(&self) -> Result<(), TrainError> {
        let dir = self.config.dir.join(checkpoint::FOLDER);
        checkpoint::save(&dir, &self.learner, &self.state)
    }

    /// Whether the model is trained whole, without adapters.
    fn is_whole(&self) -> bool {
        self.learner.policy.model.num_adapter_params() == 0
    }

    /// Writes what is trained as it is, for use.
    pub(super) fn keep(&self) -> Result<(), TrainError> {
        let policy = &self.learner.policy;
        if self.is_whole() {
            return adapters::write_trained(&self.config.dir.join(BEST_MODEL), &policy.model);
        }
        adapters::save(
            &self.config.dir.join(adapters::FOLDER),
            policy,
            self.learner.table.as_ref(),
            &self.config.lora,
            &self.config.base,
        )
    }

    /// Writes what remains and loads the best.
    pub(super) fn finish(mut self) -> Result<Outcome, TrainError> {
        self.state.finished = true;
        self.save()?;
        if self.state.best.is_none() {
            self.keep()?;
        }
        let (dir, model) = (&self.config.dir, self.learner.policy.model.clone());
        let (policy, table) = if self.is_whole() {
            let path = dir.join(BEST_MODEL);
            let model = adapters::read_trained(&path, model, &self.config.lora)?;
            (Policy::plain(model.frozen()), None)
        } else {
            let (device, base) = (model.device(), model.without_adapters());
            let (policy, table, _) = adapters::load(&dir.join(adapters::FOLDER), base, &device)?;
            (policy, table)
        };
        let comparisons = self.comparisons(self.state.step);
        Ok(Outcome {
            policy,
            table,
            state: self.state,
            comparisons,
        })
    }
}
