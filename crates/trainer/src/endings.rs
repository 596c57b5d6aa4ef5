//! How likely a response is to end before its first word: what a policy that learns "shorter is better" without end moves, long
//! before a sampled response is empty.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{DType, Int, Tensor, TensorData};
use user_model::{UserRef, UserTable};

use crate::config::UserTokens;
use crate::error::TrainError;
use crate::host::host;
use crate::pack::{PackedBatch, RowTokens};
use crate::policy::Policy;
use crate::progress::Progress;
use crate::replicas;
use crate::tokenise::TokenizedPrompt;

/// Prompts whose empty response is watched; see [`Session::with_endings`](crate::session::Session::with_endings).
#[derive(Clone, Debug, Default)]
pub struct Endings {
    /// The prompts.
    pub prompts: Vec<TokenizedPrompt>,
    /// Users beside the generic one; they count where the policy has a table of users.
    pub users: Vec<String>,
    /// The ids that end a response, such as [`Formatter::stop_ids`](crate::tokenise::Formatter::stop_ids).
    pub stop_ids: Vec<u32>,
}

impl Endings {
    /// The probability that the first token of a response is one of those that end it, at temperature 1: the mean over the prompts,
    /// by user; `""` is the generic user. `micro_rows` prompts are read at a time on each core. Empty without prompts or ids.
    ///
    /// # Errors
    /// Users that the table does not know, or [`TrainError::Stopped`].
    pub fn measure(
        &self,
        policy: &Policy,
        table: Option<&UserTable>,
        micro_rows: usize,
        progress: &dyn Progress,
    ) -> Result<BTreeMap<String, f64>, TrainError> {
        const WHAT: &str = "endings";
        let policy = policy.valid();
        let known = self.users.iter().filter(|_| table.is_some());
        let users: Vec<&str> = std::iter::once("")
            .chain(known.map(String::as_str))
            .collect();
        let prompts = self.prompts.iter().filter(|_| !self.stop_ids.is_empty());
        // Rows of a prompt side by side, because they are equally long.
        let rows: Vec<(&TokenizedPrompt, &str)> = prompts
            .flat_map(|prompt| users.iter().map(move |&user| (prompt, user)))
            .collect();
        let threads = replicas::on(&policy.model.device());
        let micro_rows = micro_rows.max(1);
        let mut sums = BTreeMap::<String, f64>::new();
        let mut done = 0;
        for round in rows.chunks(micro_rows.saturating_mul(threads)) {
            if progress.stopped() {
                return Err(TrainError::Stopped);
            }
            let chunks: Vec<_> = round.chunks(micro_rows).collect();
            let found = replicas::map(&chunks, threads, |chunk| {
                self.probabilities(&policy, table, chunk)
            });
            for (chunk, found) in chunks.into_iter().zip(found) {
                for ((_, user), probability) in chunk.iter().zip(found?) {
                    *sums.entry((*user).to_owned()).or_default() += f64::from(probability);
                }
            }
            done += round.len();
            progress.report(WHAT, done, rows.len());
        }
        let count = self.prompts.len() as f64;
        sums.values_mut().for_each(|sum| *sum /= count);
        Ok(sums)
    }

    /// One forward pass.
    fn probabilities(
        &self,
        policy: &Policy,
        table: Option<&UserTable>,
        rows: &[(&TokenizedPrompt, &str)],
    ) -> Result<Vec<f32>, TrainError> {
        let device = policy.model.device();
        // Of an empty response only the end is predicted, by the last token of the prompt.
        let end = &self.stop_ids[..1];
        let tokens = rows.iter();
        let tokens: Vec<RowTokens<'_>> = tokens
            .map(|(prompt, _)| RowTokens::ending(prompt, end))
            .collect();
        let UserTokens { soft, prefix } = policy.places();
        let packed =
            PackedBatch::of_rows(&tokens, &vec![1; tokens.len()], soft, &device).behind(prefix);
        let on_device = packed.to_device(&device);
        let users = match table {
            Some(table) => {
                let users: Vec<UserRef> = rows.iter().map(|(_, user)| user_ref(user)).collect();
                Some(table.batch(&users, &device)?)
            }
            None => None,
        };
        let states = policy.scored_states(&packed, &on_device, users.as_ref());
        let all = softmax(policy.model.logits(states).cast(DType::F32), 1);
        let ids: Vec<i32> = self.stop_ids.iter().map(|&id| id as i32).collect();
        let ids = TensorData::new(ids, [self.stop_ids.len()]);
        let ends = all.select(1, Tensor::<1, Int>::from_data(ids, &device));
        host(ends.sum_dim(1).reshape([rows.len()]))
    }
}

/// `""` is the generic user.
fn user_ref(user: &str) -> UserRef {
    match user {
        "" => UserRef::Generic,
        id => UserRef::id(id),
    }
}
