//! What is believed of a user's row: a normal distribution, learned from the rows of trained users, and what a user's answers make
//! of it.
//!
//! An answer says that one response is preferred; how likely that is follows from a margin, `sigma(margin(row))` (Bradley and
//! Terry). The margin is taken for linear around a row, so that the posterior is that of a Gaussian process with a logistic
//! likelihood, in as many numbers as there are answers, and around the new row it is taken again (Gauss and Newton). The
//! posterior is again a normal distribution (Laplace): what further answers begin with, without the old ones.

mod linear;
mod span;
#[cfg(test)]
mod tests;
pub(crate) mod vectors;

use crate::chance::{log_sigmoid, sigmoid};
use linear::{Linear, solved};
use vectors::{between, combined, dot, mean_of, minus, plus};

/// Of the way to where the answers are most probable, were margins linear, what is worth a round.
const LEAST_SHARE: f64 = 0.05;

/// A normal distribution over rows, `N(mean, rest I + sum w w^T - sum n n^T)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Belief {
    mean: Vec<f32>,
    rest: f64,
    /// Directions of larger variance, as learned from trained users.
    wider: Vec<Vec<f32>>,
    /// Directions of which answers have told something.
    narrower: Vec<Vec<f32>>,
}

/// What a row makes of some answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Margins {
    /// How far each answer is preferred, in nats.
    pub values: Vec<f64>,
    /// Their gradients with respect to the row.
    pub gradients: Vec<Vec<f32>>,
}

/// What answers make of a belief.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// The belief afterwards; its mean is the most probable row.
    pub belief: Belief,
    /// The margins of the answers at that row.
    pub margins: Vec<f64>,
    /// The logarithm of what the prior made of the answers, by Laplace's method.
    pub log_evidence: f64,
    /// How often margins were computed.
    pub rounds: usize,
}

impl Fit {
    /// The log-likelihood of the answers at the most probable row.
    pub fn log_likelihood(&self) -> f64 {
        log_likelihood(&self.margins)
    }
}

/// The logarithm of how likely answers of these margins are.
pub fn log_likelihood(margins: &[f64]) -> f64 {
    margins.iter().map(|&margin| log_sigmoid(margin)).sum()
}

impl Belief {
    /// How often a fit computes margins, at most.
    pub const ROUNDS: usize = 8;

    /// The distribution that trained users' rows come from: around `mean`, or else their own, with the rows' second moments about it,
    /// and a little in all other directions. None where there are no rows, or they do not differ from the mean.
    ///
    /// Rows that were trained for long lie nearly at right angles, and a step off their span does little, so that nearly all that a
    /// few answers can tell is where in the span a user is.
    pub fn of_rows(rows: &[Vec<f32>], mean: Option<Vec<f32>>) -> Option<Self> {
        /// Of all variance, what is in no row's direction.
        const REST: f64 = 0.01;
        let width = rows.first()?.len();
        let mean = mean.unwrap_or_else(|| mean_of(rows, width));
        let scale = (1.0 / rows.len() as f64).sqrt() as f32;
        let away = rows.iter().map(|row| minus(row, &mean));
        let wider = away.map(|away| away.iter().map(|x| x * scale).collect());
        let wider: Vec<Vec<f32>> = wider.collect();
        let total: f64 = wider.iter().map(|away| dot(away, away)).sum();
        (total.is_finite() && total > 0.0).then(|| Self {
            rest: REST * total / width as f64,
            wider,
            narrower: Vec::new(),
            mean,
        })
    }

    /// A normal distribution of variance 1, but for what answers have told.
    pub(crate) fn standard(mean: Vec<f32>, narrower: Vec<Vec<f32>>) -> Self {
        Self {
            mean,
            rest: 1.0,
            wider: Vec::new(),
            narrower,
        }
    }

    /// What answers have told in as few directions as a row has numbers.
    pub(crate) fn narrower_of_standard(&self) -> Vec<Vec<f32>> {
        let exact = |direction: &Vec<f32>| direction.iter().map(|&x| x.into()).collect();
        let told = span::reduced(self.narrower.iter().map(exact).collect(), self.mean.len());
        let rounded = |direction: Vec<f64>| direction.into_iter().map(|x| x as f32).collect();
        told.into_iter().map(rounded).collect()
    }

    /// The belief after a further answer whose margin has this gradient, and whose likelihood this curvature, at the same mean.
    pub(crate) fn narrowed(mut self, gradient: &[f32], curvature: f64) -> Self {
        let mut told = self.times(gradient);
        let variance = dot(gradient, &told).max(0.0);
        let share = (curvature / (1.0 + curvature * variance)).sqrt() as f32;
        told.iter_mut().for_each(|x| *x *= share);
        self.narrower.push(told);
        self
    }

    /// Rows that a user may be like beside the mean: those of trained users, or some of them, each as far from the others as can
    /// be, the longest first. None once answers have told something.
    pub fn starts(&self, most: usize) -> Vec<Vec<f32>> {
        if !self.narrower.is_empty() {
            return Vec::new();
        }
        let distance = |a: &[f32], b: &[f32]| dot(a, a) + dot(b, b) - 2.0 * dot(a, b);
        let mut apart: Vec<f64> = self.wider.iter().map(|row| dot(row, row)).collect();
        let root = (self.wider.len() as f64).sqrt() as f32;
        let mut taken = Vec::new();
        while taken.len() < most.min(self.wider.len()) {
            let farthest = (0..apart.len()).max_by(|&a, &b| apart[a].total_cmp(&apart[b]));
            let Some(next) = farthest else { break };
            for (apart, row) in apart.iter_mut().zip(&self.wider) {
                *apart = apart.min(distance(row, &self.wider[next]));
            }
            apart[next] = f64::NEG_INFINITY;
            let away = self.wider[next].iter().map(|x| x * root);
            taken.push(plus(&self.mean, &away.collect::<Vec<f32>>()));
        }
        taken
    }

