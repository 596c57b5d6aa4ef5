//! Learning preferences: the policy and its users from which of two responses is preferred.

use std::sync::OnceLock;

use burn::tensor::{Device, Tensor};
use pdpo_loss::{Branch, Objective, ObjectiveConfig, Pair, PairLogProbs, ScoredRow};
use serde_json::{Value, json};
use tracing::trace_span;
use user_model::RowBatch;

use super::{BatchFigures, MicroBatch, Outputs, Ranking, Row, RowLosses, Task, WholeBatch, ranked};
use crate::config;
use crate::error::TrainError;
use crate::example::{Example, Item, ReferenceLogProbs};
use crate::kl;
use crate::metrics::Line;
use crate::pack::DeviceBatch;
use crate::policy::{Policy, sum_responses};
use crate::profile::TARGET;
use crate::progress::Progress;
use crate::reference::Reference;

/// An objective, and the reference that it compares the policy with.
#[derive(Clone, Debug)]
pub struct Preference {
    objective: Objective,
    reference: Option<Reference>,
    settings: Value,
    estimates_kl: bool,
}

impl Preference {
    /// Any objective, with a loss of this workspace or of one's own. A loss that needs no reference gets none, and none is
    /// computed; one that needs it may do without where all examples have their log-probs already.
    pub fn new(objective: Objective, reference: Option<Reference>) -> Self {
        let settings = json!({ "objective": format!("{objective:?}") });
        Self {
            reference: reference.filter(|_| objective.needs_reference()),
            objective,
            settings,
            estimates_kl: true,
        }
    }

    /// The objective of a configuration; without a user model only its generic branch.
    ///
    /// # Errors
    /// A number out of range, by its key.
    pub fn from_config(
        config: &ObjectiveConfig,
        has_users: bool,
        reference: Option<Reference>,
    ) -> Result<Self, TrainError> {
        let task = Self::new(config::objective(config, has_users)?, reference);
        let settings = json!({ "objective": config });
        Ok(Self { settings, ..task })
    }

    /// The same with a KL term of 0 where the loss has one: for data that answers one prompt only, of which rewards are of interest.
    #[must_use]
    pub fn without_kl(mut self) -> Self {
        self.estimates_kl = false;
        self
    }

    /// The objective.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The reference's log-probs of some rows, `[rows]` each, which lie in `place`; none for a loss that needs none.
    fn reference_of(
        &self,
        rows: &[Row<'_>],
        place: fn(&Item) -> &OnceLock<ReferenceLogProbs>,
        device: &Device,
    ) -> Result<Option<Pair>, TrainError> {
        if !self.objective.needs_reference() {
            return Ok(None);
        }
        let known = rows.iter().map(|row| place(&row.example.item).get());
        let known: Option<Vec<&ReferenceLogProbs>> = known.collect();
        let known = known.ok_or(TrainError::NoReference)?;
        let column = |of: fn(&ReferenceLogProbs) -> f32| {
            let values: Vec<f32> = known.iter().map(|r| of(r)).collect();
            Tensor::from_floats(values.as_slice(), device)
        };
        Ok(Some(Pair {
            chosen: column(|r| r.chosen),
            rejected: column(|r| r.rejected),
        }))
    }

    /// What the objective needs of some rows, from the log-probs of their tokens.
    fn pairs(&self, micro: &MicroBatch<'_>, outputs: Outputs) -> Result<PairLogProbs, TrainError> {
        let membership = &micro.on_device.membership;
        let device = outputs.values.device();
        let policy = sum_responses(outputs.values.clone(), membership);
        let (chosen, rejected) = micro.packed.response_lengths();
        let tokens = Pair {
            chosen: Tensor::from_floats(chosen.as_slice(), &device),
            rejected: Tensor::from_floats(rejected.as_slice(), &device),
        };
        let reference = self.reference_of(micro.rows, |item| &item.reference, &device)?;
        let mut pairs = PairLogProbs::new(policy, reference, tokens)?;
        if self.objective.needs_shared() {
            let shared = micro.packed.shared_membership(&device);
            let policy = sum_responses(outputs.values, &shared);
            let reference =
                self.reference_of(micro.rows, |item| &item.shared_reference, &device)?;
            pairs = pairs.with_shared(policy, reference)?;
        }
        if let Some(squares) = outputs.squares {
            let membership = membership.clone().without_autodiff();
            pairs = pairs.with_squares(sum_responses(squares, &membership))?;
        }
        let kl = micro.rows.iter().map(|row| micro.figures.kl(row.branch));
        if let Some(kl) = kl.collect::<Option<Vec<f32>>>() {
            pairs = pairs.with_kl(Tensor::from_floats(kl.as_slice(), &device))?;
        }
        Ok(pairs)
    }
}

impl Ranking for Preference {
    fn margins(&self, micro: &MicroBatch<'_>, outputs: Outputs) -> Result<Tensor<1>, TrainError> {
        Ok(self.objective.margins(&self.pairs(micro, outputs)?)?)
    }
}

impl Task for Preference {
    type Report = ScoredRow;

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    fn branches(&self) -> &'static [Branch] {
        self.objective.branches()
    }

