//! Where shared tensors and rows start: pure functions of seed, user and vocabulary.

use burn::tensor::{Int, Tensor, TensorData};
use rand::{Rng, SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::value;
use crate::{ConfigError, UserModelConfig, UserRef};

/// Where the shared tensors (`e_0` or `V`) start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Init {
    /// Rows of the base model's token embedding, at token ids drawn without replacement; of a prefix the keys and values that
    /// the model computes for such tokens.
    #[default]
    Vocabulary,
    /// Uniform in `[-range, range]`.
    Uniform {
        /// Half the width; the authors' alternative uses 0.5.
        range: f32,
    },
    /// Zeros.
    Zeros,
}

/// Where a user's row starts: a pure function of (seed, user), so that a row need not exist before
/// its first step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum RowInit {
    /// Zeros: at first, every user is the generic user.
    Zero,
    /// `T_u` rows of the base model's token embedding, drawn without replacement within a user
    /// (the authors' code draws without replacement over all users, which no pure function can).
    Vocabulary,
    /// Uniform in `[-range, range]`.
    Uniform {
        /// Half the width.
        range: f32,
    },
    /// Normal with mean 0; the authors' code starts cluster weights with 1 before the softmax.
    Normal {
        /// Standard deviation.
        std: f32,
    },
}

impl Init {
    pub(crate) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::Uniform { range } => scale("shared_init", range),
            Self::Vocabulary | Self::Zeros => Ok(()),
        }
    }
}

impl RowInit {
    pub(crate) fn validate(self) -> Result<(), ConfigError> {
        match self {
            Self::Uniform { range: scale_ } | Self::Normal { std: scale_ } => {
                scale("row_init", scale_)
            }
            Self::Zero | Self::Vocabulary => Ok(()),
        }
    }
}

fn scale(key: &'static str, found: f32) -> Result<(), ConfigError> {
    if (0.0..=1e6).contains(&found) {
        Ok(())
    } else {
        Err(value(key, found, "a scale from 0 to 1e6"))
    }
}

/// The base model's token embedding, `[vocabulary, d_model]`, to start soft tokens from; or the keys and values of tokens,
/// `[tokens, width]`, to start a prefix from, whose order means nothing.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    embedding: Tensor<2>,
}

impl Vocabulary {
    /// The rows of `embedding`, `[vocabulary, width]`. The tensor is shared, not copied.
    pub fn new(embedding: Tensor<2>) -> Self {
        Self {
            embedding: embedding.without_autodiff(),
        }
    }

