//! A user as a mix of trained users: what to ask them next.
//!
//! The margin of a comparison is no linear function of a user's row over distances such as those between trained users, and its
//! gradient at the generic user says little of it there. But how trained users themselves would answer can be computed, once
//! for a comparison and whoever is asked. So a user's margin is taken for `m_0 + sum_k z_k (m_k - m_0) / sqrt(K)`, with `m_0` in
//! the middle (the generic user, or the trained users' mean) and `m_k` at the `k`-th trained user's row; `z` is standard normal
//! before any answer, so that the margins of any comparisons have the mean `m_0` and the covariance that the trained users' have
//! about it. The user's answers then move `z` as they move a row (Laplace's method on a logistic likelihood, [`Belief::fit`]). In
//! these `K` numbers everything is linear and small: nothing of the model is needed to choose among comparisons whose margins
//! are known.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::belief::Margins;
use crate::belief::vectors::dot;
use crate::chance::{Expected, sigmoid};
use crate::{Belief, Fit};

/// The margins of one comparison: in the middle, and at the rows of some trained users.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    middle: f64,
    /// `(m_k - m_0) / sqrt(K)`.
    along: Vec<f32>,
}

impl Question {
    /// From its margins in the middle and at the trained users' rows, in nats.
    pub fn new(middle: f64, at: &[f64]) -> Self {
        let root = (at.len().max(1) as f64).sqrt();
        let along = at.iter().map(|margin| ((margin - middle) / root) as f32);
        Self {
            middle,
            along: along.collect(),
        }
    }
}

/// What is believed of how a user mixes some trained users, `N(mean, I - sum n n^T)` over `z`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix(Belief);

/// A question that was chosen, and what its answer is expected to tell beside those of the questions before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Its place among those to choose from.
    pub index: usize,
    /// In bits: of information, or what else was asked for.
    pub value: f64,
    /// The probability of the first response.
    pub probability: f64,
}

/// By what questions are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// What the answer tells of the user, in bits: its entropy, less what is left of that where the user is known (BALD, Houlsby
    /// et al., arXiv 1112.5745); of several, each beside those before it.
    Information,
    /// The entropy of the answer in bits: how near to even the odds are, whatever the reason. Questions are taken one by one.
    Uncertain,
    /// Half the logarithm to base 2 of what the answer multiplies the determinant of `I + W^1/2 G S G^T W^1/2` by, with `W` the
    /// curvature of the likelihood at the mean: the information of an answer that were a number and not a yes or no (D-optimal).
    Fisher,
    /// Nothing: a draw from this seed. The value is that of [`By::Information`].
    Random(u64),
}

impl Mix {
    /// A user who has not answered yet, among so many trained users.
    pub fn new(trained: usize) -> Self {
        Self(Belief::standard(vec![0.0; trained], Vec::new()))
    }

    /// From what [`Mix::mean`] and [`Mix::told`] gave; none where the two do not belong together.
    pub fn from_parts(mean: Vec<f32>, told: Vec<Vec<f32>>) -> Option<Self> {
        let fits = told.iter().all(|direction| direction.len() == mean.len());
        fits.then(|| Self(Belief::standard(mean, told)))
    }

    /// The most probable mix, `[K]`.
    pub fn mean(&self) -> &[f32] {
        self.0.mean()
    }

    /// What answers have told, `[n, K]` with `n` of at most `K`.
    pub fn told(&self) -> Vec<Vec<f32>> {
        self.0.narrower_of_standard()
    }

    /// How many trained users are mixed.
    pub fn trained(&self) -> usize {
        self.mean().len()
    }

    /// The same after answers: to each of these questions the first response.
    #[must_use]
    pub fn after(&self, answers: &[Question]) -> Self {
        let margins = |z: &[f32]| {
            Ok::<_, std::convert::Infallible>(Margins {
                values: answers
                    .iter()
                    .map(|q| q.middle + dot(&q.along, z))
                    .collect(),
                gradients: answers.iter().map(|q| q.along.clone()).collect(),
            })
        };
        // A round costs next to nothing.
        let Ok(Fit { belief, .. }) = self.0.fit(1e-9, margins);
        Self(Belief::standard(
            belief.mean().to_vec(),
            belief.narrower_of_standard(),
        ))
    }

