//! A tokenizer for the tiny models.

use serde_json::json;

/// Words `w3` to `w63`, one token each, as many as the tiny models know.
pub fn tokenizer_files() -> [String; 2] {
    let mut vocabulary = json!({"<unk>": 0, "<s>": 1, "</s>": 2});
    for id in 3..64 {
        vocabulary[format!("w{id}")] = json!(id);
    }
    let special = |id: usize, content: &str| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null, "decoder": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"},
    });
    let settings = json!({"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": true});
    [tokenizer.to_string(), settings.to_string()]
}
