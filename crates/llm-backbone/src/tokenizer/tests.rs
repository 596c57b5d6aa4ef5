use std::path::Path;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::gguf::GgufFile;
use crate::gguf::test_file::Builder;

const TEXTS: [&str; 4] = [
    "the cat sat on the mat",
    "the dog sat on the log",
    "a cat and a dog",
    "naïve café, 100 dogs!",
];

fn trained() -> Tokenizer {
    Tokenizer::train_bpe(TEXTS.iter(), 300, &["<s>", "</s>", "<pad>"])
        .and_then(|tokenizer| tokenizer.with_bos("<s>"))
        .and_then(|tokenizer| tokenizer.with_eos("</s>"))
        .expect("a small tokenizer")
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn write(folder: &Path, name: &str, value: &serde_json::Value) {
    std::fs::write(folder.join(name), value.to_string()).expect("a writable folder");
}

fn from_gguf(builder: Builder) -> Result<Tokenizer, TokenizerError> {
    let folder = folder();
    let file = GgufFile::open(builder.write(folder.path()))?;
    Tokenizer::from_gguf(file.metadata(), Path::new("model.gguf"))
}

#[test]
fn training_is_deterministic_and_puts_special_tokens_first() {
    let (one, other) = (trained(), trained());
    assert_eq!(
        one.inner.to_string(false).ok(),
        other.inner.to_string(false).ok()
    );
    assert_eq!(
        (one.bos(), one.eos(), one.token_to_id("<pad>")),
        (Some(0), Some(1), Some(2))
    );
    assert!(one.vocab_size() > 259 && one.vocab_size() <= 300);
    assert!(
        one.token_to_id("Ġthe").is_some(),
        "a frequent word is one token"
    );
    assert!(!one.adds_bos());
}

#[test]
fn training_needs_room_for_bytes() {
    let error = Tokenizer::train_bpe(TEXTS.iter(), 258, &["<s>", "</s>", "<pad>"]);
    assert_eq!(
        error.expect_err("too small").to_string(),
        "training a tokenizer: found a vocabulary of 258, expected at least 259 (bytes and special tokens)"
    );
    let error = trained()
        .with_bos("<none>")
        .expect_err("no such token")
        .to_string();
    assert!(
        error.starts_with("token `<none>`: not in the vocabulary of "),
        "{error}"
    );
}

#[test]
fn special_tokens_in_text_are_found_only_when_asked_for() {
    let tokenizer = trained();
    let special = tokenizer.encode("</s>the", true).expect("ids");
    assert_eq!(special[0], 1);
    let plain = tokenizer.encode("</s>the", false).expect("ids");
    assert!(!plain.contains(&1));
    assert_eq!(tokenizer.decode(&plain, true).expect("text"), "</s>the");
    assert_eq!(tokenizer.decode(&special, true).expect("text"), "the");
    assert_eq!(tokenizer.decode(&special, false).expect("text"), "</s>the");
}

#[test]
fn a_saved_tokenizer_is_the_same_when_loaded() {
    let folder = folder();
    let tokenizer = trained()
        .with_bos_in_front()
        .expect("a BOS")
        .with_chat_template("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
    tokenizer.save(folder.path()).expect("a writable folder");
    let loaded = Tokenizer::open(folder.path()).expect("our own files");
    assert_eq!(
        (loaded.bos(), loaded.eos(), loaded.adds_bos()),
        (Some(0), Some(1), true)
    );
    let text = "the naïve dog 12";
    let ids = tokenizer.encode(text, true).expect("ids");
    assert_eq!(loaded.encode(text, true).expect("ids"), ids);
    assert_ne!(ids[0], 0, "no BOS by itself");
    let chat = loaded.chat().expect("a template");
    assert_eq!(
        chat.render(&[("user", "Hi")], false).expect("a text"),
        "<s>Hi</s>"
    );
    // Without the key, the file itself tells.
    let path = folder.path().join("tokenizer_config.json");
    write(
        folder.path(),
        "tokenizer_config.json",
        &json!({"bos_token": "<s>"}),
    );
    assert!(
        Tokenizer::open(folder.path())
            .expect("a good file")
            .adds_bos(),
        "{}",
        path.display()
    );
}

#[test]
fn special_tokens_come_from_any_of_the_files() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("our file");
    let bare = Tokenizer::open(folder.path()).expect("a good file");
    assert_eq!(
        (bare.bos(), bare.eos(), bare.stop_ids()),
        (None, None, vec![])
    );
    write(
        folder.path(),
        "generation_config.json",
        &json!({"bos_token_id": 0, "eos_token_id": [1, 2]}),
    );
    let generation = Tokenizer::open(folder.path()).expect("a good file");
    assert_eq!((generation.bos(), generation.eos()), (Some(0), Some(1)));
    assert_eq!(generation.stop_ids(), [1, 2]);
    write(
        folder.path(),
        "special_tokens_map.json",
        &json!({"eos_token": {"content": "<pad>"}}),
    );
    assert_eq!(
        Tokenizer::open(folder.path()).expect("a good file").eos(),
        Some(2)
    );
    write(
        folder.path(),
        "tokenizer_config.json",
        &json!({"eos_token": "<s>"}),
    );
    assert_eq!(
        Tokenizer::open(folder.path()).expect("a good file").eos(),
        Some(0)
    );
}

#[test]
fn chat_templates_may_be_text_list_or_file() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    let template = || Tokenizer::open(folder.path()).map(|t| t.chat_template().map(str::to_owned));
    assert_eq!(template().expect("a good file"), None);
    let list =
        json!([{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]);
    write(
        folder.path(),
        "tokenizer_config.json",
        &json!({"chat_template": list}),
    );
    assert_eq!(template().expect("a good file").as_deref(), Some("yes"));
    std::fs::write(folder.path().join("chat_template.jinja"), "file").expect("a writable folder");
    assert_eq!(template().expect("a good file").as_deref(), Some("file"));
}

#[test]
fn a_template_for_tools_and_further_tokens_are_read_and_written() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    let list = json!([
        {"name": "tool_use", "template": "{{ tools[0] }}{{ pad_token }}"},
        {"name": "default", "template": "{{ tools }}{{ pad_token }}"},
    ]);
    let config = json!({"chat_template": list, "pad_token": {"content": "<s>"}});
    write(folder.path(), "tokenizer_config.json", &config);
    let loaded = Tokenizer::open(folder.path()).expect("a good file");
    loaded.save(folder.path()).expect("a writable folder");
    let chat = Tokenizer::open(folder.path())
        .expect("our own files")
        .chat();
    let chat = chat.expect("a template");
    let render = |tools: Option<&serde_json::Value>| {
        let inputs = crate::chat::ChatInputs {
            messages: &[],
            tools,
            variables: &serde_json::Map::new(),
            add_generation_prompt: true,
        };
        chat.render_with(&inputs).expect("a text")
    };
    assert_eq!(render(None), "None<s>");
    assert_eq!(render(Some(&json!(["w"]))), "w<s>");
}