    /// `count` distinct rows, one after the other.
    fn draw(
        &self,
        count: usize,
        width: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<f32>, ConfigError> {
        let [rows, found] = self.embedding.dims();
        if found != width {
            return Err(ConfigError::Vocabulary {
                what: "width",
                found,
                expected: width.to_string(),
            });
        }
        if rows < count {
            return Err(ConfigError::Vocabulary {
                what: "number of tokens",
                found: rows,
                expected: format!("at least {count}"),
            });
        }
        let picked = index::sample(rng, rows, count).into_iter();
        let ids: Vec<i64> = picked.map(|row| row as i64).collect();
        let ids = TensorData::new(ids, [count]);
        let ids = Tensor::<1, Int>::from_data(ids, &self.embedding.device());
        self.embedding
            .clone()
            .select(0, ids)
            .try_into_vec_as::<f32>()
            .map_err(|error| ConfigError::Device(error.to_string()))
    }
}

/// The shared tensors' first values, `shared_tensors * T_u * width` numbers.
pub(crate) fn initial_shared(
    config: &UserModelConfig,
    vocabulary: Option<&Vocabulary>,
) -> Result<Vec<f32>, ConfigError> {
    let tokens = config.shared_tensors() * config.user_tokens;
    let mut rng = rng(config.seed, b"shared", b"");
    match config.shared_init {
        _ if tokens == 0 => Ok(Vec::new()),
        Init::Vocabulary => vocabulary
            .ok_or(ConfigError::NoVocabulary { key: "shared_init" })?
            .draw(tokens, config.width(), &mut rng),
        Init::Uniform { range } => Ok(uniform(tokens * config.width(), range, &mut rng)),
        Init::Zeros => Ok(vec![0.0; tokens * config.width()]),
    }
}

/// The first values of a user's row, `row_len` numbers.
pub(crate) fn initial_row(
    config: &UserModelConfig,
    user: &UserRef,
    vocabulary: Option<&Vocabulary>,
) -> Result<Vec<f32>, ConfigError> {
    let mut rng = match user {
        UserRef::Generic => rng(config.seed, b"generic", b""),
        UserRef::Id(id) => rng(config.seed, b"user", id.as_bytes()),
    };
    let len = config.row_len();
    match config.row_init() {
        RowInit::Zero => Ok(vec![0.0; len]),
        RowInit::Vocabulary => vocabulary
            .ok_or(ConfigError::NoVocabulary { key: "row_init" })?
            .draw(config.user_tokens, config.width(), &mut rng),
        RowInit::Uniform { range } => Ok(uniform(len, range, &mut rng)),
        RowInit::Normal { std } => Ok(normal(len, std, &mut rng)),
    }
}

/// A generator of its own for each (seed, purpose, user).
fn rng(seed: u64, purpose: &[u8], id: &[u8]) -> ChaCha8Rng {
    let hash = Sha256::new()
        .chain_update(seed.to_le_bytes())
        .chain_update([purpose.len() as u8])
        .chain_update(purpose)
        .chain_update(id)
        .finalize();
    ChaCha8Rng::from_seed(hash.into())
}

fn uniform(len: usize, range: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    (0..len).map(|_| rng.random_range(-range..=range)).collect()
}

/// Box and Muller's transform, one number per two draws.
fn normal(len: usize, std: f32, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut draw = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        let angle = std::f64::consts::TAU * rng.random::<f64>();
        (radius * angle.cos() * f64::from(std)) as f32
    };
    (0..len).map(|_| draw()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UserModelKind;
    use burn::tensor::Device;

    fn cluster(seed: u64) -> UserModelConfig {
        UserModelConfig::new(UserModelKind::Cluster { clusters: 2000 }, 2, 4).with_seed(seed)
    }

    /// Row `i` holds `i, i, i, i`.
    fn vocabulary(rows: usize) -> Vocabulary {
        let numbers: Vec<f32> = (0..rows).flat_map(|row| [row as f32; 4]).collect();
        let data = TensorData::new(numbers, [rows, 4]);
        Vocabulary::new(Tensor::from_data(data, &Device::flex()))
    }

    #[test]
    fn a_first_row_depends_on_seed_and_user_alone() {
        let row = |seed, user: &UserRef| initial_row(&cluster(seed), user, None).unwrap();
        let (a, b) = (UserRef::id("a"), UserRef::id("b"));
        assert_eq!(row(1, &a), row(1, &a));
        assert_ne!(row(1, &a), row(2, &a));
        assert_ne!(row(1, &a), row(1, &b));
        assert_ne!(row(1, &UserRef::Generic), row(1, &UserRef::id("")));
    }

    #[test]
    fn cluster_weights_are_standard_normal() {
        let row = initial_row(&cluster(3), &UserRef::id("a"), None).unwrap();
        let mean = |f: fn(f64) -> f64| {
            row.iter().map(|&w| f(f64::from(w))).sum::<f64>() / row.len() as f64
        };
        // Within four standard errors of 2000 draws.
        assert!(mean(|w| w).abs() < 0.09);
        assert!((mean(|w| w * w) - 1.0).abs() < 0.13);
        let beyond_one = mean(|w| f64::from(w.abs() > 1.0));
        assert!((beyond_one - 0.3173).abs() < 0.042, "{beyond_one}");
    }

    #[test]
    fn vocabulary_rows_are_drawn_without_replacement() {
        let config = UserModelConfig::new(UserModelKind::Cluster { clusters: 3 }, 2, 4);
        let all = vocabulary(6);
        let drawn = initial_shared(&config, Some(&all)).unwrap();
        let mut ids: Vec<usize> = drawn.chunks(4).map(|row| row[0] as usize).collect();
        assert!(drawn.chunks(4).all(|row| row == [row[0]; 4]));
        ids.sort_unstable();
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_vocabulary_that_does_not_fit_is_an_error() {
        let config = UserModelConfig::new(UserModelKind::Cluster { clusters: 3 }, 2, 4);
        let message = |vocabulary: Option<&Vocabulary>, config: &UserModelConfig| {
            initial_shared(config, vocabulary).unwrap_err().to_string()
        };
        let small = message(Some(&vocabulary(5)), &config);
        assert!(small.contains("is 5, expected at least 6"), "{small}");
        let missing = message(None, &config);
        assert!(missing.contains("none was given"), "{missing}");
        let wide = UserModelConfig::new(config.kind, 2, 8);
        let narrow = message(Some(&vocabulary(20)), &wide);
        assert!(narrow.contains("width is 4, expected 8"), "{narrow}");
    }
}
