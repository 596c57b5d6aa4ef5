//! Reward models among the systems of an experiment.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

fn bench(out: &Path, more: &[&str]) -> Output {
    let settings = [
        "data.workers=4",
        "data.train_limit=24",
        "data.test_limit=60",
        "tiny.sft.steps=2",
        "tiny.hidden_size=32",
        "training.epochs=1",
        "evaluation.prompts=3",
        "evaluation.quality_comparisons=4",
        "evaluation.best_of.counts=[1,2]",
        "sampling.max_new_tokens=4",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.args(["tldr", "--out"]).arg(out);
    for setting in settings {
        command.args(["--set", setting]);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    command.args(more).current_dir(root).output().unwrap()
}

fn json_of(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn done(out: &Path, more: &[&str]) -> String {
    let ended = bench(out, more);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    told
}

fn refused(out: &Path, more: &[&str]) -> String {
    let ended = bench(out, more);
    assert!(!ended.status.success(), "{more:?}");
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

const SYSTEMS: [&str; 2] = [
    "--systems",
    "sft,vanilla-dpo,pdpo-individual,prm-individual",
];

#[test]
fn a_reward_model_ranks_beside_p_dpo_and_chooses_among_what_others_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    done(&out, &SYSTEMS);
    let report = json_of(&out.join("report.json"));
    let systems = report["systems"].as_array().unwrap();
    let of = |name: &str| systems.iter().find(|s| s["name"] == name).unwrap();
    let (prm, pdpo) = (of("prm-individual"), of("pdpo-individual"));
    assert_eq!(
        (&prm["head"], &prm["loss"]),
        (&json!("scalar"), &json!("bradley-terry"))
    );
    assert_eq!(pdpo.get("head"), None);
    // The head has a number for each of the model's 32.
    let llm = |system: &Value| system["trainable"]["llm"].as_u64().unwrap();
    assert_eq!(llm(prm), llm(pdpo) + 32);
    assert_eq!(prm["trainable"]["users"], pdpo["trainable"]["users"]);
    for key in ["top", "generic"] {
        assert!(prm["accuracy"][key].is_f64(), "{prm}");
    }
    assert_eq!(prm["words"]["generic"], Value::Null);
    assert_eq!(prm["kl_to_reference"], Value::Null);

    let claim = &report["verdicts"]["p-rm"];
    assert_eq!(claim["findings"].as_array().unwrap().len(), 1, "{claim}");
    for key in ["e1", "e2", "e2_words"] {
        let text = report["verdicts"][key]["text"].as_str().unwrap();
        assert!(!text.contains("P-RM"), "{text}");
    }

    // Two writers; majority, minority and the generic user; one response and the better of two.
    let best_of = report["best_of"].as_array().unwrap();
    assert_eq!(best_of.len(), 2 * 3 * 2);
    for one in best_of {
        let many = one["count"] == 2;
        assert_eq!(one["gain"].is_null(), !many, "{one}");
        assert_eq!(
            one["wins"].is_null(),
            !many || one["group"] == "generic",
            "{one}"
        );
        assert!(
            !many || one["gain"]["value"].as_f64().unwrap() >= 0.0,
            "{one}"
        );
    }
    // The first of the candidates is what the report shows.
    let candidates = json_of(&out.join("prm-individual/result.json"));
    let texts = json_of(&out.join("sft/result.json"));
    let first = &texts["texts"][0];
    assert_eq!(candidates["candidates"][0]["texts"][0], first["text"]);
    assert_eq!(candidates["candidates"][0]["texts"][1], first["further"][0]);
    let page = fs::read_to_string(out.join("report.md")).unwrap();
    assert!(page.contains("Best of N responses"), "{page}");

    let before = fs::read(out.join("report.json")).unwrap();
    let told = done(&out, &[&SYSTEMS[..], &["--resume"]].concat());
    assert!(!told.contains("validation "), "{told}");
    let accuracies = |report: &[u8]| -> Value {
        let report: Value = serde_json::from_slice(report).unwrap();
        json!([report["systems"][3]["accuracy"], report["best_of"]])
    };
    let after = fs::read(out.join("report.json")).unwrap();
    assert_eq!(accuracies(&after), accuracies(&before));

    // Another head is another run.
    let other = [
        "--resume",
        "--set",
        "systems.prm-individual.reward.center_rewards_coefficient=0.1",
    ];
    let error = refused(&out, &[&SYSTEMS[..], &other].concat());
    assert!(
        error.contains("`reward.center_rewards_coefficient` was 0.0 and is 0.1"),
        "{error}"
    );
}

#[test]
fn what_a_reward_model_has_no_use_for_is_refused_by_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    for (setting, expected) in [
        (
            "systems.prm-individual.adapter_per_user=true",
            "`systems.prm-individual.adapter_per_user` is there",
        ),
        (
            "systems.prm-individual.sampling.top_k=3",
            "`systems.prm-individual.sampling` is there, expected no such key: mode = \"reward\" writes nothing",
        ),
        (
            "systems.vanilla-dpo.reward.head=user",
            "`systems.vanilla-dpo.reward` is there, expected no such key: mode is not \"reward\"",
        ),
        ("systems.sft.mode=reward", "`systems.sft.mode` is there"),
        (
            "systems.prm-individual.reward.head=user",
            "`systems.prm-individual.users.user_tokens` is 10, expected 1",
        ),
        (
            "evaluation.best_of.from=[\"stf\"]",
            "`evaluation.best_of.from`: no system is called `stf`",
        ),
        (
            "evaluation.best_of.from=[\"prm-individual\"]",
            "`evaluation.best_of.from` is prm-individual",
        ),
        (
            "evaluation.best_of.counts=[4,2]",
            "`evaluation.best_of.counts` is [4, 2]",
        ),
        (
            "data.thumbs=true",
            "a reward model learns nothing from one alone",
        ),
    ] {
        let error = refused(&out, &["--set", setting]);
        assert!(error.contains(expected), "{setting}: {error}");
        assert!(!out.exists(), "{setting}");
    }
}
