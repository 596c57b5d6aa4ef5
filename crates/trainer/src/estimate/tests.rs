use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use llm_backbone::{LoraInit, Targets};
use pdpo_loss::ObjectiveConfig;

use super::*;
use crate::config::{Checkpointing, RewardSection, UserTokens};
use crate::dataset::Dataset;
use crate::example::Item;
use crate::policy::Policy;
use crate::profile::flops::tests::model;
use crate::task::{Preference, Reward};
use crate::tokenise::{TokenizedPair, TokenizedPrompt};

const SOFT: UserTokens = UserTokens { soft: 2, prefix: 0 };

fn step(rows: usize, longest: usize, checkpointing: Checkpointing) -> Step {
    Step {
        rows,
        longest,
        prefix: 0,
        checkpointing,
    }
}

#[test]
fn a_step_keeps_the_same_of_every_token_and_block() {
    // Widths as in `model`. Per token and block: 4 * 8, queries and output 2 * 8, keys and values 2 * 4,
    // 2 * 2 of the rows of scores, and 3 * 16. Four numbers for each of 255 times 32 logits.
    let (tokens, per_block, logits) = (6 * 10, 32 + 16 + 8 + 4 + 48, 4 * 255 * 32);
    let sketch = Sketch::of_model(&model(3)).expect("shapes");
    let kept = sketch.step(step(6, 10, Checkpointing::None));
    let logits = logits + 2 * 10 * tokens; // And the mask.
    assert_eq!(kept, 4 * (tokens * 4 * per_block + logits));
    let blockwise = sketch.step(step(6, 10, Checkpointing::Blocks));
    assert_eq!(blockwise, 4 * (tokens * (3 * 8 + 2 * per_block) + logits));
}

#[test]
fn a_reward_model_makes_no_logits() {
    let sketch = Sketch::of_model(&model(3)).expect("shapes");
    let of = |sketch: &Sketch| sketch.step(step(6, 10, Checkpointing::None));
    assert_eq!(
        of(&sketch) - of(&sketch.clone().that_rewards()),
        4 * 4 * 255 * 32
    );
}

#[test]
fn a_prefix_takes_its_own_numbers() {
    let sketch = Sketch::of_model(&model(3)).expect("shapes");
    let plain = step(6, 10, Checkpointing::None);
    let behind = Step { prefix: 5, ..plain };
    // A user's 5 times 3 * 2 * 4 numbers are there twice, and masks of 5 more keys.
    let more = 2 * 6 * 5 * 24 + 2 * 6 * 10 * 5;
    assert_eq!(sketch.step(behind) - sketch.step(plain), 4 * more);
    // Where all scores of a block are there at once, two heads have 5 more for each token, three times.
    let at_once = Sketch {
        is_half: true,
        ..sketch
    };
    let more = more + 3 * 6 * 10 * 2 * 5;
    assert_eq!(at_once.step(behind) - at_once.step(plain), 4 * more);
}

#[test]
fn the_largest_step_has_no_more_rows_than_there_are() {
    let pair = TokenizedPair {
        prompt: TokenizedPrompt {
            ids: vec![1; 5],
            soft_at: 0,
            cut: false,
            user_text_cut: false,
        },
        chosen: vec![1; 3],
        rejected: vec![1; 4],
        response_cut: false,
    };
    let item = Arc::new(Item::new(pair, None));
    let train = Dataset {
        items: vec![item; 3],
        ..Dataset::default()
    };
    let rows = |batch, micro_rows| {
        let training = TrainingSection {
            batch,
            micro_rows,
            ..TrainingSection::default()
        };
        let both = Preference::from_config(&ObjectiveConfig::default(), true, None);
        let step = Step::of(&training, &train, (&both.expect("settings"), SOFT));
        assert_eq!(step.longest, 2 + 5 + 3 + 4 - 2);
        // A reward model reads the last tokens as well.
        let reward = Reward::new(&RewardSection::default(), &ObjectiveConfig::default(), true)
            .expect("settings");
        let read = Step::of(&training, &train, (&reward, SOFT));
        assert_eq!((read.rows, read.longest), (step.rows, step.longest + 2));
        step.rows
    };
    assert_eq!([rows(2, 64), rows(2, 3), rows(usize::MAX, 64)], [4, 3, 6]);
}

