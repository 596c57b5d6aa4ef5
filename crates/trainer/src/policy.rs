//! The policy: a language model with adapters and a user model, from packed rows to response log-probs.

use burn::module::Module;
use burn::tensor::Tensor;
use llm_backbone::{LoraConfig, Model, ModelInput, Prefix, soft_prompt};
use pdpo_loss::Pair;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use user_model::{Init, RowBatch, RowInit, UserModel, UserModelConfig, UserTable, Vocabulary};

use crate::config::{Head, UserTokens, UsersSection, refused};
use crate::error::TrainError;
use crate::head::RewardHead;
use crate::pack::{DeviceBatch, PackedBatch};

/// What a step trains: the adapters of the model and the shared tensors of the user model. The users' own rows live in
/// their [`UserTable`].
#[derive(Module, Debug)]
pub struct Policy {
    /// The language model.
    pub model: Model,
    /// The user model; none for the SFT model and vanilla DPO.
    pub users: Option<UserModel>,
    /// What makes rewards of states; none for a model that writes.
    pub head: Option<RewardHead>,
}

impl Policy {
    /// A policy without user model.
    pub fn plain(model: Model) -> Self {
        Self::new(model, None)
    }

    /// A policy that writes for users.
    pub fn new(model: Model, users: Option<UserModel>) -> Self {
        Self {
            model,
            users,
            head: None,
        }
    }

    /// The same with a head that makes rewards of states, as it is before the first step.
    #[must_use]
    pub fn with_head(self, head: Head) -> Self {
        let head = RewardHead::new(head, self.model.d_model(), &self.model.device());
        Self {
            head: Some(head),
            ..self
        }
    }

    /// Refuses a reward model without adapters, which are what it is trained by beside its head.
    pub(crate) fn validate_head(&self) -> Result<(), TrainError> {
        if self.head.is_some() && self.model.num_adapter_params() == 0 {
            let expected = "layers with adapters, which a reward model is trained by";
            return Err(TrainError::config("lora.targets", "none", expected));
        }
        Ok(())
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
        let adapted = |base: Model| base.with_lora(lora, seed).map_err(TrainError::of_lora);
        let Some(users) = users else {
            return Ok((Self::plain(adapted(base)?), None));
        };
        let device = base.device();
        let settings = users.model_config(count, base.config(), seed);
        settings.validate().map_err(refused)?;
        let vocabulary = vocabulary(&base, &settings)?;
        let model = adapted(base)?;
        let users = settings.init(vocabulary.as_ref(), &device);
        let users = Some(users.map_err(refused)?);
        let table = with_rows_from(UserTable::new(settings)?, vocabulary);
        Ok((Self::new(model, users), Some(table)))
    }

    /// The positions that a sequence has for its user: `T_u`, 0 without a user model, or where a user's vector is the head.
    pub fn user_tokens(&self) -> usize {
        let UserTokens { soft, prefix } = self.places();
        soft + prefix
    }

    /// Whether a user's vector is the head, and stands in no sequence.
    pub(crate) fn has_user_heads(&self) -> bool {
        self.head.as_ref().map(RewardHead::kind) == Some(Head::User)
    }

    /// Where these stand.
    pub fn places(&self) -> UserTokens {
        let in_sequence = self.users.as_ref().filter(|_| !self.has_user_heads());
        in_sequence.map_or(UserTokens::default(), |users| {
            let config = users.config();
            UserTokens::of(config.kind, config.user_tokens)
        })
    }

