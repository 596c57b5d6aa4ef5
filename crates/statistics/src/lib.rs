//! The few statistics that data, evaluations and reports need: pure functions, tested against hand calculations. What
//! cannot be said of the values given (the mean of nothing) is `None`, never 0.
//!
//! Every random draw comes from ChaCha8 (crate `rand_chacha`, the same on all platforms), seeded by `seed_from_u64`.

mod bootstrap;
mod calibration;
mod clustered;
mod interval;
mod mean;
mod paired;
mod quantiles;
mod written;

pub use bootstrap::Bootstrap;
pub use calibration::{Bin, Calibration};
pub use clustered::{Cluster, Estimated};
pub use interval::{Interval, wilson};
pub use mean::{mean, mean_interval, population_standard_error, standard_error};
pub use paired::{PairedDifference, means, paired_bootstrap};
pub use quantiles::{Quantiles, median};
pub use written::signed;
