//! Comparisons made ready: token ids, whose they are, and what was cut.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use llm_backbone::{LoraConfig, Model};
use pref_data::{Comparison, Message, Prompt, Skipped};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use user_model::UserTable;

use crate::config::UsersSection;
use crate::error::TrainError;
use crate::example::{Example, Item};
use crate::policy::Policy;
use crate::tokenise::{Formatter, TokenizedPair};

/// Tokenised comparisons with what reports need to know of them.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The comparisons.
    pub items: Vec<Arc<Item>>,
    /// Prompts that were longer than allowed and lost their beginning.
    pub cut_prompts: usize,
    /// Users' own texts that left the prompt no room and lost their end.
    pub cut_user_texts: usize,
    /// Comparisons with a response that lost its end.
    pub cut_responses: usize,
    /// Comparisons whose responses are equal after that: they teach nothing.
    pub equal_after_cut: usize,
    /// Where the first of these stands, or how its prompt begins.
    pub first_equal: Option<String>,
    /// Thumbs among them.
    pub thumbs: usize,
}

/// The first words of a prompt, or of the last message of a chat.
fn beginning(prompt: &Prompt) -> String {
    const SHOWN: usize = 40;
    let text: Cow<'_, str> = match prompt {
        Prompt::Text(text) => text.into(),
        Prompt::Chat(messages) => messages.last().map(Message::content).unwrap_or_default(),
    };
    text.trim().chars().take(SHOWN).collect()
}

impl Dataset {
    /// Tokenises comparisons.
    ///
    /// # Errors
    /// A comparison the tokenizer or the chat template fails on, with its place, or none at all.
    pub fn new(comparisons: &[Comparison], formatter: &Formatter) -> Result<Self, TrainError> {
        let mut dataset = Self::default();
        for (number, comparison) in comparisons.iter().enumerate() {
            let pair = formatter.pair(comparison);
            let pair = pair.map_err(|error| placed(error, comparison, number))?;
            dataset.push(comparison, pair)?;
        }
        if dataset.items.is_empty() {
            let after = "to tokenise".into();
            return Err(TrainError::Empty { after });
        }
        Ok(dataset)
    }

    fn push(&mut self, comparison: &Comparison, pair: TokenizedPair) -> Result<(), TrainError> {
        self.thumbs += usize::from(comparison.thumb.is_some());
        self.cut_prompts += usize::from(pair.prompt.cut);
        self.cut_user_texts += usize::from(pair.prompt.user_text_cut);
        self.cut_responses += usize::from(pair.response_cut);
        if pair.chosen == pair.rejected {
            self.equal_after_cut += 1;
            let first = || match comparison.place.is_known() {
                true => comparison.place.to_string(),
                false => beginning(&comparison.prompt),
            };
            self.first_equal.get_or_insert_with(first);
        }
        let count = |text: &str| text.chars().count();
        let user = comparison.user.as_ref().map(|u| u.as_str().to_string());
        user.as_deref().map_or(Ok(()), UserTable::validate_id)?;
        let mut prompt = DefaultHasher::new();
        comparison.prompt.hash(&mut prompt);
        self.items.push(Arc::new(Item {
            prompt: prompt.finish(),
            group: comparison.group.clone(),
            characters: [count(&comparison.chosen), count(&comparison.rejected)],
            ..Item::new(pair, user)
        }));
        Ok(())
    }

    /// Gives every item its prompt with tokens that answer another prompt, for losses that need it; none where there is no other
    /// prompt. They are drawn from all responses of `pool`, or of these items themselves, liked or not, by the item's place alone.
    #[must_use]
    pub fn with_mismatched(mut self, pool: Option<&Self>) -> Self {
        let pool = &pool.unwrap_or(&self).items;
        let items = self.items.iter().enumerate();
        let with_other = |(at, item): (usize, &Arc<Item>)| {
            Arc::new(Item {
                mismatched: mismatched(at, item, pool),
                ..Item::clone(item)
            })
        };
        self.items = items.map(with_other).collect();
        self
    }

    /// What [`with_mismatched`](Self::with_mismatched) gave, as items of their own; none where it was not called.
    #[must_use]
    pub fn mismatched_items(&self) -> Self {
        let items = self.items.iter();
        Self {
            items: items.filter_map(|item| item.mismatched.clone()).collect(),
            ..Self::default()
        }
    }

    /// Whether items have what [`with_mismatched`](Self::with_mismatched) gives.
    pub fn has_mismatched(&self) -> bool {
        self.items.iter().all(|item| item.mismatched.is_some())
    }

