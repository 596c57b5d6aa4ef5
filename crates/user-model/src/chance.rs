//! How likely an answer is, given a margin, and what it would tell.
//!
//! A margin is how far one response is preferred to the other, in nats; the answer is the first with probability `sigma(margin)`
//! (Bradley and Terry). Where the margin itself is not known but normally distributed, what is asked of it is an expectation.

use std::f64::consts::LN_2;

/// `1 / (1 + exp(-x))`.
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(crate) fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// The probability of the preferred response where its margin has this mean and variance: `sigma(m / sqrt(1 + pi s^2 / 8))`
/// (MacKay, The evidence framework applied to classification networks, 1992).
pub fn preference_probability(margin: f64, variance: f64) -> f64 {
    sigmoid(margin / (1.0 + std::f64::consts::PI * variance.max(0.0) / 8.0).sqrt())
}

/// What is expected of the answer to a question whose margin is normally distributed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    /// The probability of the first response.
    pub probability: f64,
    /// The mean of the answer's entropy at a known margin, in bits.
    pub noise: f64,
    /// The mean of `sigma (1 - sigma)`, the curvature of the answer's log-likelihood.
    pub curvature: f64,
}

impl Expected {
    /// By the trapezoid rule, whose error falls off exponentially here, over eight standard deviations on both sides.
    pub fn of(margin: f64, variance: f64) -> Self {
        const REACH: f64 = 8.0;
        let deviation = variance.max(0.0).sqrt();
        // Steps of a quarter of a standard deviation, and of no more than one nat, in which `sigma` bends little.
        let steps = (REACH * deviation.max(4.0)).ceil().min(4096.0) as i32;
        let mut sums = [0.0; 4];
        for step in 0..=steps {
            let z = REACH * f64::from(step) / f64::from(steps);
            let weight = (-0.5 * z * z).exp();
            let sides = if step == 0 { &[0.0][..] } else { &[z, -z] };
            for z in sides {
                let x = margin + deviation * z;
                let p = sigmoid(x);
                // The entropy is -ln sigma(x) + (1 - sigma(x)) x nats.
                let noise = ((1.0 - p) * x - log_sigmoid(x)) / LN_2;
                let terms = [1.0, p, noise, p * (1.0 - p)];
                for (sum, term) in sums.iter_mut().zip(terms) {
                    *sum += weight * term;
                }
            }
        }
        let [all, p, noise, curvature] = sums;
        Self {
            probability: p / all,
            noise: noise / all,
            curvature: curvature / all,
        }
    }

    /// The entropy of the answer, in bits.
    pub fn entropy(&self) -> f64 {
        entropy(self.probability)
    }

    /// What the answer tells of the margin, in bits: its entropy, less what is left of it where the margin is known (Houlsby et
    /// al., arXiv 1112.5745). Between 0 and 1.
    pub fn information(&self) -> f64 {
        (self.entropy() - self.noise).max(0.0)
    }
}

/// The entropy of a yes that is as likely as this, in bits.
fn entropy(p: f64) -> f64 {
    let term = |p: f64| if p > 0.0 { -p * p.log2() } else { 0.0 };
    term(p) + term(1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_margin_tells_nothing_and_an_unknown_one_up_to_a_bit() {
        let known = Expected::of(0.7, 0.0);
        assert!((known.probability - sigmoid(0.7)).abs() < 1e-12);
        assert!(known.information() < 1e-12);
        assert!((known.curvature - sigmoid(0.7) * sigmoid(-0.7)).abs() < 1e-12);
        // Where it is near 0, by the second derivative of the entropy: s^2 / 8 nats.
        let small = Expected::of(0.0, 0.01).information();
        let expected = 0.01 / 8.0 / LN_2;
        assert!((small / expected - 1.0).abs() < 0.01, "{small} {expected}");
        let large = Expected::of(0.0, 1e6);
        assert!(large.information() > 0.995 && large.information() <= 1.0);
        assert!((large.probability - 0.5).abs() < 1e-9);
    }

    #[test]
    fn expectations_are_those_of_a_fine_sum() {
        for (margin, deviation) in [(0.0, 1.0), (1.5, 2.0), (-4.0, 6.0), (3.0, 25.0)] {
            let count = 400_000;
            let mut sums = [0.0; 4];
            for i in 0..count {
                let z = 20.0 * (f64::from(i) + 0.5) / f64::from(count) - 10.0;
                let density = (-0.5 * z * z).exp();
                let p = 1.0 / (1.0 + (-(margin + deviation * z)).exp());
                let noise = if p > 0.0 && p < 1.0 {
                    -p * p.log2() - (1.0 - p) * (1.0 - p).log2()
                } else {
                    0.0
                };
                for (sum, term) in sums.iter_mut().zip([1.0, p, noise, p * (1.0 - p)]) {
                    *sum += density * term;
                }
            }
            let found = Expected::of(margin, deviation * deviation);
            let found = [found.probability, found.noise, found.curvature];
            for (found, sum) in found.iter().zip(&sums[1..]) {
                assert!((found - sum / sums[0]).abs() < 1e-6, "{margin} {deviation}");
            }
        }
    }

    #[test]
    fn a_spread_takes_a_probability_towards_a_half() {
        // 1 + pi / 8 * 8 / pi * 3 = 4, whose root is 2.
        let variance = 3.0 * 8.0 / std::f64::consts::PI;
        assert!((preference_probability(1.0, variance) - sigmoid(0.5)).abs() < 1e-12);
        assert!((preference_probability(1.0, 0.0) - sigmoid(1.0)).abs() < 1e-12);
        let exact = Expected::of(1.0, 2.0).probability;
        assert!((preference_probability(1.0, 2.0) - exact).abs() < 0.01);
    }
}