#[test]
fn broken_directories_name_file_and_key() {
    let folder = folder();
    let error = Tokenizer::open(folder.path())
        .expect_err("nothing there")
        .to_string();
    assert!(error.contains("tokenizer.json: "), "{error}");
    trained().save(folder.path()).expect("a writable folder");
    write(
        folder.path(),
        "tokenizer_config.json",
        &json!({"bos_token": 3}),
    );
    let error = Tokenizer::open(folder.path())
        .expect_err("a number")
        .to_string();
    assert!(
        error.ends_with("tokenizer_config.json: bos_token: found 3, expected a token"),
        "{error}"
    );
    std::fs::write(folder.path().join("tokenizer.json"), "{}").expect("a writable folder");
    let error = Tokenizer::open(folder.path())
        .expect_err("an empty object")
        .to_string();
    assert!(
        error.contains("tokenizer.json: tokenizer: found "),
        "{error}"
    );
}

fn config(vocab_size: usize) -> ModelConfig {
    let text = json!({
        "model_type": "gptj", "vocab_size": vocab_size, "n_embd": 8, "n_layer": 1, "n_head": 1, "rotary_dim": 8,
        "n_positions": 8
    });
    ModelConfig::from_hf_json(&text.to_string(), Path::new("config.json")).expect("a good config")
}

