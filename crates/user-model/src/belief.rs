//! What is believed of a user's row: a normal distribution, learned from the rows of trained users, and what a user's answers make
//! of it.
//!
//! An answer says that one response is preferred; how likely that is follows from a margin, `sigma(margin(row))` (Bradley and
//! Terry). The margin is taken for linear around a row, so that the posterior is that of a Gaussian process with a logistic
//! likelihood, in as many numbers as there are answers, and around the new row it is taken again (Gauss and Newton). The
//! posterior is again a normal distribution (Laplace): what further answers begin with, without the old ones.

use crate::dense::{Lower, Symmetric};

/// A row that moves by less, in the prior's standard deviations, has stopped.
const STOPPED: f64 = 0.02;
/// A fit that gains less in a round, in nats, has ended.
const ENOUGH: f64 = 0.002;

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

    /// Rows that a fit may begin with beside the mean: those of trained users, or some of them, each as far from the others as can
    /// be. None once answers have told something.
    pub fn starts(&self, most: usize) -> Vec<Vec<f32>> {
        let row = |k: usize| plus(&self.mean, &self.away_at(k));
        self.places(most).into_iter().map(row).collect()
    }

    /// Of `wider` at most so many, the longest first, then always the one that lies farthest from those before.
    fn places(&self, most: usize) -> Vec<usize> {
        if !self.narrower.is_empty() {
            return Vec::new();
        }
        let distance = |a: &[f32], b: &[f32]| dot(a, a) + dot(b, b) - 2.0 * dot(a, b);
        let mut apart: Vec<f64> = self.wider.iter().map(|row| dot(row, row)).collect();
        let mut taken = Vec::new();
        while taken.len() < most.min(self.wider.len()) {
            let farthest = (0..apart.len()).max_by(|&a, &b| apart[a].total_cmp(&apart[b]));
            let Some(next) = farthest else { break };
            for (apart, row) in apart.iter_mut().zip(&self.wider) {
                *apart = apart.min(distance(row, &self.wider[next]));
            }
            apart[next] = f64::NEG_INFINITY;
            taken.push(next);
        }
        taken
    }

    /// How far a trained user's row is from the mean.
    fn away_at(&self, k: usize) -> Vec<f32> {
        let root = (self.wider.len() as f64).sqrt() as f32;
        self.wider[k].iter().map(|x| x * root).collect()
    }

    /// What pulls to trained users' rows, of those at `places`: the inverse of the covariance times how far they are.
    fn pulls(&self, places: &[usize]) -> Vec<Vec<f32>> {
        let count = self.wider.len();
        // (rest I + W^T W)^-1 W = W (rest I + W W^T)^-1.
        let gram = Symmetric::from_fn(count, |i, j| {
            let one = if i == j { 1.0 } else { 0.0 };
            one + dot(&self.wider[i], &self.wider[j]) / self.rest
        });
        let factor = gram.cholesky();
        let pull = |&k: &usize| {
            let mut unit = vec![0.0; count];
            unit[k] = (count as f64).sqrt() / self.rest;
            let weights = factor.solve_transposed(&factor.solve(&unit));
            combined(&self.wider, &weights, self.mean.len())
        };
        places.iter().map(pull).collect()
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

    /// What a user's answers make of it. `margins` computes them at a row; `starts` says how likely the answers are, as
    /// logarithms, at the rows of as many [`Belief::starts`]: the fit begins with the most probable of these and the mean.
    ///
    /// # Errors
    /// Those of `margins`.
    pub fn fit<E>(
        &self,
        starts: &[f64],
        mut margins: impl FnMut(&[f32]) -> Result<Margins, E>,
    ) -> Result<Fit, E> {
        let width = self.mean.len();
        let mut rounds = 1;
        let mut at = Point::new(vec![0.0; width], vec![0.0; width], margins(&self.mean)?);
        let places = self.places(starts.len());
        let pulls = self.pulls(&places).into_iter();
        let starts = places.iter().zip(pulls).zip(starts);
        let starts = starts.map(|((&k, pull), likely)| {
            let away = self.away_at(k);
            (likely - 0.5 * dot(&pull, &away), pull, away)
        });
        let best = starts.max_by(|(a, ..), (b, ..)| a.total_cmp(b));
        if let Some((_, pull, away)) = best.filter(|(found, ..)| *found > at.log_posterior) {
            let margins = margins(&plus(&self.mean, &away))?;
            rounds += 1;
            at = Point::new(pull, away, margins);
        }
        while rounds < Self::ROUNDS {
            let gradients = &at.margins.gradients;
            let pull = Linear::new(self, &at.margins, &at.away).most_probable();
            let pull = combined(gradients, &pull, width);
            let away = self.times(&pull);
            let moved = dot(&minus(&pull, &at.pull), &minus(&away, &at.away))
                .max(0.0)
                .sqrt();
            if moved < STOPPED {
                break;
            }
            // Where the margins are less linear than they were taken for, half the way.
            let mut share = 1.0;
            let next = loop {
                let pull = between(&at.pull, &pull, share);
                let away = between(&at.away, &away, share);
                let margins = margins(&plus(&self.mean, &away))?;
                rounds += 1;
                let next = Point::new(pull, away, margins);
                if next.log_posterior >= at.log_posterior {
                    break Some(next);
                }
                share /= 2.0;
                if rounds >= Self::ROUNDS || share < 0.1 {
                    break None;
                }
            };
            let Some(next) = next else { break };
            let gained = next.log_posterior - at.log_posterior;
            at = next;
            if gained < ENOUGH {
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
}

/// Margins that are linear in the row: a Gaussian process with one point per answer.
struct Linear {
    /// The margins at the prior's mean.
    prior: Vec<f64>,
    /// Their covariance before any answer.
    covariance: Symmetric,
}

impl Linear {
    fn new(belief: &Belief, margins: &Margins, away: &[f32]) -> Self {
        let gradients = &margins.gradients;
        let times: Vec<Vec<f32>> = gradients.iter().map(|g| belief.times(g)).collect();
        let prior = margins.values.iter().zip(gradients);
        Self {
            prior: prior.map(|(value, g)| value - dot(g, away)).collect(),
            covariance: Symmetric::from_fn(gradients.len(), |i, j| dot(&gradients[i], &times[j])),
        }
    }

    /// `a` of the most probable margins, `prior + covariance a` (Rasmussen and Williams, Gaussian Processes for Machine
    /// Learning, algorithm 3.1).
    fn most_probable(&self) -> Vec<f64> {
        const STEPS: usize = 100;
        let count = self.prior.len();
        let (mut weights, mut margins) = (vec![0.0; count], self.prior.clone());
        let mut value = self.value(&weights, &margins);
        for _ in 0..STEPS {
            let (factor, roots) = self.curvature(&margins);
            let b: Vec<f64> = (0..count)
                .map(|i| roots[i].powi(2) * (margins[i] - self.prior[i]) + sigmoid(-margins[i]))
                .collect();
            let rooted = |values: Vec<f64>| -> Vec<f64> {
                values
                    .iter()
                    .zip(&roots)
                    .map(|(x, root)| x * root)
                    .collect()
            };
            let inner = factor.solve(&rooted(self.covariance.times(&b)));
            let inner = rooted(factor.solve_transposed(&inner));
            let full: Vec<f64> = b.iter().zip(inner).map(|(b, x)| b - x).collect();
            let mut share = 1.0;
            let gained = loop {
                let mix = |(&old, &new): (&f64, &f64)| old + share * (new - old);
                let next: Vec<f64> = weights.iter().zip(&full).map(mix).collect();
                let moved = self.covariance.times(&next);
                let at: Vec<f64> = self.prior.iter().zip(moved).map(|(p, m)| p + m).collect();
                let found = self.value(&next, &at);
                if found >= value || share < 1e-3 {
                    let gained = found - value;
                    if gained > 0.0 {
                        (weights, margins, value) = (next, at, found);
                    }
                    break gained;
                }
                share /= 2.0;
            };
            if gained < 1e-9 {
                break;
            }
        }
        weights
    }

    fn value(&self, weights: &[f64], margins: &[f64]) -> f64 {
        let away = margins.iter().zip(&self.prior).map(|(m, p)| m - p);
        let penalty: f64 = weights.iter().zip(away).map(|(w, away)| w * away).sum();
        log_likelihood(margins) - 0.5 * penalty
    }

    /// The factor of `I + W^1/2 K W^1/2` and `W^1/2`, with `W` the curvature of the likelihood at these margins.
    fn curvature(&self, margins: &[f64]) -> (Lower, Vec<f64>) {
        let root = |&margin: &f64| (sigmoid(margin) * sigmoid(-margin)).sqrt();
        let roots: Vec<f64> = margins.iter().map(root).collect();
        let matrix = Symmetric::from_fn(roots.len(), |i, j| {
            let one = if i == j { 1.0 } else { 0.0 };
            one + roots[i] * self.covariance.at(i, j) * roots[j]
        });
        (matrix.cholesky(), roots)
    }
}

/// `L^-1` times the matrix of these rows.
fn solved(factor: &Lower, rows: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let Some(width) = rows.first().map(Vec::len) else {
        return Vec::new();
    };
    let mut solved = vec![Vec::with_capacity(width); rows.len()];
    for column in 0..width {
        let b: Vec<f64> = rows.iter().map(|row| f64::from(row[column])).collect();
        for (row, x) in solved.iter_mut().zip(factor.solve(&b)) {
            row.push(x as f32);
        }
    }
    solved
}

fn mean_of(rows: &[Vec<f32>], width: usize) -> Vec<f32> {
    combined(rows, &vec![1.0 / rows.len() as f64; rows.len()], width)
}

/// A weighted sum of vectors.
fn combined(vectors: &[Vec<f32>], weights: &[f64], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for (vector, weight) in vectors.iter().zip(weights) {
        let terms = sum.iter_mut().zip(vector);
        terms.for_each(|(sum, &x)| *sum += weight * f64::from(x));
    }
    sum.into_iter().map(|x| x as f32).collect()
}

fn between(from: &[f32], to: &[f32], share: f32) -> Vec<f32> {
    let mix = |(&from, &to): (&f32, &f32)| from + share * (to - from);
    from.iter().zip(to).map(mix).collect()
}

fn plus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(x, y)| x + y).collect()
}

fn minus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y));
    products.sum()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    /// A belief over two numbers with covariance `[[2, 1], [1, 2]]`.
    fn prior() -> Belief {
        Belief {
            mean: vec![0.5, -0.5],
            rest: 1.0,
            wider: vec![vec![1.0, 1.0]],
            narrower: Vec::new(),
        }
    }

    /// Margins that are linear in the row: `g row + c`.
    fn linear(answers: &[([f32; 2], f64)]) -> impl Fn(&[f32]) -> Result<Margins, Infallible> {
        move |row| {
            let value = |(g, c): &([f32; 2], f64)| dot(g, row) + c;
            Ok(Margins {
                values: answers.iter().map(value).collect(),
                gradients: answers.iter().map(|(g, _)| g.to_vec()).collect(),
            })
        }
    }

    const ANSWERS: [([f32; 2], f64); 3] =
        [([1.0, 0.5], 0.2), ([-0.5, 2.0], -0.3), ([0.3, 0.1], 0.0)];

    #[test]
    fn the_most_probable_row_is_where_prior_and_answers_pull_alike() {
        let prior = prior();
        let Ok(fit) = prior.fit(&[], linear(&ANSWERS));
        // The gradient of the log-posterior is 0: row - mean = covariance * sum g (1 - sigma(margin)).
        let weights: Vec<f64> = fit.margins.iter().map(|&m| sigmoid(-m)).collect();
        let gradients: Vec<Vec<f32>> = ANSWERS.iter().map(|(g, _)| g.to_vec()).collect();
        let expected = prior.times(&combined(&gradients, &weights, 2));
        let found = minus(fit.belief.mean(), prior.mean());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
        assert!(fit.rounds <= 3, "{}", fit.rounds);
    }

    #[test]
    fn the_spread_afterwards_is_the_inverse_of_the_curvature() {
        let Ok(fit) = prior().fit(&[], linear(&ANSWERS));
        // [[2, 1], [1, 2]]^-1 + sum w g g^T, inverted by hand.
        let mut precision = [2.0 / 3.0, -1.0 / 3.0, 2.0 / 3.0];
        for ((g, _), &margin) in ANSWERS.iter().zip(&fit.margins) {
            let [x, y] = g.map(f64::from);
            let w = sigmoid(margin) * sigmoid(-margin);
            for (sum, term) in precision.iter_mut().zip([x * x, x * y, y * y]) {
                *sum += w * term;
            }
        }
        let [a, b, c] = precision;
        let determinant = a * c - b * b;
        let belief = &fit.belief;
        assert!((belief.variance(&[1.0, 0.0]) - c / determinant).abs() < 1e-5);
        assert!((belief.variance(&[0.0, 1.0]) - a / determinant).abs() < 1e-5);
        let both = (a + c - 2.0 * b) / determinant;
        assert!((belief.variance(&[1.0, 1.0]) - both).abs() < 1e-5);
        // log of the determinant of what the answers add: |I + K W| = |precision| |covariance|.
        let quadratic = {
            let away = minus(belief.mean(), prior().mean());
            let [x, y] = [f64::from(away[0]), f64::from(away[1])];
            (2.0 * x * x - 2.0 * x * y + 2.0 * y * y) / 3.0
        };
        let expected = fit.log_likelihood() - 0.5 * quadratic - 0.5 * (determinant * 3.0).ln();
        assert!((fit.log_evidence - expected).abs() < 1e-5);
    }

    #[test]
    fn answers_in_two_parts_tell_nearly_what_they_tell_together() {
        let Ok(together) = prior().fit(&[], linear(&ANSWERS));
        let Ok(first) = prior().fit(&[], linear(&ANSWERS[..2]));
        let Ok(second) = first.belief.fit(&[], linear(&ANSWERS[2..]));
        for (found, expected) in second.belief.mean().iter().zip(together.belief.mean()) {
            assert!((found - expected).abs() < 0.03, "{found} {expected}");
        }
        let gradient = [1.0, -1.0];
        let (found, expected) = (
            second.belief.variance(&gradient),
            together.belief.variance(&gradient),
        );
        assert!((found - expected).abs() < 0.03, "{found} {expected}");
    }

    #[test]
    fn margins_that_bend_are_taken_for_linear_again() {
        let prior = Belief {
            wider: Vec::new(),
            mean: vec![0.0],
            ..prior()
        };
        // Saturates at 3: a line through the first margin would overshoot.
        let bent = |row: &[f32]| {
            let x = f64::from(row[0]);
            let values = vec![3.0 * (2.0 * x).tanh(); 4];
            let slope = (6.0 * (1.0 - (2.0 * x).tanh().powi(2))) as f32;
            Ok::<_, Infallible>(Margins {
                values,
                gradients: vec![vec![slope]; 4],
            })
        };
        let Ok(fit) = prior.fit(&[], bent);
        let log_posterior = |x: f64| 4.0 * log_sigmoid(3.0 * (2.0 * x).tanh()) - 0.5 * x * x;
        let grid = (0..4000).map(|i| f64::from(i) / 1000.0);
        let best = grid.max_by(|&a, &b| log_posterior(a).total_cmp(&log_posterior(b)));
        let found = f64::from(fit.belief.mean()[0]);
        assert!((found - best.unwrap()).abs() < 0.03, "{found} {best:?}");
    }

    #[test]
    fn without_answers_nothing_is_learned() {
        let Ok(fit) = prior().fit(&[], linear(&[]));
        assert_eq!(fit.belief, prior());
        assert_eq!((fit.log_evidence, fit.rounds), (0.0, 1));
    }

    #[test]
    fn a_trained_user_s_row_is_as_far_as_one_of_so_many_is() {
        // At right angles, so that each costs half their number of nats, but for what the rest takes.
        let rows = [
            vec![3.0, 0.0, 0.0],
            vec![0.0, -1.0, 0.0],
            vec![0.0, 0.0, 2.0],
        ];
        let belief = Belief::of_rows(&rows, Some(vec![0.0; 3])).unwrap();
        assert!((belief.variance(&[1.0, 0.0, 0.0]) - 3.0).abs() < 0.1);
        assert_eq!(belief.places(2), [0, 2]);
        for (k, expected) in rows.iter().enumerate() {
            let (pull, away) = (belief.pulls(&[k]).remove(0), belief.away_at(k));
            let row = plus(belief.mean(), &away);
            assert!(minus(&row, expected).iter().all(|x| x.abs() < 1e-6));
            let back = belief.times(&pull);
            assert!(minus(&back, &away).iter().all(|x| x.abs() < 1e-5));
            assert!((dot(&pull, &away) - 3.0).abs() < 0.2);
        }
        assert_eq!(Belief::of_rows(&[vec![1.0], vec![1.0]], None), None);
        assert_eq!(Belief::of_rows(&[], None), None);
    }

    #[test]
    fn a_fit_begins_where_answers_are_likely() {
        let rows = [vec![2.0, 0.0], vec![0.0, 2.0]];
        let prior = Belief::of_rows(&rows, Some(vec![0.0; 2])).unwrap();
        // Flat around the mean, and well explained by the second row alone.
        let hill = |row: &[f32]| {
            let [x, y] = [f64::from(row[0]), f64::from(row[1]) - 2.0];
            let height = 8.0 * (-4.0 * (x * x + y * y)).exp();
            let slope = [-8.0 * x * height, -8.0 * y * height].map(|x| x as f32);
            Ok::<_, Infallible>(Margins {
                values: vec![height - 1.0; 6],
                gradients: vec![slope.to_vec(); 6],
            })
        };
        let likely = |row: &Vec<f32>| log_likelihood(&hill(row).unwrap().values);
        let starts: Vec<f64> = prior.starts(2).iter().map(likely).collect();
        let Ok(from_mean) = prior.fit(&[], hill);
        let Ok(fit) = prior.fit(&starts, hill);
        assert!(fit.log_likelihood() > from_mean.log_likelihood() + 3.0);
        assert!(fit.belief.mean()[1] > 1.5);
    }
}
