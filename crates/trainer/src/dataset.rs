//! Comparisons made ready: token ids, whose they are, and what was cut.

use std::collections::BTreeSet;

use llm_backbone::Model;
use pref_data::Comparison;
use user_model::{UserRef, UserTable};

use crate::error::TrainError;
use crate::progress::Progress;
use crate::reference::ReferenceCache;
use crate::step::Example;
use crate::tokenise::{Formatter, TokenizedPair};

/// Tokenised comparisons with what reports need to know of them.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// The comparisons.
    pub items: Vec<Item>,
    /// Prompts that were longer than allowed and lost their beginning.
    pub cut_prompts: usize,
    /// Users' own texts that left the prompt no room and lost their end.
    pub cut_user_texts: usize,
    /// Comparisons with a response that lost its end.
    pub cut_responses: usize,
}

/// One comparison.
#[derive(Clone, Debug)]
pub struct Item {
    /// Token ids.
    pub pair: TokenizedPair,
    /// The user's id as in the data.
    pub user: Option<String>,
    /// `majority` or `minority` where simulated.
    pub group: Option<String>,
    /// Characters of the chosen and of the rejected text.
    pub characters: [usize; 2],
}

impl Dataset {
    /// Tokenises comparisons.
    ///
    /// # Errors
    /// A comparison the tokenizer fails on, or none at all.
    pub fn new(comparisons: &[Comparison], formatter: &Formatter) -> Result<Self, TrainError> {
        let mut dataset = Self::default();
        for comparison in comparisons {
            let pair = formatter.pair(comparison)?;
            dataset.cut_prompts += usize::from(pair.prompt.cut);
            dataset.cut_user_texts += usize::from(pair.prompt.user_text_cut);
            dataset.cut_responses += usize::from(pair.response_cut);
            let count = |text: &str| text.chars().count();
            dataset.items.push(Item {
                pair,
                user: comparison.user.as_ref().map(|u| u.as_str().to_string()),
                group: comparison.group.clone(),
                characters: [count(&comparison.chosen), count(&comparison.rejected)],
            });
        }
        if dataset.items.is_empty() {
            let after = "to tokenise".into();
            return Err(TrainError::Empty { after });
        }
        Ok(dataset)
    }

    /// Fails if a row would not fit the model's context.
    ///
    /// # Errors
    /// [`TrainError::Context`].
    pub fn check_context(&self, user_tokens: usize, limit: usize) -> Result<(), TrainError> {
        let longest = |item: &Item| {
            let response = item.pair.chosen.len().max(item.pair.rejected.len());
            user_tokens + item.pair.prompt.ids.len() + response
        };
        let found = self.items.iter().map(longest).max().unwrap_or(0);
        if found > limit {
            return Err(TrainError::Context { found, limit });
        }
        Ok(())
    }

    /// Examples for training or evaluation with their reference log-probs. Ids that `table` does not know become the
    /// generic user; in training, add them first.
    ///
    /// # Errors
    /// A reference cache that cannot be written.
    pub fn examples(
        &self,
        table: Option<&UserTable>,
        reference: &Model,
        cache: &mut ReferenceCache,
        micro_rows: usize,
        progress: &dyn Progress,
    ) -> Result<Vec<Example>, TrainError> {
        let pairs: Vec<&TokenizedPair> = self.items.iter().map(|i| &i.pair).collect();
        let log_probs = cache.log_probs(reference, &pairs, micro_rows, progress)?;
        let examples = self
            .items
            .iter()
            .zip(log_probs)
            .map(|(item, reference)| Example {
                pair: item.pair.clone(),
                user: user_ref(table, item.user.as_deref()),
                owner: item.user.clone(),
                reference,
            });
        Ok(examples.collect())
    }

    /// The users of the data, each once, in the order of their ids.
    pub fn users(&self) -> BTreeSet<&str> {
        self.items
            .iter()
            .filter_map(|i| i.user.as_deref())
            .collect()
    }

    /// Adds every user of the data to `table`, in the order of their first comparison.
    pub fn add_users(&self, table: &mut UserTable) {
        for user in self.items.iter().filter_map(|i| i.user.as_deref()) {
            table.add(user);
        }
    }
}

/// A known id as itself, any other as the generic user.
pub fn user_ref(table: Option<&UserTable>, user: Option<&str>) -> UserRef {
    match (table, user) {
        (Some(table), Some(user)) if table.contains(user) => UserRef::id(user),
        _ => UserRef::Generic,
    }
}
