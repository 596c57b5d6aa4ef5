//! Tokenizers in GGUF files.

use super::*;
use crate::gguf::GgufFile;
use crate::gguf::test_file::Builder;

fn from_gguf(builder: Builder) -> Result<Tokenizer, TokenizerError> {
    let folder = folder();
    let file = GgufFile::open(builder.write(folder.path()))?;
    Tokenizer::from_gguf(file.metadata(), Path::new("model.gguf"))
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
        ("dbrx", vec![7], false),
        ("gpt-4o", vec![7], false),
        ("tekken", vec![5, 6], true),
        ("default", vec![7], false),
        ("smaug-bpe", vec![7], false),
        ("falcon3", vec![7], true),
        ("pixtral", vec![7], true),
        ("phi-2", vec![7], false),
        ("llama4", vec![7], false),
        ("megrez", vec![5, 6], false),
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

/// `aB` is a token, and `a's` another; what is cut apart is not merged.
#[test]
fn capitals_and_endings_are_cut_as_each_pre_tokenizer_does() {
    let tokens = ["a", "B", "aB", "'", "s", "'s", "a's"];
    for (pre, capital, ending) in [
        ("dbrx", vec![2], vec![0, 5]),
        ("gpt-4o", vec![0, 1], vec![6]),
        ("smaug-bpe", vec![2], vec![0, 5]),
        ("tekken", vec![0, 1], vec![0, 5]),
    ] {
        let file = Builder::new()
            .string("tokenizer.ggml.model", "gpt2")
            .string("tokenizer.ggml.pre", pre)
            .strings("tokenizer.ggml.tokens", &tokens)
            .i32s("tokenizer.ggml.token_type", &[1; 7])
            .strings("tokenizer.ggml.merges", &["a B", "' s", "a 's"]);
        let tokenizer = from_gguf(file).expect("a good file");
        assert_eq!(tokenizer.encode("aB", true).expect("ids"), capital, "{pre}");
        assert_eq!(tokenizer.encode("a's", true).expect("ids"), ending, "{pre}");
    }
}

/// `abc` is in the vocabulary, and no merges lead there.
#[test]
fn whole_pieces_are_taken_where_the_model_has_a_tokenizer_of_llama_3() {
    for (pre, ids) in [
        ("smaug-bpe", vec![3]),
        ("llama-bpe", vec![3]),
        ("dbrx", vec![0, 1, 2]),
    ] {
        let file = Builder::new()
            .string("tokenizer.ggml.model", "gpt2")
            .string("tokenizer.ggml.pre", pre)
            .strings("tokenizer.ggml.tokens", &["a", "b", "c", "abc"])
            .i32s("tokenizer.ggml.token_type", &[1; 4])
            .strings::<&str>("tokenizer.ggml.merges", &[]);
        let tokenizer = from_gguf(file).expect("a good file");
        assert_eq!(tokenizer.encode("abc", true).expect("ids"), ids, "{pre}");
    }
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

/// `</s>` could be merged from its two halves, which are in the vocabulary.
#[test]
fn gguf_sentencepiece_goes_on_without_a_space_and_never_spells_a_control_token() {
    let pieces = [
        "<unk>", "<s>", "</s>", "\u{2581}", "a", "b", "</", "s>", "<", "/", "s", ">",
    ];
    let scores: Vec<f32> = (0..12_u8).map(|id| -f32::from(id)).collect();
    for prefix in [true, false] {
        let file = Builder::new()
            .string("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &pieces)
            .f32s("tokenizer.ggml.scores", &scores)
            .i32s(
                "tokenizer.ggml.token_type",
                &[2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            )
            .bool("tokenizer.ggml.add_space_prefix", prefix);
        let tokenizer = from_gguf(file).expect("a good file");
        let ids = tokenizer.encode("ab", true).expect("ids");
        assert_eq!(ids, if prefix { vec![3, 4, 5] } else { vec![4, 5] });
        for (context, text, expected) in [
            ("a", "b", vec![5]),
            ("a ", "b", vec![5]),
            ("a", " b", vec![3, 5]),
        ] {
            let found = tokenizer.encode_after(context, text, Specials::Everywhere);
            assert_eq!(found.expect("ids"), expected, "{prefix} {context:?}");
        }
        let plain = tokenizer.encode("a</s>", false).expect("ids");
        assert!(plain.ends_with(&[4, 6, 7]), "{plain:?}");
        assert!(
            tokenizer
                .encode("a</s>", true)
                .expect("ids")
                .ends_with(&[4, 2])
        );
    }
}

/// `llama.cpp` goes by the name; newer converters write it with a space, and fine-tuned models have other names.
#[test]
fn special_tokens_of_phi_3_swallow_the_white_space_behind_them() {
    const TOKENS: [&str; 10] = [
        "<unk>",
        "<s>",
        "</s>",
        "<|endoftext|>",
        "<|user|>",
        "<|end|>",
        "\n",
        "\u{2581}",
        "\u{2581}h",
        "h",
    ];
    let file = |architecture: &str, name: &str| {
        let file = Builder::new()
            .string("general.architecture", architecture)
            .string("general.name", name)
            .string("tokenizer.ggml.model", "llama")
            .strings("tokenizer.ggml.tokens", &TOKENS)
            .f32s("tokenizer.ggml.scores", &[0.0; 10])
            .i32s("tokenizer.ggml.token_type", &[2, 3, 4, 3, 3, 3, 1, 1, 1, 1]);
        from_gguf(file).expect("a good file")
    };
    for (architecture, name) in [
        ("phi3", "Phi-3-mini-4k-instruct"),
        ("phi3", "Phi 3.5 Mini Instruct"),
        ("phi3", "my own"),
        ("llama", "PHI3 as a Llama"),
    ] {
        let ids = |text: &str| file(architecture, name).encode(text, true).expect("ids");
        assert_eq!(
            ids("<|user|>\nh<|end|>\n<|user|> \n"),
            [4, 8, 5, 4],
            "{name}"
        );
        assert_eq!(ids("</s>\n<|user|>"), [2, 4], "{name}");
        for (token, id) in [("<s>", 1), ("<|endoftext|>", 3)] {
            assert_eq!(ids(&format!("{token}\nh")), [id, 7, 6, 9], "{name} {token}");
        }
    }
    let other = file("llama", "Phi 2").encode("<|user|>\nh", true);
    assert_eq!(other.expect("ids"), [4, 7, 6, 9]);
}

/// Our steps are those of the library, with its added tokens in all their forms.
#[test]
fn whole_texts_have_the_ids_of_the_library() {
    let mut tokenizer = trained();
    let added = |text: &str| tokenizers::AddedToken::from(text, false);
    tokenizer.inner.add_tokens(&[
        added("cat").single_word(true),
        added("<l>").lstrip(true).normalized(false),
        added("<r>").rstrip(true).normalized(false),
        added("<b>").lstrip(true).rstrip(true),
    ]);
    for text in [
        "the cat sat, cats",
        "cat",
        "a  <l> b <l>",
        "a <r>  b<r>",
        " <b> <b> x",
        "<r> <l>",
        "</s><s> <pad>",
        "<l><r><b>",
    ] {
        let expected = tokenizer.inner.encode_fast(text, false).expect("ids");
        assert_eq!(
            tokenizer.encode(text, true).expect("ids"),
            expected.get_ids(),
            "{text:?}"
        );
    }
}

/// `llama.cpp` warns of such ids and goes on.
#[test]
fn an_id_of_no_token_is_left_out() {
    for end in [8, 9, u32::MAX] {
        let file = bpe("smollm").u32("tokenizer.ggml.eot_token_id", end);
        let stops = from_gguf(file).expect("a good file").stop_ids();
        assert_eq!(stops, if end == 8 { vec![0, 8] } else { vec![0] });
    }
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
            "tokenizer.ggml.pre: found `falcon`, expected gpt-2, smollm, llama-bpe, smaug-bpe, dbrx, qwen2, gpt-4o, tekken, default",
        ),
        (
            bpe("smollm").string("tokenizer.ggml.eot_token_id", "8"),
            "tokenizer.ggml.eot_token_id: found a text, expected an id below 9",
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
