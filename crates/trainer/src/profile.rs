//! Where the time of a run goes.
//!
//! The work of a run is marked with `tracing` spans of the target [`TARGET`]: `loading`, `reference`, `optimiser`,
//! `validation`, `logging`, and `gradients` around the micro-batches of a step. Inside a micro-batch there are `data`,
//! `forward`, `loss` and `backward`, one thread each; forward and backward carry their arithmetic in the field `flops`.
//! Inside of any of these, spans named as one of [`PRODUCTS`] of the same target mark matrix products by what makes them, with their arithmetic, on
//! the thread that waits for them: on a CPU `llm-backbone`'s do, attention with its softmax among them.
//! Without a listener spans cost nothing; any subscriber may listen.

pub mod flops;
pub mod roofline;

/// The target of all spans.
pub const TARGET: &str = "prlhf::profile";

/// The names of the spans around matrix products: Intel's tiles, the `gemm` crate, and attention's blocks.
pub const PRODUCTS: [&str; 3] = ["tiles", "gemm", "attention"];