#[test]
fn adapters_keep_more_where_they_drop_inputs() {
    let with = |dropout| {
        let lora = LoraConfig {
            dropout,
            targets: Targets::Names(vec!["q_proj".into(), "down_proj".into()]),
            ..LoraConfig::default()
        };
        let adapted = model(3).with_lora(&lora, 0).expect("adapters");
        let sketch = Sketch::of_model(&adapted).expect("shapes");
        sketch.step(step(6, 10, Checkpointing::None))
    };
    // Inputs of 8 and of 16 numbers, a mask and what it leaves of each.
    assert_eq!(with(0.1) - with(0.0), 4 * 60 * 4 * 2 * (8 + 16));
}

#[test]
fn magnitudes_keep_outputs_a_heads_adapter_keeps_logits_and_pissa_keeps_factors() {
    let with = |lora: LoraConfig| {
        let lora = LoraConfig { rank: 2, ..lora };
        let adapted = model(3).with_lora(&lora, 0).expect("adapters");
        Sketch::of_model(&adapted).expect("shapes").memory(
            step(6, 10, Checkpointing::None),
            (0, 0),
            &TrainingSection::default(),
        )
    };
    let on = |names: &str| lora(0.0, names);
    let plain = with(on("q_proj down_proj"));
    let dora = with(LoraConfig {
        use_dora: true,
        ..on("q_proj down_proj")
    });
    // Of 60 tokens outputs of 8 and 8 numbers, in three blocks and one on its way; 16 bytes for each of the magnitudes.
    assert_eq!(dora.step - plain.step, 4 * 60 * 4 * (8 + 8));
    assert_eq!(dora.trained - plain.trained, 16 * 3 * (8 + 8));
    // More than 255 positions, four numbers for each of 32 logits.
    let tall = |names: &str| {
        let adapted = model(1).with_lora(&on(names), 0).expect("adapters");
        Sketch::of_model(&adapted)
            .expect("shapes")
            .step(step(30, 10, Checkpointing::None))
    };
    assert_eq!(
        tall("q_proj lm_head") - tall("q_proj"),
        4 * 4 * 32 * (300 - 255)
    );
    // In f32: of 8 x 8 and 16 x 8, three blocks.
    let pissa = with(LoraConfig {
        init_lora_weights: LoraInit::Pissa,
        ..on("q_proj down_proj")
    });
    assert_eq!(pissa.weights - plain.weights, 4 * 3 * 2 * (16 + 24));
    assert_eq!((pissa.trained, pissa.step), (plain.trained, plain.step));
}

#[test]
fn a_step_that_cannot_fit_is_refused_with_advice() {
    let (training, policy) = (TrainingSection::default(), Policy::plain(model(1)));
    if crate::memory::available_bytes().is_none() {
        return;
    }
    let of =
        |rows, longest| validate_step(&policy, step(rows, longest, Checkpointing::None), &training);
    let message = of(1 << 20, 1 << 16).expect_err("a refusal").to_string();
    for part in [
        "a step of 1048576 rows of up to 65536 tokens takes about",
        "MiB are free",
        "lower training.micro_rows, or lower prompt.max_prompt_length",
        "training.gradient_checkpointing = \"blocks\"",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    of(8, 100).expect("room");
}

/// A published model on a GPU, by its `config.json` alone. No GPU is needed to speak of one.
fn published(name: &str, lora: &LoraConfig) -> Sketch {
    let shapes = "../llm-backbone/tests/fixtures/shapes";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(shapes);
    let file = file.join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).expect("a fixture");
    let config = ModelConfig::from_hf_json(&text, &file).expect("a model");
    let sketch = Sketch::new(&config, Dtype::Bf16, lora, &Device::flex());
    Sketch {
        on_gpu: true,
        ..sketch.expect("adapters")
    }
}

fn lora(dropout: f64, targets: &str) -> LoraConfig {
    LoraConfig {
        dropout,
        targets: Targets::Names(targets.split(' ').map(String::from).collect()),
        ..LoraConfig::default()
    }
}

