//! Learning from what the policy writes itself: responses are sampled for users, a [`Scorer`] says what each is worth to its user, and
//! the policy moves towards the better ones (policy optimisation, arXiv 2402.05133, equation 3, with the personalised policy and
//! reward model).
//!
//! An example of the data is a prompt and whose it is. A step begins with [`Task::made`]: it samples, scores, and makes the examples that
//! are learnt from (`rollout.rs`). With RLOO and GRPO an example is two responses with an advantage each, with online DPO it is a
//! comparison of the best response with the worst, for the ordinary objective; nothing is learnt of a group whose responses are all worth the same.
//!
//! Both branches write for themselves: the user's responses are scored for the user and weigh `alpha`, the generic user's are scored
//! for the generic user and weigh `1 - alpha`.

mod gradient;
mod report;
mod rollout;
mod sample;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::Tensor;
use llm_backbone::Model;
use pdpo_loss::{Branch, Branches, ObjectiveConfig, Personalised, PolicyGradient};
use serde_json::{Value, json};
use user_model::RowBatch;

use super::{MicroBatch, Moment, Outputs, Preference, Row, RowLosses, Task};
use crate::config::OnlineSection;
use crate::error::TrainError;
use crate::example::Example;
use crate::metrics::Line;
use crate::pack::{Asked, DeviceBatch, RowTokens};
use crate::policy::Policy;
use crate::scorer::Scorer;
use crate::tokenise::{Formatter, TokenizedPair};
pub use report::OnlineRow;
pub use sample::{Sample, Sampled};

/// Policy optimisation against a [`Scorer`].
#[derive(Clone, Debug)]
pub struct Online {
    section: OnlineSection,
    method: Method,
    mix: Personalised,
    seed: u64,
    micro_rows: usize,
    formatter: Formatter,
    /// The frozen base model.
    reference: Policy,
    scorer: Arc<dyn Scorer>,
    settings: Value,
}

/// What samples are learnt by.
#[derive(Clone, Debug)]
enum Method {
    Gradient(PolicyGradient),
    Preference(Box<Preference>),
}

/// What an [`Online`] task writes with, and who scores.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Moves every draw.
    pub seed: u64,
    /// Packed rows that are computed at a time on each core.
    pub micro_rows: usize,
    /// Text to ids.
    pub formatter: Formatter,
    /// The frozen base model.
    pub reference: Model,
    /// Who scores.
    pub scorer: Arc<dyn Scorer>,
}

impl Online {
    /// The task of an `[online]` section; of `[objective]` alpha counts, and with `dpo` all of it. Without a user model there is only the
    /// generic branch.
    ///
    /// # Errors
    /// A number out of range, or a loss that cannot be learnt from comparisons made in the step, by its key; a scorer without a key.
    pub fn new(
        section: &OnlineSection,
        objective: &ObjectiveConfig,
        has_users: bool,
        surroundings: Surroundings,
    ) -> Result<Self, TrainError> {
        let preference = Self::preference(section, objective, has_users)?;
        let mix = preference.objective().mix();
        let mut settings = json!({
            "online": section.said(),
            "objective": { "alpha": objective.alpha },
            "reward_model": surroundings.scorer.key()?,
        });
        let method = match section.gradient() {
            Some(gradient) => Method::Gradient(gradient),
            None => {
                settings["objective"] = json!(objective);
                Method::Preference(Box::new(preference))
            }
        };
        Ok(Self {
            section: section.said(),
            method,
            mix,
            seed: surroundings.seed,
            micro_rows: surroundings.micro_rows.max(1),
            formatter: surroundings.formatter,
            reference: Policy::plain(surroundings.reference.valid()),
            scorer: surroundings.scorer,
            settings,
        })
    }

    /// The objective that samples are learnt by with `dpo`, of which the other methods read alpha.
    ///
    /// # Errors
    /// As [`Online::new`], but for the scorer.
    pub(crate) fn preference(
        section: &OnlineSection,
        objective: &ObjectiveConfig,
        has_users: bool,
    ) -> Result<Preference, TrainError> {
        section.validate()?;
        let preference = Preference::from_config(objective, has_users, None)?;
        if section.gradient().is_none() {
            validate_alone(&preference, objective)?;
        }
        Ok(preference)
    }

    /// The temperature of the log-probs that are learnt from: with a policy gradient that of sampling.
    fn temperature(&self) -> f32 {
        match self.method {
            Method::Gradient(_) => self.section.sampled_at(),
            Method::Preference(_) => 1.0,
        }
    }

    /// Log-probs of scored tokens.
    fn log_probs(&self, policy: &Policy, states: Tensor<2>, batch: &DeviceBatch) -> Tensor<1> {
        let targets = batch.targets.clone();
        let temperature = self.temperature();
        policy.model.log_probs_at(states, targets, temperature)
    }

    /// The pull towards the reference that rewards are compared with in validation.
    fn beta(&self) -> f64 {
        match &self.method {
            Method::Gradient(gradient) => gradient.beta(),
            Method::Preference(_) => 0.0,
        }
    }

