//! The policy: a language model with adapters and a user model, from packed rows to response log-probs.

use burn::module::Module;
use burn::tensor::Tensor;
use llm_backbone::{LoraConfig, Model, ModelInput, soft_prompt};
use pdpo_loss::Pair;
use user_model::{RowBatch, UserModel, UserTable, Vocabulary};

use crate::config::{UsersSection, refused};
use crate::error::TrainError;
use crate::pack::{DeviceBatch, PackedBatch};

/// What a step trains: the adapters of the model and the shared tensors of the user model. The users' own rows live in
/// their [`UserTable`].
#[derive(Module, Debug)]
pub struct Policy {
    /// The language model.
    pub model: Model,
    /// The user model; none for the SFT model and vanilla DPO.
    pub users: Option<UserModel>,
}

impl Policy {
    /// A policy without user model.
    pub fn plain(model: Model) -> Self {
        Self { model, users: None }
    }

    /// A policy at step 0: fresh adapters on `base` and, where `users` says so, a user model for `count` users with an empty
    /// table.
    ///
    /// # Errors
    /// Settings out of range, or LoRA targets that the model does not have.
    pub fn start(
        base: Model,
        lora: &LoraConfig,
        users: Option<&UsersSection>,
        count: usize,
        seed: u64,
    ) -> Result<(Self, Option<UserTable>), TrainError> {
        let device = base.device();
        let vocabulary = Vocabulary::new(base.vocabulary());
        let model = base.with_lora(lora, seed)?;
        let Some(users) = users else {
            return Ok((Self::plain(model), None));
        };
        let settings = users.model_config(count, model.d_model(), seed);
        settings.validate().map_err(refused)?;
        let table = UserTable::new(settings.clone())?.with_vocabulary(vocabulary.clone());
        let users = Some(settings.init(Some(&vocabulary), &device).map_err(refused)?);
        Ok((Self { model, users }, Some(table)))
    }

    /// Soft tokens per sequence.
    pub fn user_tokens(&self) -> usize {
        self.users
            .as_ref()
            .map_or(0, |users| users.config().user_tokens)
    }

    /// Token log-probs of all scored tokens of a packed batch, `[scored]`, in the order of its targets.
    ///
    /// `users` holds one row per row of the batch where the batch has soft tokens.
    pub fn token_log_probs(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Tensor<1> {
        let hidden = self.scored_states(packed, batch, users);
        self.model.log_probs(hidden, batch.targets.clone())
    }

    /// The states that predict the scored tokens, `[scored, d]`.
    pub(crate) fn scored_states(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Tensor<2> {
        let hidden = self.model.forward(ModelInput {
            embeddings: self.embeddings(packed, batch, users),
            positions: batch.positions.clone(),
            visible: batch.visible.clone(),
            cache: None,
        });
        let [rows, seq, d] = hidden.dims();
        hidden
            .reshape([rows * seq, d])
            .select(0, batch.predictors.clone())
    }

    /// What the model's first block gets, `[rows, seq, d]`: tokens with the users' soft tokens among them.
    pub fn embeddings(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Tensor<3> {
        let embeddings = self.model.embed(batch.ids.clone());
        match (&self.users, users) {
            (Some(model), Some(users)) if packed.soft > 0 => {
                soft_prompt::insert(embeddings, model.soft_prompt(users), &packed.soft_at)
            }
            _ => embeddings,
        }
    }

    /// Sums of the token log-probs of each response, `[rows]` each.
    pub fn response_log_probs(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Pair {
        sum_responses(
            self.token_log_probs(packed, batch, users),
            &batch.membership,
        )
    }
}

/// Adds numbers of tokens, `[scored]`, up per response: `[rows]` each. `membership` is `[2 * rows, scored]`, 1 where a token counts
/// for a response.
pub(crate) fn sum_responses(tokens: Tensor<1>, membership: &Tensor<2>) -> Pair {
    let [scored] = tokens.dims();
    let [responses, _] = membership.dims();
    let sums = membership
        .clone()
        .matmul(tokens.reshape([scored, 1]))
        .reshape([responses / 2, 2]);
    let side = |s: usize| sums.clone().narrow(1, s, 1).reshape([responses / 2]);
    Pair {
        chosen: side(0),
        rejected: side(1),
    }
}
