//! The implicit user model of P-RLHF: a user id becomes `T_u` soft tokens.
//!
//! `f_P(i)` maps a user to a soft prompt of shape `[T_u, d_model]` that stands before the prompt
//! of a language model (Li, Zhou, Lipton, Leqi, arXiv 2402.05133, section 4.2):
//!
//! - uniform: every user has the same tensor;
//! - individual: `f(i) = e_0 + o_i`, the generic user has `e_0`;
//! - cluster: `f(i) = softmax(w_i) V`, a mixture of `K` shared tensors.
//!
//! A fourth kind gives a user keys and values at every layer in the place of soft tokens (prefix tuning, Li and Liang, arXiv
//! 2101.00190): `f(i) = e_0 + o_i` again, `[T_u, layers * 2 * key/value heads * head size]`.
//!
//! What all users share (`e_0` or `V`) is a burn module, [`UserModel`]. What one user owns (`o_i` or
//! `w_i`) is a row of the [`UserTable`], which is no burn parameter: a training step copies the
//! rows of its users into a leaf tensor ([`UserTable::batch`]) and gives their gradients to a
//! row-wise AdamW ([`UserTable::step`]). A row exists once a step has touched it, so a million
//! known users cost their ids and nothing more.
//!
//! The generic user is [`UserRef::Generic`], never a string: a user may be called `0`.
//!
//! ```
//! use burn::tensor::Device;
//! use user_model::{Init, RowAdamW, RowGradients, UserModelConfig, UserModelKind, UserRef, UserTable};
//!
//! let kind = UserModelKind::Individual { generic: true };
//! let config = UserModelConfig::new(kind, 10, 64).with_shared_init(Init::Uniform { range: 0.5 });
//! let device = Device::flex().autodiff();
//! let model = config.init(None, &device)?;
//! let mut table = UserTable::new(config)?;
//! table.add("anna");
//!
//! let rows = table.batch(&[UserRef::id("anna"), UserRef::Generic], &device)?;
//! let soft_prompt = model.soft_prompt(&rows); // [2, 10, 64]
//! let loss = soft_prompt.square().mean();
//!
//! let mut gradients = RowGradients::new();
//! gradients.add(&rows, &loss.backward())?;
//! table.step(&gradients, 1e-2, &RowAdamW::default())?;
//! assert_eq!(table.touched(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod adamw;
mod batch;
mod belief;
mod chance;
mod config;
mod dense;
mod error;
mod export;
mod file;
mod gradients;
mod init;
mod kind;
mod mix;
mod model;
mod nearest;
mod table;

pub use adamw::RowAdamW;
pub use batch::RowBatch;
pub use belief::{Belief, Fit, Margins, log_likelihood};
pub use chance::preference_probability;
pub use config::{ParameterCounts, UserModelConfig};
pub use error::{ConfigError, FileError, TableError};
pub use export::ExportedUser;
pub use file::{
    DatedBelief, FITTED_FOLDER, FittedRow, FittedUsers, KeptBelief, MANIFEST_FILE, Moments,
    UserBelief, load, save,
};
pub use gradients::RowGradients;
pub use init::{Init, RowInit, Vocabulary};
pub use kind::UserModelKind;
pub use mix::{By, Chosen, Mix, Question};
pub use model::UserModel;
pub use table::{Fitted, UserRef, UserTable};