/// GPT-J 6B, one row of 648 tokens: 704 on a GPU. Per token and block it keeps 9 * 4096 + 16 * 2 + 6 * 16384 = 135200
/// numbers, and with dropout twice the inputs of its adapters, 2 * (5 * 4096 + 16384) = 73728: 208928 together. Times 704
/// tokens and 29 blocks 4265474048 numbers; mask and scores 704 * 704 * (2 + 3 * 16) = 24780800; logits 4 * 255 * 50400 = 51408000; 4 bytes
/// each 17366651392. Of the pool 43 / 18 times that.
#[test]
fn gpt_j_6b_by_hand() {
    let sketch = published(
        "gptj-6b",
        &lora(0.05, "q_proj k_proj v_proj out_proj fc_in fc_out wte"),
    );
    let memory = sketch.memory(
        step(1, 648, Checkpointing::None),
        (32, 550 + 1024),
        &TrainingSection::default(),
    );
    let expected = Memory {
        weights: 2 * 6_050_882_784,
        packed: 0,
        trained: 16 * 16_951_040,
        step: 17_366_651_392 * 43 / 18,
        // Keys and values of 28 blocks, 4096 numbers each, in 16 bits.
        cache: 32 * 1574 * 2 * 4096 * 28 * 2,
    };
    assert_eq!(memory, expected);
    assert_eq!(memory.total() / 1_000_000_000, 53);
}

/// Llama 7B, four rows of 1808 tokens, 1856 on a GPU, a block at a time. Per token and block 6 * 4096 + 2 * 4096 + 32 * 2 +
/// 3 * 11008 = 65856 numbers, and a copy of the inputs of three adapters, 12288: 78144. Times 7424 tokens: 32 * 4096 and
/// two blocks' 156288, 287360 together, 2133360640; mask and scores 7424 * 1856 * (2 + 3 * 32) = 1350336512; logits 4 * 255 * 32000 =
/// 32640000; 4 bytes each 14065348608.
#[test]
fn llama_7b_block_by_block_by_hand() {
    let sketch = published("llama-7b", &lora(0.0, "q_proj k_proj v_proj"));
    let memory = sketch.memory(
        step(4, 1808, Checkpointing::Blocks),
        (16, 210 + 1024),
        &TrainingSection::default(),
    );
    let expected = Memory {
        weights: 2 * 6_738_415_616,
        packed: 0,
        trained: 16 * 6_291_456,
        step: 14_065_348_608 * 43 / 18,
        cache: 16 * 1234 * 2 * 4096 * 32 * 2,
    };
    assert_eq!(memory, expected);
    assert_eq!(memory.total() / 1_000_000_000, 47);
}

/// Llama 3 8B, one row of 1078 tokens, 1088 on a GPU. Per token and block 6 * 4096 + 2 * 1024 + 32 * 2 + 3 * 14336 =
/// 69696 numbers, and with dropout twice 12288: 94272. Times 1088 tokens and 33 blocks 3384741888; mask and scores 1088 * 1088 *
/// (2 + 3 * 32) = 116006912; logits 4 * 255 * 128256 = 130821120; 4 bytes each 14526279680.
#[test]
fn llama_3_8b_by_hand() {
    let sketch = published("llama-3-8b", &lora(0.05, "q_proj k_proj v_proj"));
    let memory = sketch.memory(
        step(1, 1078, Checkpointing::None),
        (16, 480 + 500),
        &TrainingSection::default(),
    );
    let expected = Memory {
        weights: 2 * 8_030_261_248,
        packed: 0,
        trained: 16 * 4_718_592,
        step: 14_526_279_680 * 43 / 18,
        cache: 16 * 980 * 2 * 1024 * 32 * 2,
    };
    assert_eq!(memory, expected);
    assert_eq!(memory.total() / 1_000_000_000, 50);
}

#[test]
fn a_run_says_how_many_steps_and_validations_it_makes() {
    let training = TrainingSection {
        epochs: 2,
        batch: 32,
        eval_every: 50,
        eval_limit: 512,
        ..TrainingSection::default()
    };
    // 23,299 comparisons make 729 steps an epoch.
    assert_eq!(steps(&training, 23_299), (1458, 2.0));
    assert_eq!(validations(&training, 1458, 1024), 0.5 * 30.0);
    let short = TrainingSection {
        max_steps: 729,
        eval_every: 0,
        ..training
    };
    assert_eq!(steps(&short, 23_299), (729, 1.0));
    let endless = TrainingSection {
        epochs: usize::MAX,
        ..short.clone()
    };
    assert_eq!(steps(&endless, 23_299), (729, 1.0));
    assert_eq!(validations(&short, 729, 100), 1.0);
}
