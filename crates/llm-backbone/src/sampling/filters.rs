//! The logits processors of `transformers`, one function each.

use std::cmp::Ordering;
use std::collections::HashSet;

const EXCLUDED: f32 = f32::NEG_INFINITY;

/// `RepetitionPenaltyLogitsProcessor`: positive logits of seen tokens are divided, negative ones multiplied.
pub(super) fn repetition_penalty(logits: &mut [f32], history: &[u32], penalty: f32) {
    if penalty == 1.0 {
        return;
    }
    let seen: HashSet<u32> = history.iter().copied().collect();
    for token in seen {
        if let Some(logit) = logits.get_mut(token as usize) {
            *logit = if *logit < 0.0 {
                *logit * penalty
            } else {
                *logit / penalty
            };
        }
    }
}

/// `NoRepeatNGramLogitsProcessor`: excludes every token that followed the last `size - 1` tokens before.
pub(super) fn no_repeat_ngram(logits: &mut [f32], history: &[u32], size: usize) {
    if size == 0 || history.len() + 1 < size {
        return;
    }
    let ending = &history[history.len() - (size - 1)..];
    for run in history.windows(size) {
        let (start, last) = run.split_at(size - 1);
        if start == ending {
            exclude(logits, last);
        }
    }
}

/// Excludes `tokens`.
pub(super) fn exclude(logits: &mut [f32], tokens: &[u32]) {
    for token in tokens {
        if let Some(logit) = logits.get_mut(*token as usize) {
            *logit = EXCLUDED;
        }
    }
}

/// `TemperatureLogitsWarper`.
pub(super) fn temperature(logits: &mut [f32], temperature: f32) {
    if temperature != 1.0 {
        logits.iter_mut().for_each(|logit| *logit /= temperature);
    }
}

/// `TopKLogitsWarper`: excludes what is less than the `k`-th largest; equals of it stay.
pub(super) fn top_k(logits: &mut [f32], k: usize) {
    if k == 0 || k >= logits.len() {
        return;
    }
    let mut sorted = logits.to_vec();
    let (_, least, _) = sorted.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
    let least = *least;
    for logit in logits.iter_mut().filter(|logit| **logit < least) {
        *logit = EXCLUDED;
    }
}

/// `TopPLogitsWarper`: from the least likely upwards, excludes tokens while their summed probability is at most `1 - p`;
/// the most likely one always stays.
pub(super) fn top_p(logits: &mut [f32], p: f32) {
    if p >= 1.0 || logits.is_empty() {
        return;
    }
    let largest = logits.iter().copied().fold(EXCLUDED, f32::max);
    if largest == EXCLUDED {
        return;
    }
    let weight = |logit: f32| f64::from(logit - largest).exp();
    let total: f64 = logits.iter().map(|logit| weight(*logit)).sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    // Equal logits: the higher id goes first, so that the choice does not depend on the sort.
    order.sort_unstable_by(|a, b| match logits[*a].total_cmp(&logits[*b]) {
        Ordering::Equal => b.cmp(a),
        unequal => unequal,
    });
    let mut below = 0.0;
    for token in &order[..order.len() - 1] {
        below += weight(logits[*token]) / total;
        if below > 1.0 - f64::from(p) {
            break;
        }
        logits[*token] = EXCLUDED;
    }
}
