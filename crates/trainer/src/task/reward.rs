//! Learning rewards: what a response is worth to a user, as a number of its own (P-RM, arXiv 2402.05133, appendix F.2).
//!
//! The policy has a [`RewardHead`](crate::head::RewardHead) and adapters; no reference is needed. A response is read to its last
//! token, and worth what the head makes of the state there.

use burn::tensor::Tensor;
use pdpo_loss::{Branch, Branches, Objective, ObjectiveConfig, Pair, PairLogProbs, ScoredRow};
use serde_json::{Value, json};
use tracing::trace_span;
use user_model::RowBatch;

use super::{MicroBatch, Outputs, Ranking, Row, RowLosses, Task, ranked};
use crate::config::RewardSection;
use crate::error::TrainError;
use crate::example::Example;
use crate::metrics::Line;
use crate::pack::{Asked, DeviceBatch, RowTokens};
use crate::policy::{Policy, sum_responses};
use crate::profile::TARGET;
use crate::tokenise::TokenizedPair;

/// The loss of Bradley and Terry on a reward model's scores, in the user's branch and in the generic one.
#[derive(Clone, Debug)]
pub struct Reward {
    objective: Objective,
    head_rate: Option<f64>,
    settings: Value,
}

impl Reward {
    /// The task of a `[reward]` section; of `[objective]`, alpha weighs the users' own term, and branches may be drawn. Without a user
    /// model there is only the generic one.
    ///
    /// # Errors
    /// A number out of range, by its key.
    pub fn new(
        section: &RewardSection,
        objective: &ObjectiveConfig,
        has_users: bool,
    ) -> Result<Self, TrainError> {
        let mut settings = json!({ "reward": section, "objective": { "alpha": objective.alpha } });
        if objective.branches != Branches::default() {
            settings["objective"]["branches"] = json!(objective.branches);
        }
        Ok(Self {
            objective: section.objective(objective, has_users)?,
            head_rate: section.rate(),
            settings,
        })
    }

    /// Both rewards of each row, of which there is one for each response.
    fn scores(&self, micro: &MicroBatch<'_>, outputs: Outputs) -> Result<PairLogProbs, TrainError> {
        let device = outputs.values.device();
        let scores = sum_responses(outputs.values, &micro.on_device.membership);
        let (chosen, rejected) = micro.packed.response_lengths();
        let there = Pair {
            chosen: Tensor::from_floats(chosen.as_slice(), &device),
            rejected: Tensor::from_floats(rejected.as_slice(), &device),
        };
        Ok(PairLogProbs::new(scores, None, there)?)
    }
}

impl Ranking for Reward {
    fn margins(&self, micro: &MicroBatch<'_>, outputs: Outputs) -> Result<Tensor<1>, TrainError> {
        Ok((self.objective).margins(&self.scores(micro, outputs)?)?)
    }
}

impl Task for Reward {
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

    fn head_rate(&self) -> Option<f64> {
        self.head_rate
    }

    /// To the end, where they are judged.
    fn reads<'a>(&self, pair: &'a TokenizedPair) -> RowTokens<'a> {
        RowTokens::from(pair).asking(Asked::Worth)
    }

    fn outputs(
        &self,
        policy: &Policy,
        states: Tensor<2>,
        (batch, users): (&DeviceBatch, Option<&RowBatch>),
    ) -> Result<Outputs, TrainError> {
        Ok(Outputs {
            values: policy.rewards(states, batch, users)?,
            squares: None,
        })
    }

    fn losses(
        &self,
        micro: &MicroBatch<'_>,
        outputs: Outputs,
    ) -> Result<RowLosses<ScoredRow>, TrainError> {
        let _span = trace_span!(target: TARGET, "loss").entered();
        let scores = self.scores(micro, outputs)?;
        ranked::losses(&self.objective, &scores, micro.rows)
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
        // Scores have been in their place.
        line.logps_chosen = None;
        line.logps_rejected = None;
    }
}
