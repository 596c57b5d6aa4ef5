//! The kinds of user models, and all that tells one from another: what users share, what each has, and the way from a user's
//! row to a soft prompt or a prefix.

use burn::tensor::activation::softmax;
use burn::tensor::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::config::value;
use crate::init::RowInit;

/// Clusters at most: a bound for files of unknown origin.
const MAX_CLUSTERS: usize = 1 << 20;
/// Numbers in all cluster tensors together, at most (1 GiB as f32).
const MAX_NUMBERS: usize = 1 << 28;

/// How users share parameters (reference: arXiv 2402.05133, section 4.2, examples 1 to 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UserModelKind {
    /// One soft prompt for everybody; with `user_tokens` 0, plain DPO.
    Uniform,
    /// `f(i) = e_0 + o_i`.
    Individual {
        /// `true` is the paper's model; `false` its ablation without `e_0`: `f(i) = o_i`, and the
        /// generic user has a row of its own.
        generic: bool,
    },
    /// `f(i) = e_0 + o_i`, of keys and values at every layer of the language model in the place of soft tokens (prefix tuning,
    /// arXiv 2101.00190, section 4.2, without its reparametrisation); the generic user has `e_0`.
    Prefix {
        /// Numbers of a token: layers times 2 times key/value heads times their size.
        width: usize,
    },
    /// `f(i) = softmax(w_i) V`; the generic user has a weight row of its own.
    Cluster {
        /// The number `K` of shared tensors.
        clusters: usize,
    },
}

impl UserModelKind {
    /// Whether its users have keys and values in front of their text, and not soft tokens in it.
    pub fn is_prefix(self) -> bool {
        matches!(self, Self::Prefix { .. })
    }

    /// Numbers of a user token, for a language model of this width.
    pub(crate) fn width(self, d_model: usize) -> usize {
        match self {
            Self::Prefix { width } => width,
            Self::Uniform | Self::Individual { .. } | Self::Cluster { .. } => d_model,
        }
    }

    /// How many tensors of the form of a soft prompt, `[T_u, width]`, all users share: 1 (`e_0`), `K` (`V`) or none.
    pub(crate) fn shared_tensors(self) -> usize {
        match self {
            Self::Uniform | Self::Individual { generic: true } | Self::Prefix { .. } => 1,
            Self::Individual { generic: false } => 0,
            Self::Cluster { clusters } => clusters,
        }
    }

    /// Numbers in one user's row, for soft prompts of so many numbers: offsets, `K` weights, or none.
    pub(crate) fn row_len(self, soft_prompt_len: usize) -> usize {
        match self {
            Self::Uniform => 0,
            Self::Individual { .. } | Self::Prefix { .. } => soft_prompt_len,
            Self::Cluster { clusters } => clusters,
        }
    }

    /// Whether the generic user has a trainable row too, where users have one.
    pub(crate) fn generic_owns_row(self) -> bool {
        !matches!(
            self,
            Self::Individual { generic: true } | Self::Prefix { .. }
        )
    }

    /// Where a user's row starts, if nobody says: zero offsets, rows of the token embedding where there is no `e_0`, standard
    /// normal weights before the softmax.
    pub(crate) fn row_init(self) -> RowInit {
        match self {
            Self::Uniform | Self::Individual { generic: true } | Self::Prefix { .. } => {
                RowInit::Zero
            }
            Self::Individual { generic: false } => RowInit::Vocabulary,
            Self::Cluster { .. } => RowInit::Normal { std: 1.0 },
        }
    }

    /// Refuses settings out of range, for soft prompts of so many numbers and rows that start like that.
    pub(crate) fn validate(
        self,
        soft_prompt_len: usize,
        row_init: RowInit,
    ) -> Result<(), ConfigError> {
        if self.is_prefix() && row_init == RowInit::Vocabulary {
            let expected = "zero, uniform or normal for offsets of keys and values";
            return Err(value("row_init", "vocabulary", expected));
        }
        let Self::Cluster { clusters } = self else {
            return Ok(());
        };
        let numbers = clusters.checked_mul(soft_prompt_len.max(1));
        if clusters == 0 || clusters > MAX_CLUSTERS {
            return Err(value("clusters", clusters, "1 to 2^20"));
        }
        if numbers.is_none_or(|numbers| numbers > MAX_NUMBERS) {
            let expected = "clusters times user_tokens times d_model of at most 2^28";
            return Err(value("clusters", clusters, expected));
        }
        match row_init {
            RowInit::Vocabulary => Err(value(
                "row_init",
                "vocabulary",
                "zero, uniform or normal for cluster weights",
            )),
            _ => Ok(()),
        }
    }

    /// The soft prompts or prefixes of some users, `shape`: `[users, T_u, width]`, of the shared tensors, `[shared, T_u, width]`, and
    /// their rows, `[users, row_len]`; where there is neither, zeros on `device`.
    pub(crate) fn soft_prompt(
        self,
        shared: Option<Tensor<3>>,
        rows: Option<Tensor<2>>,
        shape: [usize; 3],
        device: &Device,
    ) -> Tensor<3> {
        match (self, shared, rows) {
            (Self::Cluster { clusters }, Some(v), Some(weights)) => {
                let v = v.reshape([clusters, shape[1] * shape[2]]);
                softmax(weights, 1).matmul(v).reshape(shape)
            }
            (_, Some(e_0), Some(offsets)) => e_0 + offsets.reshape(shape),
            (_, None, Some(offsets)) => offsets.reshape(shape),
            (_, Some(e_0), None) => e_0.expand(shape),
            (_, None, None) => Tensor::zeros(shape, (device, DType::F32)),
        }
    }
}
