//! A family is one file, one line in the list, and a fixture: no other file of the workspace names one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One entry of the list in `src/family.rs`.
struct Family {
    /// `Llama`
    variant: String,
    /// `llama`: its file, its fixture, and its `model_type`.
    module: String,
    /// `LlamaConfig`
    config: String,
}

/// Texts that are a family's name and mean something else, and the file they may be in.
const OTHER_MEANINGS: [(&str, &str); 12] = [
    // A GGUF file's name for a way to cut text.
    ("qwen2", "src/tokenizer/pre_tokenizers.rs"),
    // A GGUF file's name for SentencePiece vocabularies.
    ("llama", "src/tokenizer/gguf.rs"),
    // Its special tokens swallow white space.
    ("phi3", "src/tokenizer/gguf.rs"),
    // Fixtures that a new GPU is checked with.
    ("llama", "speed/src/gpu/checks.rs"),
    ("gptj", "speed/src/gpu/checks.rs"),
    ("qwen3", "speed/src/gpu/checks.rs"),
    ("qwen2", "speed/src/gpu/checks.rs"),
    ("mistral", "speed/src/gpu/checks.rs"),
    ("gemma3_text", "speed/src/gpu/checks.rs"),
    ("smollm3", "speed/src/gpu/checks.rs"),
    ("phi3", "speed/src/gpu/checks.rs"),
    ("olmo2", "speed/src/gpu/checks.rs"),
];

fn families() -> Vec<Family> {
    let list = fs::read_to_string(here("src/family.rs")).expect("the list");
    let list = list.split_once("families! {").expect("the list").1;
    let list = list.split_once("\n}").expect("its end").0;
    let entries = list.lines().map(str::trim);
    let entries = entries.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let family = |line: &str| {
        let words: Vec<_> = line
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .collect();
        let [variant, module, _, config, ..] = words[..] else {
            panic!("{line}: not as `Variant(module::Config),`")
        };
        Family {
            variant: variant.to_owned(),
            module: module.to_owned(),
            config: config.to_owned(),
        }
    };
    entries.map(family).collect()
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every Rust file of the workspace beside those of the families.
fn other_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![
        here("..").canonicalize().expect("crates"),
        here("../../xtask"),
    ];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    let of_families = [here("src/family.rs"), here("src/family/")];
    found.retain(|path| !of_families.iter().any(|own| path.starts_with(own)));
    found
}

/// The words of Rust code, and its texts, without comments.
fn words_and_texts(code: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let (mut words, mut texts) = (BTreeSet::new(), BTreeSet::new());
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            raw.find("\"#").expect("the end of a text") + 5
        } else if let Some(text) = rest.strip_prefix('"') {
            let end = end_of_text(text);
            texts.insert(&text[..end]);
            end + 2
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\") {
            3
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            let end = end.unwrap_or(rest.len());
            words.insert(&rest[..end]);
            end
        } else {
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    (words, texts)
}

/// Where a text in quotation marks ends.
fn end_of_text(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("a text without end")
}

#[test]
fn only_its_own_file_and_the_list_name_a_family() {
    let families = families();
    assert!(families.len() >= 3);
    for path in other_files() {
        let code = fs::read_to_string(&path).expect("a readable file");
        let (words, texts) = words_and_texts(&code);
        // Tests name fixtures.
        let is_test = path.ends_with("tests.rs") || path.iter().any(|part| part == "tests");
        for family in &families {
            for word in [&family.variant, &family.config] {
                assert!(!words.contains(word.as_str()), "{}: {word}", path.display());
            }
            let module = family.module.as_str();
            let allowed = OTHER_MEANINGS
                .iter()
                .any(|(text, file)| *text == module && path.ends_with(file));
            let named = texts.contains(module) && !allowed && !is_test;
            assert!(!named, "{}: \"{module}\"", path.display());
        }
    }
}

#[test]
fn every_family_has_a_file_and_a_fixture_of_its_type() {
    for Family { module, .. } in families() {
        assert!(
            here(&format!("src/family/{module}.rs")).is_file(),
            "{module}"
        );
        let config = here(&format!("tests/fixtures/{module}/config.json"));
        let text = fs::read_to_string(&config).expect("a fixture");
        let config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(config["model_type"], module.as_str());
    }
}

#[test]
fn words_are_told_from_texts_and_comments() {
    let code = "let a = \"b \\\" c\"; // d\n'\"' r#\"e\"# f::<'g>()";
    let (words, texts) = words_and_texts(code);
    assert_eq!(words, BTreeSet::from(["let", "a", "f", "g"]));
    assert_eq!(texts, BTreeSet::from(["b \\\" c"]));
}
