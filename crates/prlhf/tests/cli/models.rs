//! Base models, adapters that are merged into them, and folders that are neither.

use std::fs;
use std::path::Path;

use crate::fixture::{Place, copy_dir, fixture, prlhf};

#[test]
fn sft_adapters_are_merged_below_a_preference_run() {
    let (sft, out) = (fixture().fresh("sft"), fixture().fresh("on-sft"));
    let config = fixture().config.to_str().unwrap();
    prlhf(&[
        "train",
        "--config",
        config,
        "--out",
        sft.str(),
        "--mode",
        "sft",
    ])
    .ok();
    let adapters = sft.path().join("adapters");
    let line = format!("adapters = {:?}\nsource = ", adapters);
    let config = fixture().config_with("source = ", &line);
    let done = prlhf(&[
        "train",
        "--config",
        config.to_str().unwrap(),
        "--out",
        out.str(),
    ])
    .ok();
    assert!(done.contains("adapters merged"), "{done}");
    let merged = sft.path().join("merged");
    let missing = format!(
        "base         {}; for other programs, prlhf merge --adapters {}",
        merged.display(),
        adapters.display()
    );
    assert!(done.contains(&missing), "{done}");

    // Whatever the base is called, it is the model with the adapters merged.
    let trained = out.path().join("adapters");
    let text = |base: &[&str]| {
        let args = [
            "--user",
            "short",
            "--prompt",
            "Question 1: ",
            "--greedy",
            "--json",
        ];
        prlhf(&[&["generate"][..], base, &args].concat()).ok()
    };
    let (run, alone) = (
        ["--run", out.str()],
        ["--adapters", trained.to_str().unwrap()],
    );
    let model = ["--model", fixture().model.to_str().unwrap()];
    let limits = [
        "--set",
        "prompt.max_response_length=32",
        "--set",
        "sampling.max_new_tokens=8",
    ];
    let alone = [&alone[..], &limits].concat();
    let expected = text(&run);
    assert_eq!(text(&alone), expected);
    assert_eq!(text(&[&alone[..], &model].concat()), expected);

    let done = prlhf(&["merge", "--run", sft.str()]).ok();
    assert!(
        done.contains(&format!("merged       {}, F32, ", merged.display())),
        "{done}"
    );
    let named = fs::read_to_string(trained.join("adapter_config.json")).unwrap();
    let named: serde_json::Value = serde_json::from_str(&named).unwrap();
    assert_eq!(named["base_model_name_or_path"], merged.to_str().unwrap());
    let merged = ["--model", merged.to_str().unwrap()];
    assert_eq!(text(&alone), expected);
    assert_eq!(text(&[&alone[..], &merged].concat()), expected);
    assert_eq!(
        text(&[&run[..], &merged].concat()),
        expected,
        "merged once only"
    );
    let twice = [
        &["generate", "--generic", "--prompt", "a", "--run", sft.str()][..],
        &merged,
    ]
    .concat();
    let error = prlhf(&twice).error();
    assert!(
        error.contains("has these adapters in it already"),
        "{error}"
    );
    let again = prlhf(&["merge", "--run", sft.str()]).ok();
    assert!(again.contains("which is there already"), "{again}");

    // Another model is not taken for it, nor are other adapters.
    let other = fixture().fresh("other");
    copy_dir(&fixture().model, other.path());
    let weights = other.path().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let call = [
        "generate",
        "--generic",
        "--prompt",
        "a",
        "--model",
        other.str(),
    ];
    let error = prlhf(&[&call[..], &alone].concat()).error();
    assert!(
        error.contains("were trained on") && error.contains("is not that"),
        "{error}"
    );
    fs::remove_dir_all(&adapters).unwrap();
    let call = [
        &["generate", "--generic", "--prompt", "a"][..],
        &model,
        &alone,
    ]
    .concat();
    let error = prlhf(&call).error();
    assert!(error.contains("are not there"), "{error}");
}