    fn draw(&self, uniform: f64, epoch: usize) -> Option<Branch> {
        ranked::draw(&self.objective, uniform, epoch)
    }

    fn rows_each(&self) -> usize {
        self.objective.rows_each()
    }

    fn needs_whole_batch(&self) -> bool {
        self.objective.needs_batch_statistics()
    }

    fn prepare(&self, examples: &[&Example], progress: &dyn Progress) -> Result<(), TrainError> {
        let Some(reference) = &self.reference else {
            return Ok(());
        };
        reference.fill(examples, progress)?;
        if self.objective.needs_shared() {
            reference.fill_shared(examples, progress)?;
        }
        if self.needs_figures() {
            let mismatched = examples.iter().filter_map(|example| example.mismatched());
            let mismatched: Vec<Example> = mismatched.collect();
            reference.fill(&mismatched.iter().collect::<Vec<_>>(), progress)?;
        }
        Ok(())
    }

    fn needs_figures(&self) -> bool {
        self.objective.needs_kl()
    }

    fn figures(&self, batch: WholeBatch<'_>) -> Result<BatchFigures, TrainError> {
        match self.needs_figures() {
            true if !self.estimates_kl => Ok(BatchFigures::without_kl()),
            true => kl::estimate(self, batch),
            false => Ok(BatchFigures::default()),
        }
    }

    fn outputs(
        &self,
        policy: &Policy,
        states: Tensor<2>,
        (batch, _): (&DeviceBatch, Option<&RowBatch>),
    ) -> Result<Outputs, TrainError> {
        let (model, targets) = (&policy.model, batch.targets.clone());
        if !self.objective.needs_squares() {
            return Ok(Outputs {
                values: model.log_probs(states, targets),
                squares: None,
            });
        }
        let (values, squares) = model.log_probs_and_squares(states, targets);
        Ok(Outputs {
            values,
            squares: Some(squares),
        })
    }

    fn losses(
        &self,
        micro: &MicroBatch<'_>,
        outputs: Outputs,
    ) -> Result<RowLosses<ScoredRow>, TrainError> {
        let _span = trace_span!(target: TARGET, "loss").entered();
        let pairs = self.pairs(micro, outputs)?;
        ranked::losses(&self.objective, &pairs, micro.rows)
    }

    fn size(&self, batch: &[&Example]) -> usize {
        batch.len()
    }

    fn share(
        &self,
        losses: Tensor<1>,
        rows: &[Row<'_>],
        size: usize,
    ) -> Result<Tensor<1>, TrainError> {
        ranked::share(&self.objective, losses, rows, size)
    }

    fn mean_loss(&self, reports: &[ScoredRow]) -> f64 {
        ranked::mean_loss(reports)
    }

    fn describe(&self, line: &mut Line, rows: &[(&Example, &ScoredRow)]) {
        line.describe_preferences(rows);
    }
}
