//! Language models on burn for people who train small things on top of them: soft prompts, LoRA, packed rows with
//! arbitrary masks, a key/value cache, and sampling. `family.rs` lists the model families.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use burn::tensor::Device;
//! use llm_backbone::{LoraConfig, Model};
//!
//! let device = Device::flex().autodiff();
//! let model = Model::open("SmolLM2-135M-Instruct.gguf".as_ref(), &device)?;
//! let model = model.with_lora(&LoraConfig::default(), 0)?;
//! println!("{} adapter weights", model.num_adapter_params());
//! # Ok(())
//! # }
//! ```

mod attention;
mod blocks;
mod cache;
pub mod chat;
pub mod config;
pub mod device;
mod family;
mod fused;
mod gated;
pub mod generate;
mod gguf;
mod linear;
mod loader;
mod log_probs;
mod lora;
pub mod matrix;
mod mlp;
mod model;
mod norm;
mod outline;
mod packed;
mod parts;
pub mod peft;
mod prefix;
mod random;
mod registry;
mod rope;
pub mod sampling;
mod save;
pub mod soft_prompt;
pub mod tokenizer;
pub mod weights;

pub use amx::is_supported as has_tiles;
pub use blocks::Blocks;
pub use cache::KvCache;
pub use lora::{LoraConfig, LoraError, LoraInit, Targets, stable_id};
pub use model::{Costs, Model, ModelInput, Precision};
pub use outline::{Adapters, Outline};
pub use prefix::Prefix;
