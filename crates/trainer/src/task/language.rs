//! Learning language: supervised fine-tuning on the responses of comparisons, the stage before preference learning.
//!
//! A comparison is one packed row here too: the prompt once, then one response or both, each scored.

use burn::tensor::Tensor;
use pdpo_loss::Branch;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracing::trace_span;

use super::{MicroBatch, Outputs, Row, RowLosses, Task};
use crate::error::TrainError;
use crate::example::Example;
use crate::host::host;
use crate::metrics::Line;
use crate::pack::{Asked, RowTokens};
use crate::policy::sum_responses;
use crate::profile::TARGET;
use crate::tokenise::TokenizedPair;

/// Which responses are learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Responses {
    /// The preferred one alone.
    Chosen,
    /// Both.
    Both,
}

/// The mean negative log-likelihood per learnt token, in nats.
#[derive(Clone, Copy, Debug)]
pub struct Language {
    /// Which responses are learnt.
    pub responses: Responses,
    /// Learn the prompts' text as well: for models made from scratch.
    pub prompts_too: bool,
}

/// What one row did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LanguageRow {
    /// The negative log-likelihood of all its learnt tokens together, in nats.
    pub nll: f32,
    /// How many tokens these are.
    pub tokens: usize,
}

impl Language {
    fn learnt_tokens(&self, pair: &TokenizedPair) -> usize {
        let rejected = match self.responses {
            Responses::Chosen => 0,
            Responses::Both => pair.rejected.len(),
        };
        let prompt = match self.prompts_too {
            true => pair.prompt.ids.len().saturating_sub(1), // Nothing stands before the first.
            false => 0,
        };
        prompt + pair.chosen.len() + rejected
    }
}

impl Task for Language {
    type Report = LanguageRow;

    fn settings(&self) -> Value {
        json!({ "sft": { "responses": self.responses, "prompts_too": self.prompts_too } })
    }

    fn branches(&self) -> &'static [Branch] {
        &[Branch::Generic]
    }

    fn learns_from(&self, pair: &TokenizedPair) -> bool {
        self.responses == Responses::Both || !pair.chosen.is_empty()
    }

    fn reads<'a>(&self, pair: &'a TokenizedPair) -> RowTokens<'a> {
        let tokens = match self.responses {
            Responses::Chosen => RowTokens::chosen_alone(pair),
            Responses::Both => pair.into(),
        };
        match self.prompts_too {
            true => tokens.asking(Asked::WholeText),
            false => tokens,
        }
    }

    fn losses(
        &self,
        micro: &MicroBatch<'_>,
        outputs: Outputs,
    ) -> Result<RowLosses<LanguageRow>, TrainError> {
        let _span = trace_span!(target: TARGET, "loss").entered();
        let sums = sum_responses(outputs.values, &micro.on_device.membership);
        let losses = (sums.chosen + sums.rejected).neg();
        let nll = host(losses.clone().without_autodiff())?;
        let tokens = micro.rows.iter();
        let tokens = tokens.map(|row| self.learnt_tokens(row.example.pair()));
        let reports = nll.into_iter().zip(tokens);
        Ok(RowLosses {
            losses,
            reports: reports
                .map(|(nll, tokens)| LanguageRow { nll, tokens })
                .collect(),
        })
    }

    fn size(&self, batch: &[&Example]) -> usize {
        let tokens = batch.iter().map(|e| self.learnt_tokens(e.pair()));
        tokens.sum()
    }

    fn share(
        &self,
        losses: Tensor<1>,
        _: &[Row<'_>],
        size: usize,
    ) -> Result<Tensor<1>, TrainError> {
        Ok(losses.sum().div_scalar(size.max(1) as f64))
    }

    fn mean_loss(&self, reports: &[LanguageRow]) -> f64 {
        let nll: f64 = reports.iter().map(|row| f64::from(row.nll)).sum();
        let tokens: usize = reports.iter().map(|row| row.tokens).sum();
        nll / tokens.max(1) as f64
    }

    fn describe(&self, line: &mut Line, rows: &[(&Example, &LanguageRow)]) {
        let _ = (line, rows); // The loss says it all.
    }
}