    /// Token log-probs of all scored tokens of a packed batch, `[scored]`, in the order of its targets.
    ///
    /// `users` holds one row per row of the batch where users have soft tokens or a prefix.
    pub fn token_log_probs(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Tensor<1> {
        let hidden = self.scored_states(packed, batch, users);
        self.model.log_probs(hidden, batch.targets.clone())
    }

    /// Rewards of the responses whose last tokens have these states, `[scored, d]`: `[scored]` in f32.
    pub(crate) fn rewards(
        &self,
        states: Tensor<2>,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Result<Tensor<1>, TrainError> {
        let head = self.head.as_ref().ok_or(TrainError::NoHead)?;
        let rewards = head.rewards(states, batch, self.users.as_ref().zip(users));
        rewards.ok_or(TrainError::NoHead)
    }

    /// The states that scored tokens are predicted, or judged, by: `[scored, d]`.
    pub(crate) fn scored_states(
        &self,
        packed: &PackedBatch,
        batch: &DeviceBatch,
        users: Option<&RowBatch>,
    ) -> Tensor<2> {
        let prefix = self.prefix(users).map(Prefix::new);
        let hidden = self.model.forward(ModelInput {
            embeddings: self.embeddings(packed, batch, users),
            positions: batch.positions.clone(),
            visible: batch.visible.clone(),
            prefix: prefix.as_ref(),
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

    /// The users' keys and values in front of their rows, `[rows, T_u, width]`; none where they have none.
    pub(crate) fn prefix(&self, users: Option<&RowBatch>) -> Option<Tensor<3>> {
        let (model, users) = (self.users.as_ref()?, users?);
        (self.places().prefix > 0).then(|| model.soft_prompt(users))
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

/// The table with the vocabulary if users' rows start from it: else a copy of the embedding in f32 would be kept for nothing.
pub(crate) fn with_rows_from(table: UserTable, vocabulary: Option<Vocabulary>) -> UserTable {
    match vocabulary.filter(|_| rows_start_from_vocabulary(table.config())) {
        Some(vocabulary) => table.with_vocabulary(vocabulary),
        None => table,
    }
}

/// Whether a user's row starts from rows of the vocabulary.
pub(crate) fn rows_start_from_vocabulary(users: &UserModelConfig) -> bool {
    users.row_init() == RowInit::Vocabulary
}

/// What user tokens start from, if it is of the model: the embeddings of all tokens, or the keys and values that `base` makes of
/// `T_u` tokens drawn by the seed.
fn vocabulary(base: &Model, users: &UserModelConfig) -> Result<Option<Vocabulary>, TrainError> {
    let of_embedding = || Some(Vocabulary::new(base.vocabulary()));
    if rows_start_from_vocabulary(users) {
        return Ok(of_embedding());
    }
    if users.shared_init != Init::Vocabulary || users.user_tokens == 0 {
        return Ok(None);
    }
    if !users.kind.is_prefix() {
        return Ok(of_embedding());
    }
    let (count, tokens) = (users.user_tokens, base.config().vocab_size());
    if count > tokens {
        let expected = format!("at most the {tokens} tokens of the model, to start from");
        return Err(TrainError::config("users.user_tokens", count, expected));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(users.seed);
    let drawn = index::sample(&mut rng, tokens, count).into_iter();
    let drawn: Vec<u32> = drawn.map(|token| token as u32).collect();
    Ok(Some(Vocabulary::new(base.keys_and_values(&drawn)?)))
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

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use llm_backbone::config::{ModelConfig, Sizes};

    use super::*;

    #[test]
    fn the_vocabulary_is_kept_only_where_rows_start_from_it() {
        let sizes = Sizes {
            vocab_size: 64,
            hidden_size: 8,
            num_layers: 1,
            num_heads: 1,
            num_kv_heads: 1,
            head_dim: 8,
            max_positions: 16,
            ties_embeddings: true,
            bos_token_id: None,
            eos_token_ids: vec![1],
        };
        let config = ModelConfig::from_scratch(sizes, 8);
        let model = Model::random(&config, 0, &Device::flex()).unwrap();
        for (section, expected) in [
            ("", false),
            ("init = \"zeros\"", false),
            ("kind = \"uniform\"", false),
            ("kind = \"cluster\"\nclusters = 2", false),
            ("kind = \"prefix\"", false),
            ("row_init = \"vocabulary\"", true),
            ("generic = false", true),
        ] {
            let users: UsersSection = toml::from_str(section).unwrap();
            let lora = LoraConfig::default();
            let start = Policy::start(model.clone(), &lora, Some(&users), 2, 0);
            let (_, table) = start.expect(section);
            assert_eq!(table.unwrap().vocabulary().is_some(), expected, "{section}");
        }
    }
}
