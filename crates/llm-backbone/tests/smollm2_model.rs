//! SmolLM2-135M-Instruct from its GGUF file computes what it should, where the cache has it.
//!
//! Oracles: the logit that `transformers` gives on the same file, and the loss on plain English, which a wrong order of
//! query and key rows would raise to about 4.3 without making the text look odd.
#![allow(clippy::print_stderr)]

mod support;

use std::sync::OnceLock;

use burn::tensor::{Device, Int, Tensor};
use llm_backbone::tokenizer::Tokenizer;
use llm_backbone::{Model, ModelInput};
use support::{argmax, causal, last_logits, sequence, smollm2, values};

const TEXT: &str = include_str!("plain_english.txt");

fn open() -> Option<&'static (Model, Tokenizer)> {
    static OPENED: OnceLock<Option<(Model, Tokenizer)>> = OnceLock::new();
    let opened = OPENED.get_or_init(|| {
        let path = smollm2()?;
        let model = Model::open(&path, &Device::flex()).expect("a good file");
        let tokenizer = Tokenizer::open(&path).expect("a good file");
        Some((model, tokenizer))
    });
    opened.as_ref()
}

#[test]
fn the_capital_of_france_is_followed_by_paris() {
    let Some((model, tokenizer)) = open() else {
        return;
    };
    let ids = tokenizer
        .encode("The capital of France is", true)
        .expect("ids");
    assert_eq!(ids, [504, 3575, 282, 4649, 314]);
    let logits = last_logits(model, &ids, None);
    let best = argmax(&logits);
    assert_eq!(
        (best, tokenizer.decode(&[best], true).ok()),
        (7042, Some(" Paris".into()))
    );
    let logit = logits[best as usize];
    eprintln!("logit of token 7042: {logit}");
    assert!((logit / 17.3713 - 1.0).abs() < 1e-3, "{logit}");
}

#[test]
fn plain_english_has_the_loss_of_rightly_ordered_heads() {
    let Some((model, tokenizer)) = open() else {
        return;
    };
    let device = model.device();
    let ids = tokenizer.encode(TEXT.trim(), true).expect("ids");
    let seq = ids.len() - 1;
    let positions = Tensor::<1, Int>::arange(0..seq as i64, &device).reshape([1, seq]);
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(sequence(&ids[..seq], &device)),
        positions,
        visible: causal(1, seq, seq, &device),
        prefix: None,
        cache: None,
    });
    let hidden = hidden.reshape([seq, model.d_model()]);
    let targets = sequence(&ids[1..], &device).reshape([seq]);
    let log_probs = values(model.log_probs(hidden, targets));
    let loss = -log_probs.iter().sum::<f32>() / seq as f32;
    eprintln!("mean negative log-likelihood over {seq} tokens: {loss}");
    assert!((1.5..3.2).contains(&loss), "{loss}");
    // `transformers` 4.45.2 on the same file and ids: xtask/fixtures/check_adapter.py.
    assert!((loss * seq as f32 / 1220.957 - 1.0).abs() < 1e-3, "{loss}");
}
