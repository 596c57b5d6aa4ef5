//! What a user's answers can be used for beside training on them: a row of their own, a trained user's row, the prompt itself, or a sentence
//! in it.
//!
//! Nothing here changes what was trained. Each way ends in examples that [`Engine::score_with`](crate::inference::Engine::score_with) scores as any others, so that a
//! policy is measured alike however a user is served.

mod in_prompt;
mod nearest;
mod profile;

use std::sync::Arc;

use crate::error::TrainError;
use crate::example::{Example, Item};
use crate::progress::Progress;
use crate::task::Task;
use crate::tokenise::TokenizedPair;

pub use in_prompt::{InPrompt, Shown};
pub use nearest::Nearest;
pub use profile::{before, behind, sentence};

/// Examples with other tokens, in the order of `plain`, whose reference log-probs are those of `plain`: a policy that reads what it was not
/// trained to read is rewarded against the reference that does not read it, so that what it makes of it counts.
///
/// # Errors
/// A reference cache that cannot be written, or [`TrainError::Stopped`].
pub fn against_plain<T: Task>(
    task: &T,
    plain: &[Example],
    pairs: impl Iterator<Item = TokenizedPair>,
    progress: &dyn Progress,
) -> Result<Vec<Example>, TrainError> {
    let known: Vec<&Example> = plain.iter().collect();
    task.prepare(&known, progress)?;
    let with_tokens = |(example, pair): (&Example, TokenizedPair)| {
        let item = Item {
            pair,
            ..Item::clone(&example.item)
        };
        Example {
            item: Arc::new(item),
            ..example.clone()
        }
    };
    Ok(plain.iter().zip(pairs).map(with_tokens).collect())
}

/// By how many tokens the prompts of examples are longer than those of others, each.
pub fn longer_by(examples: &[Example], plain: &[Example]) -> Vec<f64> {
    let tokens = |example: &Example| example.pair().prompt.ids.len() as f64;
    let both = examples.iter().zip(plain);
    both.map(|(a, b)| tokens(a) - tokens(b)).collect()
}