    /// The mean and the variance of a question's margin.
    pub fn margin(&self, question: &Question) -> (f64, f64) {
        let mean = question.middle + dot(&question.along, self.mean());
        (mean, self.0.variance(&question.along))
    }

    /// `count` questions to ask together, in the order in which they were chosen: each is the best one beside those before it,
    /// whose answers are expected to narrow the covariance by their mean curvature, whichever they are.
    pub fn choose(&self, questions: &[Question], count: usize, by: By) -> Vec<Chosen> {
        let mut left: Vec<usize> = (0..questions.len()).collect();
        if let By::Random(seed) = by {
            left.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        }
        let means: Vec<f64> = questions.iter().map(|q| self.margin(q).0).collect();
        let mut belief = self.0.clone();
        let mut chosen = Vec::new();
        while chosen.len() < count.min(questions.len()) {
            let value = |&index: &usize| {
                let variance = belief.variance(&questions[index].along);
                Value::of(by, means[index], variance)
            };
            let best = match by {
                By::Random(_) => left.first().map(|index| (0, value(index))),
                _ => {
                    let values = left.iter().map(value).enumerate();
                    // The first of equals, so that the order of the file decides.
                    values
                        .rev()
                        .max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value))
                }
            };
            let Some((place, best)) = best else { break };
            let index = left.remove(place);
            chosen.push(Chosen {
                index,
                value: best.value,
                probability: best.probability,
            });
            if by != By::Uncertain {
                belief = belief.narrowed(&questions[index].along, best.curvature);
            }
        }
        chosen
    }
}

/// What speaks for a question.
struct Value {
    value: f64,
    probability: f64,
    /// What its answer is to narrow the covariance by.
    curvature: f64,
}