    /// The most probable row.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The variance of a margin with this gradient.
    pub fn variance(&self, gradient: &[f32]) -> f64 {
        dot(gradient, &self.times(gradient)).max(0.0)
    }

    /// The covariance times a vector.
    fn times(&self, vector: &[f32]) -> Vec<f32> {
        let mut sum: Vec<f64> = vector.iter().map(|&x| f64::from(x) * self.rest).collect();
        let wider = self.wider.iter().map(|direction| (direction, 1.0));
        let narrower = self.narrower.iter().map(|direction| (direction, -1.0));
        for (direction, sign) in wider.chain(narrower) {
            let along = sign * dot(direction, vector);
            let terms = sum.iter_mut().zip(direction);
            terms.for_each(|(sum, &x)| *sum += along * f64::from(x));
        }
        sum.into_iter().map(|x| x as f32).collect()
    }

    /// The same distribution around another row.
    #[must_use]
    pub fn around(self, mean: Vec<f32>) -> Self {
        Self { mean, ..self }
    }

    /// What a user's answers make of it. `margins` computes them at a row. The fit ends where a round gains less than `enough`, or a further one
    /// would, in nats of the row's log-posterior.
    ///
    /// # Errors
    /// Those of `margins`.
    pub fn fit<E>(
        &self,
        enough: f64,
        mut margins: impl FnMut(&[f32]) -> Result<Margins, E>,
    ) -> Result<Fit, E> {
        let width = self.mean.len();
        let mut at = Point::new(vec![0.0; width], vec![0.0; width], margins(&self.mean)?);
        let mut rounds = 1;
        while rounds < Self::ROUNDS {
            let linear = Linear::new(self, &at.margins, &at.away);
            let (pull, expected) = linear.most_probable();
            let gains = expected - at.log_posterior;
            // The first round is made: a row is the user's own, and not that of the trained user whom it begins at.
            if at.margins.values.is_empty() || (rounds > 1 && gains < enough) {
                break;
            }
            let pull = combined(&at.margins.gradients, &pull, width);
            let away = self.times(&pull);
            let slope = at.slope_towards(&away);
            let mut share = 1.0;
            let next = loop {
                let pull = between(&at.pull, &pull, share as f32);
                let away = between(&at.away, &away, share as f32);
                let margins = margins(&plus(&self.mean, &away))?;
                rounds += 1;
                let next = Point::new(pull, away, margins);
                let gained = next.log_posterior - at.log_posterior;
                tracing::debug!(rounds, share, gained, "a round of a fit");
                if gained >= 0.0 {
                    break Some(next);
                }
                // Where margins bend, to the top of the parabola through both ends.
                let bend = (slope * share - gained) / (share * share);
                share = match slope / (2.0 * bend) {
                    top if top.is_finite() => top.clamp(0.1 * share, 0.5 * share),
                    _ => 0.5 * share,
                };
                if rounds >= Self::ROUNDS || share < LEAST_SHARE {
                    break None;
                }
            };
            let Some(next) = next else { break };
            let gained = next.log_posterior - at.log_posterior;
            at = next;
            if gained < enough {
                break;
            }
        }
        Ok(self.posterior(at, rounds))
    }

    /// Laplace's approximation at a row.
    fn posterior(&self, at: Point, rounds: usize) -> Fit {
        let (factor, roots) =
            Linear::new(self, &at.margins, &at.away).curvature(&at.margins.values);
        let log_evidence = at.log_posterior - 0.5 * factor.log_determinant();
        let told = roots
            .iter()
            .zip(&at.margins.gradients)
            .map(|(&root, gradient)| {
                let mut told = self.times(gradient);
                told.iter_mut().for_each(|x| *x *= root as f32);
                told
            });
        let told: Vec<Vec<f32>> = told.collect();
        let mut narrower = self.narrower.clone();
        narrower.extend(solved(&factor, &told));
        Fit {
            belief: Self {
                mean: plus(&self.mean, &at.away),
                narrower,
                ..self.clone()
            },
            margins: at.margins.values,
            log_evidence,
            rounds,
        }
    }
}

/// A row on the way, `mean + away`, with `away` the covariance times `pull`.
struct Point {
    pull: Vec<f32>,
    away: Vec<f32>,
    margins: Margins,
    /// But for what does not depend on the row.
    log_posterior: f64,
}

impl Point {
    fn new(pull: Vec<f32>, away: Vec<f32>, margins: Margins) -> Self {
        let log_posterior = log_likelihood(&margins.values) - 0.5 * dot(&pull, &away);
        Self {
            pull,
            away,
            margins,
            log_posterior,
        }
    }

    /// How the log-posterior changes at first on the way to another row, for the whole way.
    fn slope_towards(&self, away: &[f32]) -> f64 {
        let way = minus(away, &self.away);
        let Margins { values, gradients } = &self.margins;
        let rises = values.iter().zip(gradients);
        let rises = rises.map(|(&margin, gradient)| sigmoid(-margin) * dot(gradient, &way));
        rises.sum::<f64>() - dot(&self.pull, &way)
    }
}