#[test]
fn the_largest_id_must_have_a_row() {
    let tokenizer = trained();
    let size = tokenizer.vocab_size();
    assert!(tokenizer.fits(&config(size)).is_ok());
    assert_eq!(
        tokenizer
            .fits(&config(size - 1))
            .expect_err("one row short")
            .to_string(),
        format!(
            "the tokenizer does not fit the weights: its largest id is {}, the model has {} embeddings",
            size - 1,
            size - 1
        )
    );
}

#[test]
fn an_end_of_text_that_is_only_an_id_must_have_a_row_too() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("a file");
    write(
        folder.path(),
        "generation_config.json",
        &json!({"eos_token_id": 128_009}),
    );
    let tokenizer = Tokenizer::from_directory(folder.path()).expect("a tokenizer");
    let error = tokenizer.fits(&config(32_000)).expect_err("no such row");
    assert!(error.to_string().contains("128009"), "{error}");
}

/// A vocabulary of single characters, `ab`, `12` and two special tokens.
fn bpe(pre: &str) -> Builder {
    Builder::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", pre)
        .strings(
            "tokenizer.ggml.tokens",
            &["<s>", "<x>", "a", "b", "ab", "1", "2", "12", "Ġ"],
        )
        .i32s("tokenizer.ggml.token_type", &[3, 4, 1, 1, 1, 1, 1, 1, 1])
        .strings("tokenizer.ggml.merges", &["a b", "1 2"])
        .u32("tokenizer.ggml.bos_token_id", 0)
        .u32("tokenizer.ggml.eos_token_id", 0)
}

#[test]
fn gguf_bpe_merges_as_its_pre_tokenizer_cuts() {
    for (pre, numbers, adds_bos) in [
        ("gpt-2", vec![7], false),
        ("smollm", vec![5, 6], false),
        ("llama-bpe", vec![7], true),
        ("qwen2", vec![5, 6], false),
        ("default", vec![7], false),
    ] {
        let tokenizer = from_gguf(bpe(pre)).expect("a good file");
        assert_eq!(
            tokenizer.encode("ab ab", true).expect("ids"),
            [4, 8, 4],
            "{pre}"
        );
        assert_eq!(tokenizer.encode("12", true).expect("ids"), numbers, "{pre}");
        assert_eq!(
            tokenizer.encode("<s>a<x>", true).expect("ids"),
            [0, 2, 1],
            "{pre}"
        );
        assert_eq!(
            tokenizer.decode(&[0, 4, 8, 1], true).expect("text"),
            "ab <x>",
            "{pre}"
        );
        assert_eq!(
            (tokenizer.adds_bos(), tokenizer.stop_ids()),
            (adds_bos, vec![0]),
            "{pre}"
        );
    }
    let says = from_gguf(bpe("llama-bpe").bool("tokenizer.ggml.add_bos_token", false));
    assert!(!says.expect("a good file").adds_bos());
}

#[test]
fn qwen2_composes_characters_first() {
    let file = Builder::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "qwen2")
        .strings("tokenizer.ggml.tokens", &["Ã", "©"])
        .i32s("tokenizer.ggml.token_type", &[1, 1])
        .strings::<&str>("tokenizer.ggml.merges", &[]);
    let tokenizer = from_gguf(file).expect("a good file");
    // The bytes of `é`, which comes as `e` and an accent.
    assert_eq!(tokenizer.encode("e\u{301}", true).expect("ids"), [0, 1]);
}

#[test]
fn gguf_sentencepiece_merges_by_score_and_falls_back_to_bytes() {
    let pieces = [
        "<unk>",
        "<s>",
        "<0x41>",
        "\u{2581}",
        "a",
        "b",
        "ab",
        "\u{2581}a",
        "<0xC3>",
        "<0xA9>",
    ];
    let file = Builder::new()
        .string("tokenizer.ggml.model", "llama")
        .strings("tokenizer.ggml.tokens", &pieces)
        // `▁a` is better than `ab`.
        .f32s(
            "tokenizer.ggml.scores",
            &[0.0, 0.0, 0.0, -5.0, -6.0, -7.0, -2.0, -1.0, 0.0, 0.0],
        )
        .i32s("tokenizer.ggml.token_type", &[2, 3, 6, 1, 1, 1, 1, 1, 6, 6])
        .u32("tokenizer.ggml.bos_token_id", 1);
    let tokenizer = from_gguf(file).expect("a good file");
    assert!(tokenizer.adds_bos());
    assert_eq!(tokenizer.encode("ab", true).expect("ids"), [7, 5]);
    assert_eq!(tokenizer.encode("bab", true).expect("ids"), [3, 5, 6]);
    assert_eq!(tokenizer.encode("aAé", true).expect("ids"), [7, 2, 8, 9]);
    assert_eq!(
        tokenizer
            .decode(&[1, 7, 2, 8, 9, 3, 5], true)
            .expect("text"),
        "aAé b"
    );
}

