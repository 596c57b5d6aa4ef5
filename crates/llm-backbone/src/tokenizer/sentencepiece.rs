//! `tokenizer.ggml.model` = `llama`: SentencePiece BPE with scores and byte fallback.
//!
//! Turned into merges as Hugging Face's converter does (`generate_merges` and `LlamaConverter` of
//! `transformers/convert_slow_tokenizer.py`): every cut of a piece into two pieces is a merge, better scores first.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::gguf::{CONTROL, Vocabulary};
use super::{TokenizerError, file_error};

/// SentencePiece writes a space as this.
const SPACE: &str = "\u{2581}";

/// Longest piece in bytes: real ones have at most 16 characters, and cutting is quadratic.
const LONGEST_PIECE: usize = 1024;

pub(super) fn tokenizer_json(vocabulary: &Vocabulary<'_>) -> Result<Value, TokenizerError> {
    let merges = merges(vocabulary)?;
    let metadata = vocabulary.metadata;
    let unknown = metadata.u64("tokenizer.ggml.unknown_token_id").unwrap_or(0);
    let unknown = usize::try_from(unknown)
        .ok()
        .and_then(|id| vocabulary.tokens.get(id));
    let replace = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
    let prefix = metadata
        .bool("tokenizer.ggml.add_space_prefix")
        .unwrap_or(true);
    let mut normalizers = Vec::new();
    let mut decoders = vec![
        json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "}),
        json!({"type": "ByteFallback"}),
        json!({"type": "Fuse"}),
    ];
    if prefix {
        normalizers.push(json!({"type": "Prepend", "prepend": SPACE}));
        decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
    }
    normalizers.push(replace);
    Ok(json!({
        "version": "1.0",
        "added_tokens": vocabulary.added_json()?,
        "normalizer": {"type": "Sequence", "normalizers": normalizers},
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE", "vocab": vocabulary.vocab_json(), "merges": merges, "unk_token": unknown,
            "byte_fallback": true, "fuse_unk": true, "ignore_merges": false
        },
    }))
}

/// Pairs of pieces, best first.
fn merges<'a>(vocabulary: &Vocabulary<'a>) -> Result<Vec<[&'a str; 2]>, TokenizerError> {
    let key = "tokenizer.ggml.scores";
    let Some(scores) = vocabulary.metadata.numbers(key) else {
        return Err(file_error(
            vocabulary.file,
            key,
            "nothing",
            "a score for each token",
        ));
    };
    vocabulary.validate_len(key, scores.len())?;
    let tokens: &'a [String] = vocabulary.tokens;
    let ids: HashMap<&str, usize> = tokens.iter().map(String::as_str).zip(0..).collect();
    let mut merges = Vec::new();
    let kinds = vocabulary.kinds()?;
    for ((piece, score), kind) in tokens.iter().zip(scores.iter()).zip(kinds) {
        if kind == CONTROL {
            continue; // Plain text never becomes one.
        }
        if piece.len() > LONGEST_PIECE {
            let found = format!("a piece of {} bytes", piece.len());
            let expected = format!("at most {LONGEST_PIECE}");
            return Err(file_error(
                vocabulary.file,
                "tokenizer.ggml.tokens",
                found,
                &expected,
            ));
        }
        let score = score.as_f64().unwrap_or(0.0);
        let mut cuts: Vec<_> = piece
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| {
                let (left, right) = piece.split_at(at);
                Some(((*ids.get(left)?, *ids.get(right)?), [left, right]))
            })
            .collect();
        cuts.sort_unstable_by_key(|(ids, _)| *ids);
        merges.extend(cuts.into_iter().map(|(_, pair)| (score, pair)));
    }
    // Stable, as Python's sort: equal scores keep the order of the vocabulary.
    merges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    Ok(merges.into_iter().map(|(_, pair)| pair).collect())
}
