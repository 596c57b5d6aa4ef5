//! The random draw.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

use super::SamplingError;

/// What a draw depends on, and all it depends on: not the batch, not the order of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrawKey<'a> {
    /// Seed of the run.
    pub(crate) seed: u64,
    /// The user the text is written for.
    pub(crate) user: &'a str,
    /// What tells the prompt from others (its text or an id).
    pub(crate) prompt: &'a str,
    /// Number of tokens generated so far.
    pub(crate) step: usize,
}

impl DrawKey<'_> {
    /// A number in `[0, 1)`: 53 bits of ChaCha8 keyed by SHA-256 of the key.
    pub(crate) fn uniform(&self) -> f64 {
        let mut hash = Sha256::new();
        hash.update(b"p-rlhf draw 1");
        hash.update(self.seed.to_le_bytes());
        // Lengths first, so that no two keys run into each other.
        for text in [self.user, self.prompt] {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update((self.step as u64).to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
        (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Draws a token from `softmax(logits)` (`[vocabulary]`): the first id at which the running sum of probabilities passes
/// the key's number.
///
/// # Errors
///
/// [`SamplingError::NothingAllowed`] if all logits are minus infinity, [`SamplingError::NotANumber`] if one is no number.
pub(crate) fn draw(logits: &[f32], key: &DrawKey<'_>) -> Result<u32, SamplingError> {
    draw_at(logits, key.uniform())
}

/// As [`draw`], with the number given.
pub(super) fn draw_at(logits: &[f32], uniform: f64) -> Result<u32, SamplingError> {
    let best = argmax(logits)?;
    let largest = f64::from(logits[best as usize]);
    if largest == f64::INFINITY {
        return Ok(best);
    }
    let weight = |logit: &f32| (f64::from(*logit) - largest).exp();
    let total: f64 = logits.iter().map(weight).sum();
    let mut sum = 0.0;
    let mut last = best;
    for (token, logit) in logits.iter().enumerate() {
        let weight = weight(logit);
        if weight > 0.0 {
            sum += weight;
            last = token as u32;
            if sum > uniform * total {
                return Ok(last);
            }
        }
    }
    Ok(last)
}

/// The most likely token; of equals, the first.
///
/// # Errors
///
/// As [`draw`].
pub(crate) fn argmax(logits: &[f32]) -> Result<u32, SamplingError> {
    let mut best: Option<(usize, f32)> = None;
    for (token, logit) in logits.iter().copied().enumerate() {
        if logit.is_nan() {
            return Err(SamplingError::NotANumber { token });
        }
        if logit > best.map_or(f32::NEG_INFINITY, |(_, logit)| logit) {
            best = Some((token, logit));
        }
    }
    match best {
        Some((token, _)) => Ok(token as u32),
        None => Err(SamplingError::NothingAllowed {
            vocabulary: logits.len(),
        }),
    }
}