#[test]
fn adapters_are_merged_into_a_folder_for_any_program() {
    let (whole, half) = (fixture().fresh("whole"), fixture().fresh("half"));
    let run = fixture().run.to_str().unwrap();
    let done = prlhf(&["merge", "--run", run, "--out", whole.str()]).ok();
    assert!(done.contains("next         set model.source = "), "{done}");
    for name in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "lineage.json",
    ] {
        assert!(whole.path().join(name).is_file(), "{name}");
    }
    let args = [
        "merge",
        "--run",
        run,
        "--out",
        half.str(),
        "--dtype",
        "bf16",
    ];
    prlhf(&args).ok();
    let size = |place: &Place| {
        let weights = fs::metadata(place.path().join("model.safetensors"));
        weights.unwrap().len()
    };
    assert!(size(&half) < size(&whole) * 6 / 10);
    let config = fs::read_to_string(half.path().join("config.json")).unwrap();
    assert!(config.contains(r#""torch_dtype": "bfloat16""#), "{config}");

    let line = format!("source = {:?} # ", half.path());
    let config = fixture().config_with("source = ", &line);
    let report = prlhf(&[
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ])
    .ok();
    assert!(report.contains("trainable: yes"), "{report}");

    let occupied = fixture().fresh("occupied");
    fs::create_dir(occupied.path()).unwrap();
    fs::write(occupied.path().join("mine"), "").unwrap();
    let error = prlhf(&["merge", "--run", run, "--out", occupied.str()]).error();
    assert!(error.contains("already holds files"), "{error}");
}

#[test]
fn what_is_no_model_is_said_to_be_what_it_is() {
    let run = &fixture().run;
    for (source, expected) in [
        (run.clone(), "the folder of a run, with adapters for"),
        (run.join("adapters"), "adapters for"),
    ] {
        let line = format!("source = {source:?} # ");
        let config = fixture().config_with("source = ", &line);
        let error = prlhf(&["check", "--config", config.to_str().unwrap()]).error();
        assert!(
            error.contains(expected) && error.contains("not a model"),
            "{error}"
        );
    }
}

/// A copy of the model with something else in its configuration.
fn changed_model(old: &str, new: &str) -> Place {
    let copy = fixture().fresh("changed");
    copy_dir(&fixture().model, copy.path());
    let path = copy.path().join("config.json");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(old), "{text}");
    fs::write(path, text.replacen(old, new, 1)).unwrap();
    copy
}

