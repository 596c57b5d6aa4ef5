//! Which comparisons a step takes, and when they are made ready.

use std::sync::Arc;

use super::Session;
use crate::config::Shuffle;
use crate::error::TrainError;
use crate::example::Example;
use crate::order;
use crate::progress::Progress;
use crate::task::Task;

/// Batches whose comparisons are prepared together, at most: a window of [`order`] holds as many.
const MOST_AHEAD: usize = 8;

/// The end of the steps whose comparisons are prepared together with those of `step`: one step at first, so that a run begins at
/// once, then ever more. It depends on the step alone, so that a resumed run computes reference log-probs in the company in
/// which a run never stopped does, to the last bit.
fn prepared_together(step: usize) -> usize {
    let (mut end, mut length) = (1, 1);
    while end <= step {
        length = (2 * length).min(MOST_AHEAD);
        end += length;
    }
    end
}

impl<T: Task> Session<T> {
    /// The next step's comparisons by index, ready for it.
    pub(super) fn next_batch(&mut self, progress: &dyn Progress) -> Result<Vec<usize>, TrainError> {
        let step = self.state.step;
        if step >= self.prepared {
            let until = prepared_together(step).min(self.total_steps());
            let train = Arc::clone(&self.train);
            let indices: Vec<usize> = (step..until).flat_map(|step| self.batch_of(step)).collect();
            let examples: Vec<&Example> = indices.into_iter().map(|i| &train[i]).collect();
            self.learner.task.prepare(&examples, progress)?;
            self.prepared = until;
        }
        Ok(self.batch_of(step))
    }

    /// The comparisons of a step.
    fn batch_of(&mut self, step: usize) -> Vec<usize> {
        let per_epoch = self.steps_per_epoch();
        let (epoch, index) = (step / per_epoch, step % per_epoch);
        let (batch, seed) = (self.config.training.batch, self.config.seed);
        let (train, shuffle) = (&self.train, self.config.training.shuffle);
        let ordered = || {
            let lengths: Vec<usize> = train.iter().map(|e| e.pair().row_length(0)).collect();
            let batches = match shuffle {
                Shuffle::Comparisons => order::epoch(&lengths, batch, seed, epoch),
                Shuffle::Prompts => {
                    let together = order::together(train);
                    order::epoch_of_groups(together, &lengths, batch, seed, epoch)
                }
            };
            (epoch, batches)
        };
        let (_, batches) = match self.order.take() {
            Some(order) if order.0 == epoch => self.order.insert(order),
            _ => self.order.insert(ordered()),
        };
        batches[index].clone()
    }

    /// These comparisons, each in the branch that is drawn for it in this pass, where the task has branches drawn.
    pub(super) fn drawn(&self, indices: &[usize]) -> Option<Vec<Example>> {
        let epoch = self.state.step / self.steps_per_epoch();
        let in_branch = |&i: &usize| {
            let uniform = order::uniform(self.config.seed, i);
            let branch = self.learner.task.draw(uniform, epoch)?;
            Some(self.train[i].drawn(branch))
        };
        indices.iter().map(in_branch).collect()
    }

    /// Comparisons that so many steps train on: the last batch of a pass over the data may be smaller.
    pub(super) fn comparisons(&self, steps: usize) -> usize {
        let (all, per_epoch) = (self.train.len(), self.steps_per_epoch());
        let partial = (steps % per_epoch) * self.config.training.batch;
        steps / per_epoch * all + partial.min(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_prepared_together_depends_on_the_step_alone() {
        let ends: Vec<usize> = [0, 1, 2, 3, 6, 7, 14, 15, 22, 23]
            .into_iter()
            .map(prepared_together)
            .collect();
        assert_eq!(ends, [1, 3, 3, 7, 7, 15, 15, 23, 23, 31]);
    }
}
