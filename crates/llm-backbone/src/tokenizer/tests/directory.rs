//! Tokenizers in Hugging Face folders.

use super::*;

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
    assert!(
        error.contains("no files of a tokenizer, no tokenizer.json; copy"),
        "{error}"
    );
    std::fs::write(folder.path().join("tokenizer.model"), "\n\0").expect("a writable folder");
    let error = Tokenizer::open(folder.path())
        .expect_err("a slow one")
        .to_string();
    assert!(
        error.contains("only sentencepiece's tokenizer.model, no tokenizer.json; make it"),
        "{error}"
    );
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
    std::fs::write(folder.path().join("tokenizer.json"), pointer).expect("a writable folder");
    let error = Tokenizer::open(folder.path())
        .expect_err("a pointer")
        .to_string();
    assert!(
        error.contains("tokenizer.json: a pointer of Git LFS"),
        "{error}"
    );
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
            "the tokenizer does not fit the weights: 1 of its tokens have no row among the model's {} embeddings, such as {:?} (id {}); take them out of tokenizer.json (`added_tokens`), or give the model rows for them (`resize_token_embeddings` in Python), or use the tokenizer that came with these weights",
            size - 1,
            tokenizer
                .id_to_token(size as u32 - 1)
                .expect("the last token"),
            size - 1
        )
    );
}

#[test]
fn without_generation_config_the_ends_are_those_of_the_models_own() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    write(
        folder.path(),
        "tokenizer_config.json",
        &json!({"eos_token": null}),
    );
    write(
        folder.path(),
        "config.json",
        &json!({"bos_token_id": 0, "eos_token_id": [1, 2]}),
    );
    let tokenizer = Tokenizer::open(folder.path()).expect("a good folder");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(0), Some(1)));
    assert_eq!(tokenizer.stop_ids(), [1, 2]);
    write(
        folder.path(),
        "generation_config.json",
        &json!({"eos_token_id": 2}),
    );
    let tokenizer = Tokenizer::open(folder.path()).expect("a good folder");
    assert_eq!(tokenizer.stop_ids(), [2]);
}

/// The library panics on each of these, in reading or in use; here they are errors, and a hook hears nothing of them.
#[test]
fn contradictory_tokenizers_are_errors() {
    let _ = super::guard::guarded(|| Ok(())); // The hook of others goes behind ours.
    let panics = super::guard::guarded::<()>(|| panic!("on some file"));
    assert!(panics.expect_err("a panic").contains("cannot handle"));
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    let text = std::fs::read(folder.path().join("tokenizer.json")).expect("the file");
    let good: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let digits =
        |content: &str| json!({"type": "Replace", "pattern": {"Regex": content}, "content": ""});
    for (key, value) in [
        (
            "decoder",
            json!({"type": "Strip", "content": "a", "start": 1_000_000_000, "stop": 1_000_000_000}),
        ),
        (
            "decoder",
            json!({"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}),
        ),
        ("normalizer", digits("(a*)*b")),
        (
            "normalizer",
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
        ),
        (
            "truncation",
            json!({"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 9}),
        ),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        let path = folder.path().join("tokenizer.json");
        std::fs::write(path, bad.to_string()).expect("a writable folder");
        let Ok(tokenizer) = Tokenizer::open(folder.path()) else {
            continue;
        };
        if let Ok(ids) = tokenizer.encode(&"a".repeat(40), false) {
            let _ = tokenizer.decode(&ids, false);
        }
    }
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

#[test]
fn ids_that_the_generation_configuration_does_not_name_come_from_the_models() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("our file");
    write(
        folder.path(),
        "generation_config.json",
        &json!({"temperature": 0.6, "bos_token_id": 1}),
    );
    write(
        folder.path(),
        "config.json",
        &json!({"eos_token_id": [1, 2], "bos_token_id": 0}),
    );
    let tokenizer = Tokenizer::open(folder.path()).expect("good files");
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(1)));
    assert_eq!(tokenizer.stop_ids(), [1, 2]);
}

#[test]
fn ids_that_no_row_of_the_model_has_are_left_out() {
    let folder = folder();
    trained().save(folder.path()).expect("a writable folder");
    std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("our file");
    let config = json!({"vocab_size": 300, "eos_token_id": [1, 300], "bos_token_id": -1});
    write(folder.path(), "config.json", &config);
    let tokenizer = Tokenizer::open(folder.path()).expect("good files");
    assert_eq!((tokenizer.bos(), tokenizer.stop_ids()), (None, vec![1]));
}

#[test]
fn a_special_token_that_the_vocabulary_lacks_is_an_error_with_file_and_key() {
    for file in ["tokenizer_config.json", "special_tokens_map.json"] {
        let folder = folder();
        trained().save(folder.path()).expect("a writable folder");
        std::fs::remove_file(folder.path().join("tokenizer_config.json")).expect("our file");
        write(folder.path(), file, &json!({"eos_token": "</end>"}));
        let error = Tokenizer::open(folder.path())
            .expect_err("no such token")
            .to_string();
        for part in [file, "eos_token", "`</end>`", "tokens of tokenizer.json"] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
