//! A comparison, ready for training and evaluation. It is made once; everybody else holds it by reference.

use std::sync::{Arc, OnceLock};

use pdpo_loss::Branch;
use pref_data::Comparison;
use user_model::{UserRef, UserTable};

use crate::task::Sampled;
use crate::tokenise::TokenizedPair;

/// A tokenised comparison, with what reports need to know of it.
#[derive(Clone, Debug)]
pub struct Item {
    /// Token ids.
    pub pair: TokenizedPair,
    /// A hash of the prompt, without what the user says of herself; 0 of one that was never text.
    pub prompt: u64,
    /// The user's id as in the data.
    pub user: Option<String>,
    /// `majority` or `minority` where simulated.
    pub group: Option<String>,
    /// Characters of the chosen and of the rejected text.
    pub characters: [usize; 2],
    /// The prompt with what answers another one, as if liked: what KTO's KL term is estimated on. None unless a loss needs it.
    pub mismatched: Option<Arc<Item>>,
    /// The prompt as text, and whose it is: what responses are sampled to. None unless a task samples.
    pub text: Option<Arc<Comparison>>,
    /// The sampled responses that it was made of. None of what the data says.
    pub sampled: Option<Arc<Sampled>>,
    /// Log-probs under the reference, once somebody has needed them; they depend on no user.
    pub reference: OnceLock<ReferenceLogProbs>,
    /// The same over the first tokens of both responses, as many as the shorter one has.
    pub shared_reference: OnceLock<ReferenceLogProbs>,
}

impl Item {
    /// A comparison of `user`, of no group and no text.
    pub fn new(pair: TokenizedPair, user: Option<String>) -> Self {
        Self {
            pair,
            prompt: 0,
            user,
            group: None,
            characters: [0, 0],
            mismatched: None,
            text: None,
            sampled: None,
            reference: OnceLock::new(),
            shared_reference: OnceLock::new(),
        }
    }
}

/// Summed log-probs of both responses under the reference, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReferenceLogProbs {
    /// Of the preferred response.
    pub chosen: f32,
    /// Of the other.
    pub rejected: f32,
}

/// A comparison and whose soft prompt it gets.
#[derive(Clone, Debug)]
pub struct Example {
    /// The comparison.
    pub item: Arc<Item>,
    /// Its user where the table knows the id, else the generic user.
    pub user: UserRef,
    /// The one branch that a step computes it in, which was drawn for it; none: in all that its task has.
    pub drawn: Option<Branch>,
}

impl Example {
    /// Looks the comparison's user up in `table`.
    pub fn new(item: &Arc<Item>, table: Option<&UserTable>) -> Self {
        Self {
            item: item.clone(),
            user: user_ref(table, item.user.as_deref()),
            drawn: None,
        }
    }

    /// The same, computed in one branch alone.
    #[must_use]
    pub fn drawn(&self, branch: Branch) -> Self {
        Self {
            drawn: Some(branch),
            ..self.clone()
        }
    }

    /// The same comparison for that user.
    #[must_use]
    pub fn of(&self, user: &UserRef) -> Self {
        Self {
            user: user.clone(),
            ..self.clone()
        }
    }

    /// The same user with what answers another prompt; see [`Item::mismatched`].
    pub fn mismatched(&self) -> Option<Self> {
        Some(Self {
            item: self.item.mismatched.clone()?,
            user: self.user.clone(),
            drawn: self.drawn,
        })
    }

    /// Its token ids.
    pub fn pair(&self) -> &TokenizedPair {
        &self.item.pair
    }
}

/// A known id as itself, any other as the generic user.
fn user_ref(table: Option<&UserTable>, user: Option<&str>) -> UserRef {
    match (table, user) {
        (Some(table), Some(user)) if table.contains(user) => UserRef::id(user),
        _ => UserRef::Generic,
    }
}
