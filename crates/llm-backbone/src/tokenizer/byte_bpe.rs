//! `tokenizer.ggml.model` = `gpt2`: byte-level BPE with a list of merges.

use serde_json::{Value, json};

use super::gguf::Vocabulary;
use super::pre_tokenizers::{self, byte_level};
use super::{TokenizerError, file_error};

/// The `tokenizer.json`, and whether BOS goes in front where the file does not say.
pub(super) fn tokenizer_json(vocabulary: &Vocabulary<'_>) -> Result<(Value, bool), TokenizerError> {
    let key = "tokenizer.ggml.pre";
    let name = vocabulary.metadata.string(key);
    let Some(pre) = pre_tokenizers::named(name) else {
        let found = format!("`{}`", name.unwrap_or_default());
        return Err(file_error(
            vocabulary.file,
            key,
            found,
            pre_tokenizers::SUPPORTED,
        ));
    };
    let key = "tokenizer.ggml.merges";
    let Some(merges) = vocabulary.metadata.strings(key) else {
        return Err(file_error(
            vocabulary.file,
            key,
            "nothing",
            "a list of merges",
        ));
    };
    let json = json!({
        "version": "1.0",
        "added_tokens": vocabulary.added_json()?,
        "normalizer": pre.normalizer,
        "pre_tokenizer": pre.json,
        "decoder": byte_level(true),
        "model": {
            "type": "BPE", "vocab": vocabulary.vocab_json(), "merges": merges,
            "ignore_merges": pre.ignore_merges, "byte_fallback": false, "fuse_unk": false
        },
    });
    Ok((json, pre.adds_bos))
}