#[test]
fn what_is_no_language_model_is_told_by_check_and_train() {
    let beside = changed_model("", "");
    fs::write(beside.path().join("adapter_config.json"), "{}").unwrap();
    let tensors_left = changed_model(r#""num_hidden_layers":2"#, r#""num_hidden_layers":1"#);
    for (model, expected) in [
        (
            changed_model("LlamaForCausalLM", "LlamaForSequenceClassification"),
            "key `architectures`: found `LlamaForSequenceClassification`, expected `LlamaForCausalLM`",
        ),
        (
            beside,
            "a model and adapters (adapter_config.json) in one folder",
        ),
        (tensors_left, "more tensors of layer 1 and above"),
    ] {
        let config = fixture().config_with("source = ", &format!("source = {:?} # ", model.path()));
        let (config, out) = (config.to_str().unwrap(), fixture().fresh("never"));
        for args in [
            &["check", "--config", config][..],
            &["train", "--config", config, "--out", out.str()],
        ] {
            let error = prlhf(args).error();
            assert!(error.contains(expected), "{error}");
        }
    }
}

#[test]
fn a_wrong_name_among_lora_targets_is_told_by_check_and_train() {
    let config = fixture().config.to_str().unwrap();
    let out = fixture().fresh("never");
    for (targets, expected) in [
        (
            r#"["q_proj", "q_porj"]"#,
            "config key `lora.targets`: LoRA target `q_porj`: this model has no module of that name; there are embed_tokens, q_proj",
        ),
        (
            r#"["q_proj", "c_attn"]"#,
            "v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head",
        ),
    ] {
        let targets = format!("lora.targets={targets}");
        let common = ["--config", config, "--set", &targets];
        for args in [
            &["check"][..],
            &["train", "--out", out.str()],
            &["train", "--mode", "sft", "--out", out.str()],
        ] {
            let error = prlhf(&[args, &common[..]].concat()).error();
            assert!(error.contains(expected), "{error}");
        }
    }
}

/// rsLoRA, DoRA, LoRA+ and PiSSA at once, with the embedding and its matrix as head among the targets.
#[test]
fn adapters_of_every_kind_train_go_on_and_merge() {
    let out = fixture().fresh("kinds");
    let settings = [
        r#"lora.targets=["q_proj", "down_proj", "embed_tokens", "lm_head"]"#,
        "lora.use_rslora=true",
        "lora.use_dora=true",
        "lora.init_lora_weights=pissa",
        "lora.loraplus_lr_ratio=4.0",
    ];
    let config = fixture().config.to_str().unwrap();
    let mut args = vec!["train", "--plain", "--config", config, "--out", out.str()];
    args.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    prlhf(&args).ok();
    args.extend(["--resume", "--set", "lora.loraplus_lr_ratio=2.0"]);
    let error = prlhf(&args).error();
    let expected = "`lora.loraplus_lr_ratio` was 4.0 and is 2.0";
    assert!(error.contains(expected), "{error}");

    let adapters = out.path().join("adapters");
    let told = prlhf(&["inspect", adapters.to_str().unwrap()]).ok();
    // Ranks of four, and four that PiSSA took of the weights.
    assert!(told.contains("rank 8, alpha"), "{told}");
    assert!(told.contains("rsLoRA, DoRA, targets"), "{told}");
    // As `peft` writes such a folder.
    let file = adapters.join("adapter_config.json");
    let text = fs::read_to_string(&file).unwrap();
    let key = r#"{"init_lora_weights": "pissa","#;
    let others = fixture().fresh("kinds-others");
    fs::create_dir_all(others.path()).unwrap();
    let (tensors, config) = ("adapter_model.safetensors", "adapter_config.json");
    fs::copy(adapters.join(tensors), others.path().join(tensors)).unwrap();
    fs::write(others.path().join(config), text.replacen('{', key, 1)).unwrap();
    let told = prlhf(&["inspect", others.str()]).ok();
    assert!(told.contains("rsLoRA, DoRA, PiSSA, targets"), "{told}");

    let whole = fixture().fresh("kinds-whole");
    prlhf(&["merge", "--run", out.str(), "--out", whole.str()]).ok();
    let config = fs::read_to_string(whole.path().join("config.json")).unwrap();
    assert!(
        config.contains(r#""tie_word_embeddings": false"#),
        "{config}"
    );
    let line = format!("source = {:?} # ", whole.path());
    let config = fixture().config_with("source = ", &line);
    prlhf(&[
        "check",
        "--no-estimate",
        "--config",
        config.to_str().unwrap(),
    ])
    .ok();
}

/// A copy of the model with one bit changed.
fn other_weights() -> Place {
    let other = fixture().fresh("other");
    copy_dir(&fixture().model, other.path());
    let weights = other.path().join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    other
}

#[test]
fn adapters_are_not_put_on_other_weights_than_they_were_trained_on() {
    let other = other_weights();
    let adapters = fixture().run.join("adapters");
    let call = [
        "merge",
        "--adapters",
        adapters.to_str().unwrap(),
        "--model",
        other.str(),
        "--out",
    ];
    let error = prlhf(&[&call[..], &[fixture().fresh("merged").str()]].concat()).error();
    let cause = format!(
        "{} has other weights than {} had then",
        other.str(),
        fixture().model.display()
    );
    assert!(
        error.contains(&cause) && error.contains("lineage.json"),
        "{error}"
    );
    // Files that are none of the model's make no difference, nor does the absence of a hash, as in adapters of `peft`.
    let same = changed_model("", "");
    fs::write(same.path().join("training_args.bin"), "x").unwrap();
    let of_peft = fixture().fresh("peft");
    copy_dir(&adapters, of_peft.path());
    fs::remove_file(of_peft.path().join("lineage.json")).unwrap();
    for (adapters, model) in [
        (adapters.to_str().unwrap(), same.str()),
        (of_peft.str(), other.str()),
    ] {
        let merged = fixture().fresh("merged");
        prlhf(&[
            "merge",
            "--adapters",
            adapters,
            "--model",
            model,
            "--out",
            merged.str(),
        ])
        .ok();
    }
}

#[test]
fn a_merged_folder_that_still_fits_is_used_when_its_adapters_were_trained_anew() {
    let (sft, out) = (fixture().fresh("sft"), fixture().fresh("on-sft"));
    let config = fixture().config.to_str().unwrap();
    let first = [
        "train",
        "--config",
        config,
        "--out",
        sft.str(),
        "--mode",
        "sft",
    ];
    prlhf(&first).ok();
    let line = format!("adapters = {:?}\nsource = ", sft.path().join("adapters"));
    let on_sft = fixture().config_with("source = ", &line);
    prlhf(&[
        "train",
        "--config",
        on_sft.to_str().unwrap(),
        "--out",
        out.str(),
    ])
    .ok();
    let text = || {
        let args = [
            "generate",
            "--run",
            out.str(),
            "--user",
            "short",
            "--prompt",
            "Question 1: ",
            "--greedy",
        ];
        prlhf(&args)
    };
    let expected = text().ok();
    // Scaled otherwise, they are others.
    let config = sft.path().join("adapters/adapter_config.json");
    let written = fs::read_to_string(&config).unwrap();
    let scaled = written.replace(r#""lora_alpha": "#, r#""lora_alpha": 1"#);
    fs::write(&config, &scaled).unwrap();
    assert!(text().error().contains("have changed since"));
    fs::write(&config, &written).unwrap();
    // As runs had it whose adapters were known by their tensors alone.
    let lineage = out.path().join("adapters/lineage.json");
    let now = fs::read_to_string(&lineage).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&now).unwrap();
    let hash = json["adapters"][0]["weights"].as_str().unwrap();
    json["adapters"][0]["weights"] = hash.split_once('.').unwrap().0.into();
    fs::write(&lineage, json.to_string()).unwrap();
    assert_eq!(text().ok(), expected);
    fs::write(&lineage, &now).unwrap();
    prlhf(&["merge", "--run", sft.str()]).ok();
    prlhf(&[&first[..], &["--force", "--seed", "7"]].concat()).ok();
    assert_eq!(text().ok(), expected);
    let error = prlhf(&["merge", "--run", sft.str()]).error();
    assert!(error.contains("merged of other weights"), "{error}");
    fs::remove_dir_all(sft.path().join("merged")).unwrap();
    let error = text().error();
    assert!(error.contains("have changed since"), "{error}");
    // A folder that was merged of the new adapters is not the base either.
    prlhf(&["merge", "--run", sft.str()]).ok();
    assert!(text().error().contains("have changed since"));
    let merged = sft.path().join("merged");
    let args = [
        "generate",
        "--run",
        out.str(),
        "--generic",
        "--prompt",
        "a",
        "--model",
        merged.to_str().unwrap(),
    ];
    let error = prlhf(&args).error();
    assert!(
        error.contains("is not that") && error.contains("are others than those of then"),
        "{error}"
    );
}

#[test]
fn a_replaced_run_uses_none_of_the_old_log_probs() {
    let run = fixture().copy_of_run();
    let kept = run.path().join("reference");
    let mut files = fs::read_dir(&kept)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let of_training = |file: &std::path::PathBuf| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.starts_with("reference-")
    };
    let file = files.find(of_training).unwrap();
    let before = fs::read_to_string(&file).unwrap();
    fs::write(&file, before.clone() + "of the old run\n").unwrap();
    fs::write(kept.join("mine.txt"), "mine").unwrap();
    let config = fixture().config.to_str().unwrap();
    let log = prlhf(&["train", "--config", config, "--out", run.str(), "--force"]);
    log.ok();
    assert!(!log.stderr.contains("broken line"), "{}", log.stderr);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert!(kept.join("mine.txt").is_file());
}

#[test]
fn what_plainly_is_a_path_is_not_asked_of_the_hub() {
    for source in [
        "./nowhere",
        "../no/where",
        "a/b/c",
        "nowhere/",
        "a/b/",
        "/no/where",
        "a/model.gguf",
    ] {
        let config = fixture().config_with("source = ", &format!("source = {source:?} # "));
        let error = prlhf(&["check", "--config", config.to_str().unwrap()]).error();
        let says = error.contains("there is no such file or directory") && error.contains(source);
        assert!(says && !error.contains("hub said"), "{error}");
    }
    let config = fixture().config_with("source = ", "source = \"owner/name\" # ");
    let error = prlhf(&["check", "--config", config.to_str().unwrap()]).error();
    let here = std::env::current_dir()
        .unwrap()
        .join(Path::new("owner/name"));
    assert!(
        error.contains("hub said") && error.contains(here.to_str().unwrap()),
        "{error}"
    );
    let adapters = fixture().config_with("source = ", "adapters = \"no/where\"\nsource = ");
    let error = prlhf(&["check", "--config", adapters.to_str().unwrap()]).error();
    assert!(
        error.contains("no adapters here: there is no such") && error.contains("looked for at"),
        "{error}"
    );
}

#[test]
fn adapters_alone_that_are_used_otherwise_than_they_were_trained_are_told() {
    let data = fixture().data.to_str().unwrap();
    let run = fixture().fresh("beside");
    copy_dir(&fixture().run, run.path());
    let adapters = run.path().join("adapters");
    let model = fixture().model.to_str().unwrap();
    // The defaults are too long for the small model: what is said before that counts.
    let evaluated = |more: &[&str]| {
        let adapters = adapters.to_str().unwrap();
        let args = [
            "eval",
            "--adapters",
            adapters,
            "--model",
            model,
            "--data",
            data,
        ];
        prlhf(&[&args[..], more].concat()).stderr
    };
    let advice = format!("(--run {})", run.str());
    assert!(evaluated(&[]).contains(&advice));
    let config = fixture().config.to_str().unwrap();
    for said in [["--config", config], ["--set", "prompt.template=raw"]] {
        assert!(!evaluated(&said).contains("--run"), "{said:?}");
    }
}