impl Value {
    fn of(by: By, mean: f64, variance: f64) -> Self {
        let expected = Expected::of(mean, variance);
        let (value, curvature) = match by {
            By::Information | By::Random(_) => (expected.information(), expected.curvature),
            By::Uncertain => (expected.entropy(), expected.curvature),
            By::Fisher => {
                let curvature = sigmoid(mean) * sigmoid(-mean);
                (
                    0.5 * (curvature * variance).ln_1p() / std::f64::consts::LN_2,
                    curvature,
                )
            }
        };
        Self {
            value,
            probability: expected.probability,
            curvature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two trained users, so that `along` is what is given here.
    fn question(middle: f64, along: [f32; 2]) -> Question {
        Question {
            middle,
            along: along.to_vec(),
        }
    }

    fn indices(chosen: &[Chosen]) -> Vec<usize> {
        chosen.iter().map(|chosen| chosen.index).collect()
    }

    #[test]
    fn trained_users_are_mixes_of_themselves() {
        let question = Question::new(1.0, &[3.0, -2.0, 1.0, 0.0]);
        assert_eq!(question.along, [1.0, -1.5, 0.0, -0.5]);
        // At sqrt(4) times the first.
        let first = Mix::from_parts(vec![2.0, 0.0, 0.0, 0.0], Vec::new()).unwrap();
        assert_eq!(first.margin(&question), (3.0, 3.5));
        assert_eq!(Mix::from_parts(vec![0.0], vec![vec![0.0; 2]]), None);
    }

    #[test]
    fn an_answer_moves_the_mix_to_where_it_is_likelier() {
        let asked = question(0.0, [2.0, 0.0]);
        let mix = Mix::new(2).after(std::slice::from_ref(&asked));
        // Where 2 sigma(-2 z) = z, found by halving; 1 / (1 + 4 sigma(2 z) sigma(-2 z)) is left of the variance.
        let (mut low, mut high) = (0.0, 2.0);
        for _ in 0..60 {
            let z = (low + high) / 2.0;
            match 2.0 * sigmoid(-2.0 * z) > z {
                true => low = z,
                false => high = z,
            }
        }
        assert!((f64::from(mix.mean()[0]) - low).abs() < 1e-5);
        let left = 1.0 / (1.0 + 4.0 * sigmoid(2.0 * low) * sigmoid(-2.0 * low));
        let (mean, variance) = mix.margin(&asked);
        assert!((mean - 2.0 * low).abs() < 1e-5);
        assert!((variance - 4.0 * left).abs() < 1e-5);
        // Of the other one nothing is known.
        assert_eq!(mix.margin(&question(0.5, [0.0, 3.0])), (0.5, 9.0));
    }

    #[test]
    fn many_answers_take_no_more_room_than_the_trained_users() {
        let answers: Vec<Question> = (0..9)
            .map(|k| question(0.1, [1.0, 0.2 * k as f32]))
            .collect();
        let mix = Mix::new(2).after(&answers);
        assert_eq!(mix.told().len(), 2);
        let again = Mix::from_parts(mix.mean().to_vec(), mix.told()).unwrap();
        assert_eq!(again, mix);
    }

    #[test]
    fn the_same_is_not_asked_twice() {
        let questions = [
            question(0.0, [2.0, 0.0]),
            question(0.0, [2.0, 0.0]),
            question(0.0, [0.0, 1.9]),
            question(0.0, [0.1, 0.0]),
        ];
        let chosen = Mix::new(2).choose(&questions, 9, By::Information);
        assert_eq!(indices(&chosen), [0, 2, 1, 3]);
        let alone = Expected::of(0.0, 4.0);
        assert!((chosen[0].value - alone.information()).abs() < 1e-9);
        // After the first answer, 4 / (1 + 4 w) is left of the variance of its double.
        let left = 4.0 / (1.0 + 4.0 * alone.curvature);
        let again = Expected::of(0.0, left).information();
        assert!((chosen[2].value - again).abs() < 1e-6);
    }

    #[test]
    fn what_is_uncertain_anyway_is_not_what_tells_most() {
        // Even odds for everybody, and a question that trained users disagree about.
        let questions = [question(0.0, [0.0, 0.0]), question(1.0, [2.0, 2.0])];
        let by = |by| indices(&Mix::new(2).choose(&questions, 1, by));
        assert_eq!(by(By::Uncertain), [0]);
        assert_eq!(by(By::Information), [1]);
        assert_eq!(by(By::Fisher), [1]);
        let [first] = Mix::new(2).choose(&questions, 1, By::Uncertain)[..] else {
            panic!("one was asked for");
        };
        assert_eq!((first.value, first.probability), (1.0, 0.5));
    }

    #[test]
    fn fisher_s_values_add_up_to_the_determinant() {
        let questions = [question(0.3, [2.0, 1.0]), question(-0.5, [1.0, -1.5])];
        let chosen = Mix::new(2).choose(&questions, 2, By::Fisher);
        let w = [0.3, -0.5].map(|m: f64| (m.exp() + (-m).exp() + 2.0).recip());
        // |I + W^1/2 G G^T W^1/2| with |g|^2 = 5 and 3.25, g . h = 0.5.
        let determinant = (1.0 + 5.0 * w[0]) * (1.0 + 3.25 * w[1]) - 0.25 * w[0] * w[1];
        let sum: f64 = chosen.iter().map(|chosen| chosen.value).sum();
        assert!((sum - 0.5 * determinant.log2()).abs() < 1e-6);
    }

    #[test]
    fn a_draw_follows_from_its_seed() {
        let questions: Vec<Question> = (0..20).map(|_| question(0.0, [1.0, 0.0])).collect();
        let draw = |seed| indices(&Mix::new(2).choose(&questions, 5, By::Random(seed)));
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let mut all = indices(&Mix::new(2).choose(&questions, 50, By::Random(3)));
        all.sort_unstable();
        assert_eq!(all, (0..20).collect::<Vec<_>>());
    }
}
