//! Every model family through the whole program: training, evaluation, text, resume, from a folder and from a GGUF file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use trainer::llm_backbone::tokenizer::Tokenizer;

use crate::fixture::{Place, fixture, prlhf};

/// Tiny random models of `llm-backbone`; beside each folder is a GGUF file of the same family.
const FAMILIES: [&str; 8] = [
    "llama",
    "qwen3",
    "qwen2",
    "mistral",
    "gemma3_text",
    "smollm3",
    "phi3",
    "olmo2",
];

fn model_fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../llm-backbone/tests/fixtures")
        .join(name)
}

/// The folder with the tokenizer of the GGUF file, whose vocabulary has as many tokens.
fn with_tokenizer(name: &str, gguf: &Path) -> PathBuf {
    let folder = fixture().fresh(name).path().to_path_buf();
    fs::create_dir(&folder).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(model_fixture(name).join(file), folder.join(file)).unwrap();
    }
    Tokenizer::open(gguf).unwrap().save(&folder).unwrap();
    folder
}

/// Twelve comparisons of two users in the characters that the vocabulary has.
fn comparisons() -> PathBuf {
    let mut text = String::new();
    for number in 0..12 {
        let (chosen, rejected, user) = match number % 2 {
            0 => ("YES", "NO,NOT-AT-ALL", "SHORT"),
            _ => ("NO,NOT-AT-ALL", "YES", "LONG"),
        };
        let row = serde_json::json!({
            "prompt": format!("QUESTION{number}:IS-IT-SO?"), "chosen": chosen, "rejected": rejected, "user": user,
        });
        writeln!(text, "{row}").unwrap();
    }
    fixture().file("families.jsonl", &text)
}

#[test]
fn every_family_trains_evaluates_generates_and_resumes() {
    let data = comparisons();
    for name in FAMILIES {
        let gguf = model_fixture(&format!("{name}_gguf")).join("model.gguf");
        for model in [with_tokenizer(name, &gguf), gguf] {
            goes_through(&model, &data, "auto");
        }
    }
}

#[test]
fn users_with_a_prefix_train_and_move_from_run_to_run() {
    let data = comparisons();
    let gguf = model_fixture("mistral_gguf").join("model.gguf");
    let out = goes_through(&gguf, &data, "prefix");
    let run = ["--run", out.str()];
    let told = prlhf(&["inspect", out.str()]).ok();
    assert!(
        told.contains("2 keys and values at every layer (T_u), width "),
        "{told}"
    );
    let file = out.path().with_extension("json");
    let file = file.to_str().unwrap();
    let users = |action: &[&str]| prlhf(&[&["users"][..], &run, action].concat()).ok();
    users(&["export", "LONG", file]);
    users(&["remove", "LONG"]);
    // The checkpoint still has the user as it knew them.
    let called = prlhf(&[&["users"][..], &run, &["import", file]].concat());
    called.ok();
    let warning = "`train --resume` may replace these adapters by its own";
    assert!(called.stderr.contains(warning), "{}", called.stderr);
    let config = out.path().join("config.toml");
    let check = ["check", "--config", config.to_str().unwrap(), "--show", "1"];
    let told = prlhf(&check).ok();
    assert!(told.contains("2 keys and values at every layer"), "{told}");
}

fn goes_through(model: &Path, data: &Path, kind: &str) -> Place {
    let config = format!(
        "[model]\nsource = {model:?}\n[data]\ntrain = [{data:?}]\nvalidation_share = 0.25\n\
         [prompt]\nmax_response_length = 16\n[users]\nkind = {kind:?}\nuser_tokens = 2\n[training]\nbatch = 3\n\
         micro_rows = 6\nmax_steps = 2\nlearning_rate = 1e-3\n[lora]\nrank = 2\n[sampling]\nmax_new_tokens = 8\n"
    );
    let config = fixture().file("run.toml", &config);
    let out = fixture().fresh("family");
    let train = [
        "train",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.str(),
    ];
    let done = prlhf(&train).ok();
    assert!(done.contains("done         2 steps"), "{done}");
    let more = ["--resume", "--set", "training.max_steps=3"];
    let done = prlhf(&[&train[..], &more].concat()).ok();
    assert!(
        done.contains("steps        3 of 3 comparisons, 2 done"),
        "{done}"
    );
    let losses = fs::read_to_string(out.path().join("metrics.jsonl")).unwrap();
    assert_eq!(losses.matches(r#""split":"train""#).count(), 3, "{losses}");

    let data = data.to_str().unwrap();
    let told = prlhf(&["eval", "--run", out.str(), "--data", data]).ok();
    assert!(told.contains("seen users"), "{told}");
    let ask = [
        "--user",
        "LONG",
        "--prompt",
        "QUESTION1:IS-IT-SO?",
        "--greedy",
        "--json",
    ];
    prlhf(&[&["generate", "--run", out.str()][..], &ask].concat()).ok();
    out
}
