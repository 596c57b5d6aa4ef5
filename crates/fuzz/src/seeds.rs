//! Intact files of every format, small ones.

mod parquet_files;

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::weights::write_safetensors;
use trainer::progress::Quiet;
use trainer::sides::Sides;
use trainer::training::{Place, Training};
use trainer::{config::Dtype, source, user_model};

use crate::targets::{TARGETS, device, run_config};
use crate::worker::copy;

const EXAMPLE_CONFIG: &str = include_str!("../../../configs/example.toml");
const TLDR: &str = include_str!("../../../datasets/mini/tldr.jsonl");
const PRISM: &str = include_str!("../../../datasets/mini/prism/conversations.jsonl");
const PSOUPS: &str = include_str!("../../../datasets/mini/psoups/rm_training/P1A.json");
const LLAMA_GGUF: &[u8] = include_bytes!("../../llm-backbone/tests/fixtures/llama_gguf/model.gguf");
const QWEN3_GGUF: &[u8] = include_bytes!("../../llm-backbone/tests/fixtures/qwen3_gguf/model.gguf");
const PHI3_GGUF: &[u8] = include_bytes!("../../llm-backbone/tests/fixtures/phi3_gguf/model.gguf");
const GEMMA3_GGUF: &[u8] =
    include_bytes!("../../llm-backbone/tests/fixtures/gemma3_text_gguf/model.gguf");

const TEMPLATES: [(&str, &str); 4] = [
    (
        "chatml.jinja",
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
    ),
    (
        "llama.jinja",
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] | trim %}{% else %}{% set loop_messages = messages %}{% set system = '' %}{% endif %}{% for m in loop_messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{{ '[INST] ' ~ system ~ m.content.strip() ~ ' [/INST]' if m.role == 'user' else ' ' ~ m.content ~ eos_token }}{% endfor %}",
    ),
    (
        "loops.jinja",
        "{%- set ns = namespace(n=0) -%}{%- for m in messages -%}{%- set ns.n = ns.n + 1 -%}{{ m | tojson(indent=2) }}{{ ns.n }}{%- for c in m.content.split(' ') if c -%}{{ c | upper | replace('A', 'b') }}{%- endfor -%}{%- endfor -%}",
    ),
    (
        "macros.jinja",
        "{% macro turn(role, text) %}<|{{ role }}|>{{ text | indent(2) }}{% endmacro %}{% for m in messages %}{{ turn(m.role, m.content) }}{% endfor %}{{ strftime_now('%Y-%m-%d') }}",
    ),
];

/// Writes all of them into folders below `folder`.
pub fn write(folder: &Path) -> Result<(), Box<dyn Error>> {
    data(&folder.join("data"))?;
    put(&folder.join("psoups/rm_training"), "P1A.json", PSOUPS)?;
    put(&folder.join("config"), "run.toml", EXAMPLE_CONFIG)?;
    model(&folder.join("model"))?;
    for (name, text) in TEMPLATES {
        put(&folder.join("template"), name, text)?;
    }
    model(&folder.join("template/model"))?;
    put(&folder.join("template"), "chat.jsonl", chats())?;
    let tokenizers = folder.join("tokenizers");
    fs::create_dir_all(&tokenizers)?;
    fs::copy(
        folder.join("model/tokenizer.json"),
        tokenizers.join("bpe.json"),
    )?;
    for (name, value) in [
        ("unigram", unigram()),
        ("wordpiece", wordpiece()),
        ("wordlevel", wordlevel()),
    ] {
        put(&tokenizers, &format!("{name}.json"), value.to_string())?;
    }
    put(&folder.join("gguf"), "llama.gguf", LLAMA_GGUF)?;
    put(&folder.join("gguf"), "qwen3.gguf", QWEN3_GGUF)?;
    put(&folder.join("gguf"), "phi3.gguf", PHI3_GGUF)?;
    put(&folder.join("gguf"), "gemma3.gguf", GEMMA3_GGUF)?;
    run(folder)
}

/// That every intact file is read, from copies in `scratch`: faults in files that nobody reads would find nothing.
pub fn validate(seeds: &Path, scratch: &Path) -> Result<(), Box<dyn Error>> {
    let mut refused = Vec::new();
    for target in &TARGETS {
        for name in target.files {
            let _ = fs::remove_dir_all(scratch);
            copy(seeds, scratch)?;
            let folder = scratch.join(target.seeds);
            if let Err(error) = (target.read)(&folder, &folder.join(name)) {
                refused.push(format!("{}, {name}: {error}", target.name));
            }
        }
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(format!("intact files are refused:\n{}", refused.join("\n")).into()),
    }
}

fn put(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join(name), content)
}

fn lines(values: impl IntoIterator<Item = Value>) -> String {
    values
        .into_iter()
        .map(|value| format!("{value}\n"))
        .collect()
}

fn general() -> Vec<Value> {
    let one = |n: usize| {
        let user = ["ann", "bo"][n % 2];
        json!({"prompt": format!("Question {n}?"), "chosen": "yes", "rejected": "no, not at all", "user": user, "user_text": "hi"})
    };
    (0..8).map(one).collect()
}

fn chats() -> String {
    let said = |role: &str, content: &str| json!({"role": role, "content": content});
    lines((0..4).flat_map(|n| {
        let user = format!("u{n}");
        let prompt = [
            said("system", "Be kind."),
            said("user", "Hi?"),
            said("assistant", "Yes?"),
            said("user", &format!("Why {n}?")),
        ];
        let whole = |answer: &str| [&prompt[1..], &[said("assistant", answer)]].concat();
        [
            json!({"prompt": prompt, "chosen": "Since.", "rejected": "No.", "user": user}),
            json!({"chosen": whole("Since."), "rejected": whole("No idea."), "user": user}),
        ]
    }))
}

