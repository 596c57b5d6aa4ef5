//! How text is cut before merges apply, per name in `tokenizer.ggml.pre`.
//!
//! GGUF files name a pre-tokenizer instead of describing it; the descriptions below are those of the models' own
//! `tokenizer.json` files and of `llama.cpp` (`src/llama-vocab.cpp`).

use serde_json::{Value, json};

/// The pattern of GPT-2.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// The pattern of Llama 3.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The pattern of Qwen2 and Qwen3: digits stand alone.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The pattern of `o200k_base` (Phi-4-mini): words are cut where small letters are followed by capitals.
const GPT4O: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// The pattern of Mistral's Tekken (Mistral Nemo): the same without endings such as `'s`, and digits stand alone.
const TEKKEN: &str = concat!(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+",
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*",
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
);

/// One way to cut text.
pub(super) struct PreTokenizer {
    /// As `tokenizer.json` writes it.
    pub(super) json: Value,
    /// What is done to the text before, as `tokenizer.json` writes it.
    pub(super) normalizer: Value,
    /// Whether a piece that is a token as a whole is taken without merging.
    pub(super) ignore_merges: bool,
    /// Whether the model's tokenizer adds BOS where the file does not say.
    pub(super) adds_bos: bool,
}

/// The names that are understood, each with others for the same.
pub(super) const SUPPORTED: &str =
    "gpt-2, smollm, llama-bpe, smaug-bpe, dbrx, qwen2, gpt-4o, tekken, default";

/// The pre-tokenizer of a name; no name means `default`, as in `llama.cpp`.
pub(super) fn named(name: Option<&str>) -> Option<PreTokenizer> {
    let plain = |json| PreTokenizer {
        json,
        normalizer: Value::Null,
        ignore_merges: false,
        adds_bos: false,
    };
    Some(match name {
        Some("gpt-2" | "gpt2" | "phi-2") => plain(byte_level(true)),
        Some("smollm") => plain(sequence(vec![digits(), byte_level(true)])),
        Some("llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "pixtral") => PreTokenizer {
            ignore_merges: true,
            adds_bos: true,
            ..plain(sequence(vec![split(LLAMA3), byte_level(false)]))
        },
        // SmolLM3, whose tokenizer is that of Llama 3 without BOS. `llama.cpp` merges here what `tokenizer.json` takes whole.
        Some("smaug-bpe") => PreTokenizer {
            ignore_merges: true,
            ..plain(sequence(vec![split(LLAMA3), byte_level(false)]))
        },
        // OLMo 2 and Phi-4, whose vocabularies are made like that of `cl100k_base`.
        Some("dbrx") => plain(sequence(vec![split(LLAMA3), byte_level(false)])),
        Some("gpt-4o" | "llama4") => plain(sequence(vec![split(GPT4O), byte_level(false)])),
        Some("tekken") => PreTokenizer {
            ignore_merges: true,
            adds_bos: true,
            ..plain(sequence(vec![split(TEKKEN), byte_level(false)]))
        },
        Some("qwen2" | "deepseek-r1-qwen" | "megrez") => PreTokenizer {
            normalizer: json!({"type": "NFC"}),
            ..plain(sequence(vec![split(QWEN2), byte_level(false)]))
        },
        Some("default") | None => {
            let patterns = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"];
            let mut parts: Vec<Value> = patterns.into_iter().map(split).collect();
            parts.push(byte_level(false));
            plain(sequence(parts))
        }
        Some(_) => return None,
    })
}

/// Bytes as printable characters, with or without the pattern of GPT-2.
pub(super) fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

fn digits() -> Value {
    json!({"type": "Digits", "individual_digits": true})
}

fn split(pattern: &str) -> Value {
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

fn sequence(parts: Vec<Value>) -> Value {
    json!({"type": "Sequence", "pretokenizers": parts})
}
