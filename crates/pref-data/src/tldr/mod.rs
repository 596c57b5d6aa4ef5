//! The official TL;DR comparisons ("summarize from feedback") and the steps of the paper's experiment on them.
//!
//! - [`record`]: one comparison as published; [`read`] streams them from files or a folder.
//! - [`filter`]: which policies' summaries are compared.
//! - [`prepare`]: filter, rank, simulate, split: from paths to data that can be trained on.

pub mod filter;
pub mod prepare;
pub mod record;

mod decode;

pub use decode::read;
pub use filter::PolicyFilter;
pub use prepare::{TldrData, TldrOptions};
pub use record::{Body, Summary, TldrRecord};
