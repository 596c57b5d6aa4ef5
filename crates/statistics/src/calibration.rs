//! Whether a preference probability means what it says.
//!
//! The probability that a user prefers the chosen response is `p = sigmoid(margin)`, with the margin the reward of the chosen response
//! minus that of the other (Bradley-Terry; what the DPO loss fits). The data names the preferred response first, so with `p` alone every outcome
//! would be 1 and always saying 1 would be perfect. Each comparison is therefore seen in both orders: as `(p, 1)` and,
//! with its responses swapped, as `(1 - p, 0)`.
//!
//! - Brier score: the mean of `(probability - outcome)^2` over both orders, which is the mean of `(1 - p)^2`. 0 is
//!   perfect, 0.25 is what `p = 0.5` everywhere gives.
//! - Expected calibration error: the two orders of a comparison lie at `p` and `1 - p`, in mirrored bins with the same
//!   gap, so bins over `[0, 1]` are folded at the middle: a comparison has the confidence `max(p, 1 - p)`, and its outcome
//!   is 1 if the response with the higher reward is the chosen one, 0 if it is the other, and 1/2 if both rewards are equal
//!   (one order each). There are [`BINS`] bins of equal width over `[0.5, 1]`; the error is the mean over comparisons of
//!   the gap of their bin, `|mean confidence - mean outcome|`. It equals the error over twice as many bins on `[0, 1]` with
//!   both orders.

use serde::Serialize;

/// Bins over the confidence `[0.5, 1]`.
pub const BINS: usize = 10;

/// Calibration of the preference probability.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// Mean over comparisons of their bin's gap; none without comparisons.
    pub expected_calibration_error: Option<f64>,
    /// Mean of `(1 - p)^2`; none without comparisons.
    pub brier: Option<f64>,
    /// The bins, lowest confidence first, empty ones too.
    pub bins: Vec<Bin>,
}

/// Comparisons of like confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bin {
    /// Least confidence, included.
    pub low: f64,
    /// Largest confidence, excluded but for the last bin.
    pub high: f64,
    /// How many.
    pub comparisons: usize,
    /// Their mean confidence; none in an empty bin.
    pub confidence: Option<f64>,
    /// The share ranked as the user did, ties as half; none in an empty bin.
    pub accuracy: Option<f64>,
}

/// The probability that the chosen response is preferred to the other.
fn preference_probability(margin: f64) -> f64 {
    1.0 / (1.0 + (-margin).exp())
}

impl Calibration {
    /// Measures comparisons by their margins, each the reward of the chosen response minus that of the other.
    pub fn of(margins: &[f64]) -> Self {
        let probabilities: Vec<f64> = margins
            .iter()
            .copied()
            .map(preference_probability)
            .collect();
        Self::of_probabilities(&probabilities)
    }

    /// The same by the probabilities of the chosen responses.
    pub fn of_probabilities(probabilities: &[f64]) -> Self {
        let mut sums = [(0_usize, 0.0, 0.0); BINS];
        let mut brier = 0.0;
        for &p in probabilities {
            brier += (1.0 - p).powi(2);
            let confidence = p.max(1.0 - p);
            let outcome = match p == 0.5 {
                true => 0.5,
                false => f64::from(u8::from(p > 0.5)),
            };
            let place = (confidence - 0.5) * 2.0 * BINS as f64;
            let bin = &mut sums[(place as usize).min(BINS - 1)];
            *bin = (bin.0 + 1, bin.1 + confidence, bin.2 + outcome);
        }
        let gaps: f64 = sums.iter().map(|(_, c, o)| (c - o).abs()).sum();
        let count = probabilities.len() as f64;
        let over_all = |sum: f64| (!probabilities.is_empty()).then(|| sum / count);
        Self {
            expected_calibration_error: over_all(gaps),
            brier: over_all(brier),
            bins: sums.iter().enumerate().map(Bin::of).collect(),
        }
    }
}