fn data(folder: &Path) -> Result<(), Box<dyn Error>> {
    let first = |text: &str, count: usize| {
        text.lines()
            .take(count)
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    put(folder, "general.jsonl", lines(general()))?;
    put(folder, "chat.jsonl", chats())?;
    put(folder, "array.json", Value::from(general()).to_string())?;
    put(folder, "tldr.json", first(TLDR, 8))?;
    put(folder, "prism.jsonl", first(PRISM, 3))?;
    put(
        folder,
        "general.csv",
        "prompt,chosen,rejected,user\n\"a \"\"b\"\"\nc\",d,e,1\nf,g,h,2\ni,j,k,\n",
    )?;
    put(
        folder,
        "general.tsv",
        "prompt\tresponse_a\tresponse_b\tlabel\nQ\tx\ty\t0\nR\tx\ty\ttie\nS\tx\ty\t1.0\n",
    )?;
    let said = |answer: &str| {
        let asked = json!({"role": "user", "content": "Q"});
        json!([asked, {"role": "assistant", "content": answer}])
    };
    let vote = json!({
        "winner": "model_b", "judge": "j", "turn": 1, "conversation_a": said("A"), "conversation_b": said("B"),
    });
    put(folder, "arena.jsonl", vote.to_string())?;
    let turns = json!({
        "conversation_id": 1, "annotator_id": 2, "first_turn_prompt": "Q", "first_turn_response_a": "A",
        "first_turn_response_b": "B", "first_turn_preferred_response": "response_b", "second_turn_prompt": "R",
    });
    put(folder, "community.jsonl", turns.to_string())?;
    parquet_files::write(folder)?;
    Ok(())
}

/// A Llama with random weights that knows the bytes and a few words.
fn model(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let texts = ["yes, no, not at all, since, question, no idea, be kind"];
    let tokenizer = Tokenizer::train_bpe(texts.into_iter(), 300, &["<s>", "</s>"])?;
    let tokenizer = tokenizer.with_bos("<s>")?.with_eos("</s>")?;
    tokenizer.save(folder)?;
    let sizes = Sizes {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: 16,
        num_layers: 1,
        num_heads: 2,
        num_kv_heads: 1,
        head_dim: 8,
        max_positions: 256,
        ties_embeddings: true,
        bos_token_id: Some(0),
        eos_token_ids: vec![1],
    };
    let config = ModelConfig::from_scratch(sizes, 32);
    put(folder, "config.json", format!("{:#}", config.to_hf_json()))?;
    put(
        folder,
        "generation_config.json",
        r#"{"bos_token_id": 0, "eos_token_id": [1]}"#,
    )?;
    put(
        folder,
        "special_tokens_map.json",
        r#"{"bos_token": "<s>", "eos_token": {"content": "</s>"}}"#,
    )?;
    put(folder, "chat_template.jinja", TEMPLATES[0].1)?;
    let model = Model::random(&config, 0, &device())?;
    write_safetensors(folder.join("model.safetensors"), model.export())?;
    Ok(())
}

/// A finished run of the model in `folder` on its comparisons, and an exported user.
fn run(folder: &Path) -> Result<(), Box<dyn Error>> {
    let run = folder.join("run");
    let base = source::open(&folder.join("model"), Dtype::F32, &device())?;
    let config = run_config(&folder.join("data/general.jsonl"));
    let mut sides = Sides::read(&config.data)?;
    let training = Training::new(&config, base, &mut sides, None)?;
    training.preferences(Place::new(&run))?.run(&mut Quiet)?;
    let (users, table) = user_model::load(&run.join("adapters"), &device())?;
    let ann = table.export_user("ann", &users)?;
    ann.write(&run.join("user.json"))?;
    Ok(())
}

fn vocabulary(words: &[&str]) -> Value {
    words
        .iter()
        .enumerate()
        .map(|(id, word)| ((*word).to_owned(), json!(id)))
        .collect()
}

fn file(model: Value, rest: Value) -> Value {
    let special = |id: usize, content: &str| json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let mut file = json!({"version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null, "model": model});
    if let (Some(file), Value::Object(rest)) = (file.as_object_mut(), rest) {
        file.extend(rest);
    }
    file
}

fn unigram() -> Value {
    let pieces = [
        "<unk>", "<s>", "</s>", "▁", "▁Hello", "▁world", "a", "e", "l", "o", "1", "2", ",", "!",
    ];
    let vocabulary: Vec<Value> = pieces
        .iter()
        .enumerate()
        .map(|(n, piece)| json!([piece, -(n as f64)]))
        .collect();
    let space =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    file(
        json!({"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": false}),
        json!({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
            "pre_tokenizer": space, "decoder": space}),
    )
}

fn wordpiece() -> Value {
    let words = [
        "<unk>", "<s>", "</s>", "hello", "world", "##o", "##l", "a", "1", "##2", ",", "!",
    ];
    file(
        json!({"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": vocabulary(&words)}),
        json!({"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true}}),
    )
}

fn wordlevel() -> Value {
    let split = json!({"type": "Split", "pattern": {"Regex": "\\s+|[[:punct:]]"}, "behavior": "Isolated", "invert": false});
    file(
        json!({"type": "WordLevel", "vocab": vocabulary(&["<unk>", "<s>", "</s>", "Hello", "world", "1234"]), "unk_token": "<unk>"}),
        json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "Digits", "individual_digits": false}]},
            "decoder": {"type": "Fuse"}}),
    )
}
