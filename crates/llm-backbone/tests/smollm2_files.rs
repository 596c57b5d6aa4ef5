//! The real SmolLM2-135M-Instruct in GGUF, where the cache has it. Expected ids come from a byte-level BPE written in
//! Python for the purpose, expected numbers from the Python package `gguf`.
#![allow(clippy::print_stderr)]

mod support;

use std::time::Instant;

use llm_backbone::config::ModelConfig;
use llm_backbone::tokenizer::{StreamDecoder, Tokenizer};
use llm_backbone::weights;
use sha2::{Digest, Sha256};
use support::smollm2 as model;

const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

#[test]
fn the_file_is_the_one_that_is_meant() {
    let Some(path) = model() else { return };
    let bytes = std::fs::read(path).expect("a readable file");
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash, SHA256);
}

#[test]
fn the_shape_is_that_of_the_published_config() {
    let Some(path) = model() else { return };
    let (config, weights) = weights::open(&path).expect("a good file");
    let published = serde_json::json!({
        "model_type": "llama", "vocab_size": 49152, "hidden_size": 576, "intermediate_size": 1536,
        "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3, "rms_norm_eps": 1e-5,
        "rope_theta": 100_000, "max_position_embeddings": 8192, "tie_word_embeddings": true,
        "bos_token_id": 1, "eos_token_id": 2
    });
    let published =
        ModelConfig::from_hf_json(&published.to_string(), &path).expect("a good config");
    assert_eq!(config, published);
    assert_eq!(weights.names().len(), 272);
    let embeddings = "model.embed_tokens.weight";
    assert_eq!(
        weights.shape(embeddings).expect("the embeddings"),
        [49152, 576]
    );
    assert_eq!(weights.storage(embeddings).expect("the embeddings"), "Q8_0");
    let count = |storage: &str| {
        let names = weights.names();
        names
            .iter()
            .filter(|name| weights.storage(name).is_ok_and(|s| s == storage))
            .count()
    };
    assert_eq!((count("Q4_1"), count("F32"), count("Q8_0")), (210, 61, 1));
    assert!(!weights.contains("lm_head.weight"));
    // A folder with nothing but the file does as well.
    let folder = path.parent().expect("a folder");
    assert_eq!(weights::open(folder).expect("the folder").0, config);
}

#[test]
fn numbers_are_those_of_the_python_package_in_the_hugging_face_layout() {
    let Some(path) = model() else { return };
    let (_, weights) = weights::open(&path).expect("a good file");
    let at = |name: &str, row: usize, column: usize, count: usize| {
        let columns = weights.shape(name).expect("the tensor")[1];
        let numbers = weights.read(name).expect("numbers");
        numbers[row * columns + column..][..count].to_vec()
    };
    assert_eq!(
        at("model.embed_tokens.weight", 504, 0, 4),
        [0.109_603_88, 0.017_436_981, -0.094_657_9, 0.082_202_91]
    );
    assert_eq!(
        at("model.layers.15.mlp.down_proj.weight", 5, 7, 3),
        [-0.042_175_293, -0.104_156_494, 0.143_768_31]
    );
    // Query and key rows are put back in order: row 1 of the first head is row 2 of the file, row 33 its row 3.
    let query = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(
        at(query, 1, 0, 3),
        [-0.159_179_69, 0.397_949_22, -0.019_897_461]
    );
    assert_eq!(
        at(query, 33, 0, 3),
        [-0.062_805_176, 0.144_653_32, 0.006_347_656_3]
    );
    let key = "model.layers.29.self_attn.k_proj.weight";
    assert_eq!(
        at(key, 65, 0, 3),
        [0.020_507_813, -0.016_723_633, 0.057_739_258]
    );
}

#[test]
fn all_tensors_are_read_in_seconds() {
    let Some(path) = model() else { return };
    let (_, weights) = weights::open(&path).expect("a good file");
    let start = Instant::now();
    let mut count = 0;
    for name in weights.names() {
        count += weights.read(&name).expect("numbers").len();
    }
    eprintln!("{count} numbers in {:?}", start.elapsed());
    assert_eq!(count, 134_515_008);
}

