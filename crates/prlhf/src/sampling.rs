//! Flags that say how tokens are chosen.

use clap::Args;
use trainer::llm_backbone::sampling::SamplingConfig;

/// Each overrides the same key of `[sampling]` in the configuration.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// Divides the logits; below 1 the likely becomes likelier.
    #[arg(long, value_name = "X")]
    pub temperature: Option<f32>,
    /// Keep so many of the likeliest tokens; 0 keeps all.
    #[arg(long, value_name = "N")]
    pub top_k: Option<usize>,
    /// Keep the likeliest tokens that together reach this probability.
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    /// Above 1, tokens that were there become less likely.
    #[arg(long, value_name = "X")]
    pub repetition_penalty: Option<f32>,
    /// No run of so many tokens comes twice; 0 allows all.
    #[arg(long, value_name = "N")]
    pub no_repeat_ngram: Option<usize>,
    /// A response does not end before so many tokens.
    #[arg(long, value_name = "N")]
    pub min_new_tokens: Option<usize>,
    /// A response ends after so many tokens.
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// The same seed gives the same text.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Always take the likeliest token.
    #[arg(long)]
    pub greedy: bool,
}

impl SamplingArgs {
    /// `base` with what was given.
    pub fn over(&self, base: &SamplingConfig) -> SamplingConfig {
        SamplingConfig {
            temperature: self.temperature.unwrap_or(base.temperature),
            top_k: self.top_k.unwrap_or(base.top_k),
            top_p: self.top_p.unwrap_or(base.top_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(base.repetition_penalty),
            no_repeat_ngram: self.no_repeat_ngram.unwrap_or(base.no_repeat_ngram),
            min_new_tokens: self.min_new_tokens.unwrap_or(base.min_new_tokens),
            max_new_tokens: self.max_new_tokens.unwrap_or(base.max_new_tokens),
            stop_ids: base.stop_ids.clone(),
            seed: self.seed.unwrap_or(base.seed),
            greedy: self.greedy || base.greedy,
        }
    }
}