    /// Fails if a row would not fit the model's context.
    ///
    /// # Errors
    /// [`TrainError::Context`].
    pub fn validate_context(&self, user_tokens: usize, limit: usize) -> Result<(), TrainError> {
        let longest = |item: &Arc<Item>| {
            let response = item.pair.chosen.len().max(item.pair.rejected.len());
            user_tokens + item.pair.prompt.ids.len() + response
        };
        let found = self.items.iter().map(longest).max().unwrap_or(0);
        if found > limit {
            return Err(TrainError::Context { found, limit });
        }
        Ok(())
    }

    /// Examples for training or evaluation. Ids that `table` does not know become the generic user; in training, add them
    /// first.
    pub fn examples(&self, table: Option<&UserTable>) -> Vec<Example> {
        let items = self.items.iter();
        items.map(|item| Example::new(item, table)).collect()
    }

    /// A policy at step 0 whose table knows every user of the data; see [`Policy::start`].
    ///
    /// # Errors
    /// Settings out of range, or LoRA targets that the model does not have.
    pub fn start_policy(
        &self,
        base: Model,
        lora: &LoraConfig,
        users: Option<&UsersSection>,
        seed: u64,
    ) -> Result<(Policy, Option<UserTable>), TrainError> {
        let (policy, mut table) = Policy::start(base, lora, users, self.users().len(), seed)?;
        if let Some(table) = &mut table {
            // In the order of their first comparison.
            for user in self.items.iter().filter_map(|i| i.user.as_deref()) {
                table.add(user);
            }
        }
        Ok((policy, table))
    }

    /// The users of the data, each once, in the order of their ids.
    pub fn users(&self) -> BTreeSet<&str> {
        self.items
            .iter()
            .filter_map(|i| i.user.as_deref())
            .collect()
    }
}

/// The prompt of `item`, which is at that place, with tokens of `pool` that answer another.
fn mismatched(at: usize, item: &Item, pool: &[Arc<Item>]) -> Option<Arc<Item>> {
    const DRAWS: usize = 64;
    let is_other = |&place: &usize| pool[place].prompt != item.prompt;
    let mut rng = ChaCha8Rng::seed_from_u64(at as u64);
    let drawn: [usize; DRAWS] = std::array::from_fn(|_| rng.random_range(0..pool.len().max(1)));
    let drawn = drawn.into_iter().find(is_other);
    // Where nearly all answer this one, none may be drawn.
    let place = drawn.or_else(|| (0..pool.len()).find(is_other))?;
    let other = &pool[place].pair;
    let mut responses = vec![&other.chosen, &other.rejected];
    responses.retain(|response| !response.is_empty());
    let pair = TokenizedPair {
        prompt: item.pair.prompt.clone(),
        chosen: responses[rng.random_range(0..responses.len().max(1))].clone(),
        rejected: Vec::new(),
        response_cut: false,
    };
    Some(Arc::new(Item::new(pair, item.user.clone())))
}

fn placed(error: TrainError, comparison: &Comparison, number: usize) -> TrainError {
    let place = match comparison.place.is_known() {
        true => comparison.place.to_string(),
        false => format!("comparison {}", number + 1),
    };
    TrainError::Comparison {
        place,
        source: Box::new(error),
    }
}

/// Tokenises comparisons, leaves out those whose messages the chat template refuses, or leaves no room for, and counts these.
/// Where none is left, the error names the first.
///
/// # Errors
/// A comparison that fails for another reason, with its place, or none left.
pub fn leave_out_refused(
    comparisons: &mut Vec<Comparison>,
    formatter: &Formatter,
    skipped: &mut Skipped,
) -> Result<Dataset, TrainError> {
    let mut kept = Vec::with_capacity(comparisons.len());
    let mut dataset = Dataset::default();
    let mut first = None;
    for (number, comparison) in std::mem::take(comparisons).into_iter().enumerate() {
        match formatter.pair(&comparison) {
            Ok(pair) => {
                dataset.push(&comparison, pair)?;
                kept.push(comparison);
            }
            Err(error) => match error.of_one_comparison() {
                Some(reason) => {
                    skipped.add(&reason, &comparison.place);
                    first.get_or_insert_with(|| placed(error, &comparison, number));
                }
                None => return Err(placed(error, &comparison, number)),
            },
        }
    }
    *comparisons = kept;
    match first {
        Some(first) if comparisons.is_empty() => Err(TrainError::Empty {
            after: format!("to tokenise; the first that was left out: {first}"),
        }),
        _ => Ok(dataset),
    }
}