#[test]
fn text_becomes_the_ids_of_the_model() {
    let Some(path) = model() else { return };
    let tokenizer = Tokenizer::open(&path).expect("a good file");
    let cases: [(&str, &[u32]); 6] = [
        ("The capital of France is", &[504, 3575, 282, 4649, 314]),
        (
            "Hello,  world! It's 2024: don't  panic.\n\n\tOK",
            &[
                19556, 28, 216, 905, 17, 657, 506, 216, 34, 32, 34, 36, 42, 1326, 982, 216, 14455,
                30, 1116, 197, 13663,
            ],
        ),
        (
            "naïve café — 日本語 🎉",
            &[
                3546, 46494, 37366, 1841, 17097, 241, 115, 40993, 179, 120, 248, 15107, 232, 227,
            ],
        ),
        (
            "<|im_start|>user\nHi<|im_end|>\n",
            &[1, 4093, 198, 26843, 2, 198],
        ),
        (
            "   leading spaces and trailing   ",
            &[256, 2899, 5600, 284, 35079, 333],
        ),
        (
            "x=3.14159; y_1 != Z\r\nCAN'T we'll",
            &[
                104, 45, 35, 30, 33, 36, 33, 37, 41, 43, 329, 79, 33, 6541, 1777, 201, 198, 36121,
                23, 68, 392, 3060,
            ],
        ),
    ];
    for (text, ids) in cases {
        assert_eq!(tokenizer.encode(text, true).expect("ids"), ids, "{text}");
        assert_eq!(tokenizer.decode(ids, false).expect("text"), text);
        let mut stream = StreamDecoder::new(&tokenizer, false);
        let mut streamed: String = ids
            .iter()
            .map(|id| stream.push(*id).expect("text"))
            .collect();
        streamed.push_str(&stream.finish().expect("text"));
        assert_eq!(streamed, text);
    }
    let plain = tokenizer.encode("<|im_end|>", false).expect("ids");
    assert!(plain.len() > 1 && !plain.contains(&2), "{plain:?}");
}

#[test]
fn the_tokenizer_knows_its_special_tokens_and_template() {
    let Some(path) = model() else { return };
    let tokenizer = Tokenizer::open(&path).expect("a good file");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    assert_eq!(
        (tokenizer.adds_bos(), tokenizer.vocab_size()),
        (false, 49152)
    );
    assert_eq!(tokenizer.stop_ids(), [2]);
    let (config, _) = weights::open(&path).expect("a good file");
    tokenizer.fits(&config).expect("its own model");
    let chat = tokenizer.chat().expect("a template");
    let text = chat.render(&[("user", "Hi")], true).expect("a text");
    assert_eq!(
        text,
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
         <|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    );
    let ids = tokenizer.encode(&text, true).expect("ids");
    assert_eq!((ids[0], ids.iter().filter(|id| **id == 1).count()), (1, 3));
}

/// Saved as a Hugging Face directory and loaded again, it is the same tokenizer.
#[test]
fn the_tokenizer_survives_saving() {
    let Some(path) = model() else { return };
    let tokenizer = Tokenizer::open(&path).expect("a good file");
    let folder = tempfile::tempdir().expect("a temporary folder");
    tokenizer.save(folder.path()).expect("a writable folder");
    let loaded = Tokenizer::open(folder.path()).expect("our own files");
    let text = "It's 2024: naïve <|im_end|>";
    assert_eq!(
        loaded.encode(text, true).ok(),
        tokenizer.encode(text, true).ok()
    );
    assert_eq!(loaded.chat_template(), tokenizer.chat_template());
    assert_eq!(
        (loaded.bos(), loaded.eos(), loaded.adds_bos()),
        (Some(1), Some(2), false)
    );
}