    /// Prompts of so many examples, each of which stands there once in either branch.
    fn prompts(&self, examples: usize) -> usize {
        let groups = examples / self.examples_per_group();
        groups / self.mix.branches().len()
    }

    /// Examples that the responses to one prompt in one branch become.
    fn examples_per_group(&self) -> usize {
        match self.method {
            Method::Gradient(_) => self.section.generations().div_ceil(2),
            Method::Preference(_) => 1,
        }
    }
}

/// Refuses losses that look at other comparisons than the row's own, and branches that are drawn: responses are written in both.
fn validate_alone(preference: &Preference, config: &ObjectiveConfig) -> Result<(), TrainError> {
    let objective = preference.objective();
    if config.branches == Branches::Sampled {
        let expected =
            "both in online runs: responses are written, and learnt from, in either branch";
        return Err(TrainError::config(
            "objective.branches",
            "sampled",
            expected,
        ));
    }
    match objective.needs_kl() || objective.needs_batch_statistics() {
        true => Err(TrainError::config(
            "objective.loss",
            config.loss.name(),
            "a loss of one comparison by itself with online.method = \"dpo\", such as dpo or ipo",
        )),
        false => Ok(()),
    }
}

impl Task for Online {
    type Report = OnlineRow;

    fn settings(&self) -> Value {
        self.settings.clone()
    }

    /// What is made names its user itself, the generic one too.
    fn branches(&self) -> &'static [Branch] {
        &[Branch::User]
    }

    fn made(
        &self,
        examples: &[&Example],
        moment: Moment<'_>,
    ) -> Result<Option<Vec<Example>>, TrainError> {
        rollout::made(self, examples, moment).map(Some)
    }

    fn examples_of(&self, examples: usize) -> usize {
        let of_one = self.examples_per_group() * self.mix.branches().len();
        examples.saturating_mul(of_one)
    }

    fn updates(&self) -> usize {
        self.section.num_iterations
    }

    fn reads<'a>(&self, pair: &'a TokenizedPair) -> RowTokens<'a> {
        match &self.method {
            Method::Gradient(_) => RowTokens::from(pair).asking(Asked::Samples),
            Method::Preference(preference) => preference.reads(pair),
        }
    }

    /// Two responses of the greatest length.
    fn row_length(&self, pair: &TokenizedPair, soft: usize) -> usize {
        soft + pair.prompt.ids.len() + 2 * self.section.most_tokens()
    }

    fn outputs(
        &self,
        policy: &Policy,
        states: Tensor<2>,
        (batch, users): (&DeviceBatch, Option<&RowBatch>),
    ) -> Result<Outputs, TrainError> {
        match &self.method {
            Method::Gradient(_) => Ok(Outputs {
                values: self.log_probs(policy, states, batch),
                squares: None,
            }),
            Method::Preference(preference) => preference.outputs(policy, states, (batch, users)),
        }
    }

    fn losses(
        &self,
        micro: &MicroBatch<'_>,
        outputs: Outputs,
    ) -> Result<RowLosses<OnlineRow>, TrainError> {
        match &self.method {
            Method::Gradient(gradient) => {
                let losses = gradient::losses(gradient, micro, outputs)?;
                let reports = micro.rows.iter().map(|row| self.report(row, None));
                Ok(RowLosses {
                    reports: reports.collect(),
                    losses,
                })
            }
            Method::Preference(preference) => {
                let RowLosses { losses, reports } = preference.losses(micro, outputs)?;
                let differing = sample::differing(micro.rows, &losses.device())?;
                let losses = losses * differing;
                let rows = micro.rows.iter().zip(reports);
                let reports = rows.map(|(row, scored)| self.report(row, Some(scored)));
                Ok(RowLosses {
                    reports: reports.collect(),
                    losses,
                })
            }
        }
    }

    fn size(&self, batch: &[&Example]) -> usize {
        self.prompts(batch.len())
    }

    /// With a policy gradient, losses have their weights already.
    fn share(
        &self,
        losses: Tensor<1>,
        rows: &[Row<'_>],
        size: usize,
    ) -> Result<Tensor<1>, TrainError> {
        match &self.method {
            Method::Gradient(_) => Ok(losses.sum()),
            Method::Preference(_) => {
                let sampled = rows.iter().map(|row| sample::of(row.example));
                let branches: Result<Vec<Branch>, TrainError> =
                    sampled.map(|sampled| Ok(sampled?.branch)).collect();
                let branches = branches?;
                Ok(self.mix.combine(losses, &branches, size)?)
            }
        }
    }

    fn mean_loss(&self, reports: &[OnlineRow]) -> f64 {
        report::mean_loss(self.mix, reports)
    }

    fn describe(&self, line: &mut Line, rows: &[(&Example, &OnlineRow)]) {
        report::describe(line, rows);
        if let Some(effort) = self.scorer.effort() {
            line.scorer_calls = Some(effort.calls);
            line.scorer_cached = Some(effort.cached);
        }
    }
}