#[test]
fn gguf_tokenizers_that_contradict_themselves_are_refused() {
    let refused = |builder| from_gguf(builder).expect_err("a bad file").to_string();
    for (builder, expected) in [
        (
            Builder::new(),
            "tokenizer.ggml.tokens: found nothing, expected a list of tokens",
        ),
        (
            Builder::new().strings("tokenizer.ggml.tokens", &["a", "a"]),
            "tokenizer.ggml.tokens: found \"a\" twice, expected every token once",
        ),
        (
            Builder::new()
                .strings("tokenizer.ggml.tokens", &["a"])
                .string("tokenizer.ggml.model", "bert"),
            "tokenizer.ggml.model: found `bert`, expected `gpt2` or `llama`",
        ),
        (
            bpe("falcon"),
            "tokenizer.ggml.pre: found `falcon`, expected gpt-2, smollm, llama-bpe, qwen2, default",
        ),
        (
            bpe("smollm").u32("tokenizer.ggml.eot_token_id", 9),
            "tokenizer.ggml.eot_token_id: found the number 9, expected an id below 9",
        ),
        (
            Builder::new()
                .strings("tokenizer.ggml.tokens", &["a"])
                .string("tokenizer.ggml.model", "llama"),
            "tokenizer.ggml.scores: found nothing, expected a score for each token",
        ),
    ] {
        assert_eq!(refused(builder), format!("model.gguf: {expected}"));
    }
    let bad_merge = Builder::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.tokens", &["a"])
        .strings("tokenizer.ggml.merges", &["a z"]);
    assert!(refused(bad_merge).starts_with("model.gguf: tokenizer: found "));
}

#[test]
fn a_stream_gives_characters_whole() {
    let tokenizer = trained();
    let mut stream = StreamDecoder::new(&tokenizer, true);
    // "é" is two bytes, and the training texts hold it once: two tokens.
    let ids = tokenizer.encode("é!", true).expect("ids");
    let steps: Vec<String> = ids
        .iter()
        .map(|id| stream.push(*id).expect("text"))
        .collect();
    assert_eq!(steps, ["", "é", "!"]);
    assert_eq!(stream.finish().expect("text"), "");
}

#[test]
fn a_stream_keeps_replacement_characters_of_the_text_itself() {
    let tokenizer = trained();
    // Three tokens each, then four of one character.
    for text in [
        "\u{fffd}\u{fffd}\u{1d300}",
        "\u{fffd}\u{fffd}\u{fffd}\u{fffd}!",
        "\u{fffd}",
    ] {
        let mut stream = StreamDecoder::new(&tokenizer, true);
        let mut streamed = String::new();
        for id in tokenizer.encode(text, false).expect("ids") {
            streamed.push_str(&stream.push(id).expect("text"));
        }
        streamed.push_str(&stream.finish().expect("text"));
        assert_eq!(streamed, text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn text_survives_and_streams_equal_the_whole(text in "\\PC{0,40}", cut in 0_usize..4) {
        let tokenizer = trained();
        let mut ids = tokenizer.encode(&text, false).expect("ids");
        prop_assert_eq!(tokenizer.decode(&ids, true).expect("text"), text);
        // Without its last ids the text may end inside a character.
        ids.truncate(ids.len().saturating_sub(cut));
        let mut stream = StreamDecoder::new(&tokenizer, true);
        let mut streamed = String::new();
        for id in &ids {
            streamed.push_str(&stream.push(*id).expect("text"));
        }
        streamed.push_str(&stream.finish().expect("text"));
        prop_assert_eq!(streamed, tokenizer.decode(&ids, true).expect("text"));
    }
}
