//! Tiny random models of the paper's families, with vocabularies as large as those of the models that the paper names. Their
//! tokenizers are of the same kind, and made here.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use trainer::burn::tensor::Device;
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::ModelConfig;
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::write_safetensors;

/// Entries that are learnt from texts; the rest of a vocabulary stands for nothing.
const LEARNT: usize = 600;

const TEXTS: [&str; 4] = [
    "SUBREDDIT: r/tifu\nTITLE: the cat\nPOST: my cat sat on the keyboard and wrote a letter to my boss\nTL;DR: ",
    "I would like to know how the sea makes its tides, in a few simple words, please.",
    "The moon pulls at the water, and the water follows; that is what a tide is.",
    "user: what is good for the garden? assistant: water it in the evening, and not too much.",
];

/// GPT-J: byte-level BPE of 50,257 entries, a model of 50,400.
pub fn gpt_j(dir: &Path) {
    byte_level(dir, 50_256, &["<|endoftext|>".into()]);
    let config = json!({
        "tokenizer_class": "GPT2Tokenizer", "add_bos_token": false,
        "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>",
    });
    write(&dir.join("tokenizer_config.json"), &config);
    model(
        dir,
        "gptj-6b",
        &json!({"n_embd": 16, "n_layer": 2, "n_head": 2, "rotary_dim": 4}),
    );
}

/// Llama: sentencepiece's BPE with byte fallback, 32,000 entries.
pub fn llama(dir: &Path) {
    llama_of(dir, 2048);
}

/// The same for prompts so long that no machine has the memory for attention over them.
pub fn long_llama(dir: &Path) {
    llama_of(dir, 1_000_000);
}

fn llama_of(dir: &Path, positions: usize) {
    sentencepiece(dir, 32_000);
    let config = json!({
        "tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
    });
    write(&dir.join("tokenizer_config.json"), &config);
    let sizes = json!({
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": positions,
    });
    model(dir, "llama-7b", &sizes);
}

/// Llama 3: byte-level BPE of 128,000 entries and 256 special tokens behind them, with a chat template of headers.
pub fn llama_3(dir: &Path) {
    let mut special: Vec<String> = (0..256).map(|i| format!("<|reserved_{i}|>")).collect();
    for (at, name) in [
        (0, "begin_of_text"),
        (1, "end_of_text"),
        (6, "start_header_id"),
        (7, "end_header_id"),
        (9, "eot_id"),
    ] {
        special[at] = format!("<|{name}|>");
    }
    byte_level(dir, 128_000, &special);
    let path = dir.join("tokenizer.json");
    let mut tokenizer = read(&path);
    tokenizer["post_processor"] = in_front("<|begin_of_text|>", 128_000);
    write(&path, &tokenizer);
    let header = "<|start_header_id|>{{ ROLE }}<|end_header_id|>\n\n";
    let message = header.replace("ROLE", "message.role") + "{{ message.content | trim }}<|eot_id|>";
    let answer = header.replace("{{ ROLE }}", "assistant");
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>",
        "chat_template": format!(
            "{{{{ bos_token }}}}{{% for message in messages %}}{message}{{% endfor %}}\
             {{% if add_generation_prompt %}}{answer}{{% endif %}}"
        ),
    });
    write(&dir.join("tokenizer_config.json"), &config);
    let sizes = json!({
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "eos_token_id": [128_001, 128_008, 128_009],
    });
    model(dir, "llama-3-8b", &sizes);
}

/// A published `config.json` with narrow widths, and random weights for it.
fn model(dir: &Path, published: &str, sizes: &Value) {
    let shapes = "../llm-backbone/tests/fixtures/shapes";
    let shapes = Path::new(env!("CARGO_MANIFEST_DIR")).join(shapes);
    let mut config = read(&shapes.join(format!("{published}.json")));
    for (key, value) in sizes.as_object().unwrap() {
        config[key] = value.clone();
    }
    let path = dir.join("config.json");
    write(&path, &config);
    let config = ModelConfig::from_hf_json(&config.to_string(), &path).unwrap();
    let model = Model::random(&config, 1, &Device::flex()).unwrap();
    write_safetensors(dir.join("model.safetensors"), model.export()).unwrap();
}

/// A byte-level BPE with `entries` entries and `special` tokens behind them.
fn byte_level(dir: &Path, entries: usize, special: &[String]) {
    const FIRST: &str = "<|first|>";
    let trained = Tokenizer::train_bpe(TEXTS.into_iter(), LEARNT, &[FIRST]).unwrap();
    trained.save(dir).unwrap();
    let path = dir.join("tokenizer.json");
    let mut tokenizer = read(&path);
    let learnt = tokenizer["model"]["vocab"].as_object().unwrap();
    let mut learnt: Vec<(u64, String)> = (learnt.iter())
        .map(|(token, id)| (id.as_u64().unwrap(), token.clone()))
        .filter(|(_, token)| token != FIRST)
        .collect();
    learnt.sort();
    let learnt = learnt.into_iter().map(|(_, token)| token);
    tokenizer["model"]["vocab"] = vocabulary(learnt, entries);
    let added = special.iter().enumerate();
    let added = added.map(|(i, token)| added_token(entries + i, token));
    tokenizer["added_tokens"] = added.collect();
    write(&path, &tokenizer);
}

/// A BPE over characters, as sentencepiece makes it: bytes where a character is not known, a space in front of everything.
fn sentencepiece(dir: &Path, entries: usize) {
    const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];
    const SPACE: char = '\u{2581}';
    let merges = [
        ["t", "h"],
        ["th", "e"],
        ["i", "n"],
        ["e", "r"],
        ["\u{2581}", "the"],
        ["\u{2581}", "a"],
        ["in", "g"],
    ];
    let tokens = SPECIAL.map(String::from).into_iter();
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    let letters = (' '..='~').skip(1).chain([SPACE, '\n']).map(String::from);
    let merged = merges.map(|parts| parts.concat());
    let special = SPECIAL.iter().enumerate();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": special.map(|(i, token)| added_token(i, token)).collect::<Value>(),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": SPACE},
            {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
        ]},
        "pre_tokenizer": null,
        "post_processor": in_front("<s>", 1),
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true,
            "vocab": vocabulary(tokens.chain(bytes).chain(merged).chain(letters), entries),
            "merges": merges.map(|parts| parts.join(" ")),
        },
    });
    write(&dir.join("tokenizer.json"), &tokenizer);
}

/// Tokens by id, filled up with ones that no text has.
fn vocabulary(tokens: impl Iterator<Item = String>, entries: usize) -> Value {
    let fillers = (0..).map(|i| format!("filler{i}"));
    let numbered = tokens.chain(fillers).take(entries).zip(0..);
    let vocabulary: Map<String, Value> = numbered.map(|(t, i)| (t, Value::from(i))).collect();
    assert_eq!(vocabulary.len(), entries);
    vocabulary.into()
}

fn added_token(id: usize, token: &str) -> Value {
    json!({
        "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true,
    })
}

/// What puts a token in front of every text.
fn in_front(token: &str, id: usize) -> Value {
    let special = json!({"SpecialToken": {"id": token, "type_id": 0}});
    let text = |name: &str| json!({"Sequence": {"id": name, "type_id": 0}});
    json!({
        "type": "TemplateProcessing",
        "single": [special, text("A")],
        "pair": [special, text("A"), special, text("B")],
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    })
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn write(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}