impl Bin {
    fn of((at, &(comparisons, confidence, outcome)): (usize, &(usize, f64, f64))) -> Self {
        let edge = |at: usize| (BINS + at) as f64 / (2 * BINS) as f64;
        let mean = |sum: f64| (comparisons > 0).then(|| sum / comparisons as f64);
        Self {
            low: edge(at),
            high: edge(at + 1),
            comparisons,
            confidence: mean(confidence),
            accuracy: mean(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: Option<f64>, expected: f64) {
        assert!(
            (found.unwrap() - expected).abs() < 1e-6,
            "{found:?} is not {expected}"
        );
    }

    /// The margin at which the probability is `p`.
    fn logit(p: f64) -> f64 {
        (p / (1.0 - p)).ln()
    }

    #[test]
    fn two_bins_equal_the_hand_calculation() {
        // Three right and one wrong at 0.72: gap |0.72 - 0.75| = 0.03. One right at 0.97: gap 0.03.
        // Brier: (3 * 0.28^2 + 0.72^2 + 0.03^2) / 5 = (0.2352 + 0.5184 + 0.0009) / 5 = 0.1509.
        let p = [0.72, 0.72, 0.72, 0.28, 0.97];
        let found = Calibration::of(&p.map(logit));
        close(found.expected_calibration_error, 0.03);
        close(found.brier, 0.1509);
        let bin = found.bins[4];
        assert_eq!((bin.low, bin.high, bin.comparisons), (0.7, 0.75, 4));
        close(bin.confidence, 0.72);
        assert_eq!(bin.accuracy, Some(0.75));
        assert_eq!(found.bins[9].comparisons, 1);
        assert_eq!(found.bins[0].confidence, None);
    }

    #[test]
    fn knowing_nothing_is_calibrated_and_has_a_brier_score_of_a_quarter() {
        let found = Calibration::of(&[0.0, 0.0]);
        assert_eq!(found.expected_calibration_error, Some(0.0));
        assert_eq!(found.brier, Some(0.25));
        assert_eq!(found.bins[0].accuracy, Some(0.5));
    }

    #[test]
    fn certainty_lies_in_the_last_bin() {
        let found = Calibration::of(&[1e9, -1e9]);
        assert_eq!(found.bins[9].comparisons, 2);
        assert_eq!(found.expected_calibration_error, Some(0.5));
        assert_eq!(found.brier, Some(0.5));
        assert_eq!(Calibration::of(&[]).brier, None);
    }

    /// The definition: 20 bins over `[0, 1]`, every comparison in both orders; a bin below the middle ends with its upper
    /// edge, one above begins with its lower edge.
    fn both_orders(margins: &[f64]) -> (f64, f64) {
        let mut bins = [(0.0, 0.0); 2 * BINS];
        let mut brier = 0.0;
        for &margin in margins {
            let p = preference_probability(margin);
            for (p, outcome) in [(p, 1.0), (1.0 - p, 0.0)] {
                brier += (p - outcome) * (p - outcome);
                let place = (p.max(1.0 - p) - 0.5) * 2.0 * BINS as f64;
                let above = (place as usize).min(BINS - 1);
                let at = if p > 0.5 {
                    BINS + above
                } else {
                    BINS - 1 - above
                };
                // A probability of exactly 1/2 lies on the edge of both middle bins: half of it in each.
                let halves = match p == 0.5 {
                    true => vec![(BINS, 0.5), (BINS - 1, 0.5)],
                    false => vec![(at, 1.0)],
                };
                for (at, share) in halves {
                    bins[at].0 += share * p;
                    bins[at].1 += share * outcome;
                }
            }
        }
        let n = 2.0 * margins.len() as f64;
        let gaps: f64 = bins.iter().map(|(p, o): &(f64, f64)| (p - o).abs()).sum();
        (gaps / n, brier / n)
    }

    proptest! {
        #[test]
        fn folding_equals_both_orders(margins in prop::collection::vec(-6_f64..6.0, 1..40), tie: bool) {
            let mut margins = margins;
            if tie {
                margins.push(0.0);
            }
            let found = Calibration::of(&margins);
            let (error, brier) = both_orders(&margins);
            prop_assert!((found.expected_calibration_error.unwrap() - error).abs() < 1e-9);
            prop_assert!((found.brier.unwrap() - brier).abs() < 1e-9);
            prop_assert_eq!(found.bins.iter().map(|b| b.comparisons).sum::<usize>(), margins.len());
        }
    }
}
