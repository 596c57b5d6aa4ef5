//! Keys and values in front of a sequence: equal to those of `peft`, to tokens that stand there themselves, and in a cache.

mod support;

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use llm_backbone::generate::{Batch, GenerateError, Request, Room};
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::{Model, ModelInput, Prefix};
use serde_json::Value;
use support::{MODELS, causal, fixture, largest_difference, sequence, values};

fn open(name: &str) -> Model {
    Model::open(&fixture(name), &Device::flex()).expect("a good fixture")
}

/// Logits of all tokens behind a prefix, `[batch * seq, vocab]`; the first token has position `first`.
fn logits(model: &Model, ids: Tensor<2, Int>, first: usize, prefix: Option<&Prefix>) -> Tensor<2> {
    let device = model.device();
    let [batch, seq] = ids.dims();
    let positions: Vec<i32> = (0..batch * seq).map(|i| (first + i % seq) as i32).collect();
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(ids),
        positions: Tensor::from_data(TensorData::new(positions, [batch, seq]), &device),
        visible: causal(batch, seq, seq, &device),
        prefix,
        cache: None,
    });
    model.logits(hidden.reshape([batch * seq, model.d_model()]))
}

/// Numbers of a prefix, `[1, tokens, width]`.
fn numbers(model: &Model, tokens: usize, seed: f32) -> Tensor<3> {
    let shape = [1, tokens, model.config().cached_per_token()];
    let numbers: Vec<f32> = (0..shape.iter().product())
        .map(|i: usize| (seed + i as f32 * 0.7).sin())
        .collect();
    Tensor::from_data(TensorData::new(numbers, shape), &model.device())
}

fn flatten(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(items) => items.iter().flat_map(flatten).collect(),
        number => vec![number.as_f64().expect("a number") as f32],
    }
}

fn assert_relative(found: &[f32], expected: &[f32]) {
    let largest = expected.iter().fold(0f32, |most, e| most.max(e.abs()));
    let difference = largest_difference(found, expected);
    assert!(
        difference <= 1e-4 * largest,
        "{difference} of at most {largest}"
    );
}

#[test]
fn a_prefix_equals_that_of_peft_in_value_and_gradient() {
    let text = std::fs::read_to_string(fixture("prefix/expected.json")).expect("a file");
    let expected: Value = serde_json::from_str(&text).expect("JSON");
    let device = Device::flex().autodiff();
    let model = Model::open(&fixture("llama"), &device).expect("a good fixture");
    let width = model.config().cached_per_token();
    let prefix = flatten(&expected["prefix"]);
    let tokens = prefix.len() / width;
    let leaf = Tensor::<3>::from_data(TensorData::new(prefix, [1, tokens, width]), &device);
    let leaf = leaf.require_grad();
    let ints =
        |key: &str| -> Vec<i32> { flatten(&expected[key]).iter().map(|v| *v as i32).collect() };
    let ids = Tensor::from_data(TensorData::new(ints("input_ids"), [2, 6]), &device);
    let prefix = Prefix::new(leaf.clone().expand([2, tokens, width]));
    let found = logits(&model, ids, tokens, Some(&prefix));
    assert_relative(&values(found.clone()), &flatten(&expected["logits"]));

    let labels = TensorData::new(ints("labels"), [12, 1]);
    let labels = Tensor::<2, Int>::from_data(labels, &device);
    let loss = log_softmax(found, 1).gather(1, labels).mean().neg();
    let gradient = leaf.grad(&loss.backward()).expect("a gradient");
    assert_relative(&values(gradient), &flatten(&expected["gradient"]));
}

/// In front of a text shorter than any window.
#[test]
fn keys_and_values_of_tokens_are_worth_the_tokens() {
    const TEXT: [u32; 5] = [1, 17, 30, 42, 9];
    for name in MODELS {
        let model = open(name);
        let whole = logits(&model, sequence(&TEXT, &model.device()), 0, None);
        let (front, rest) = TEXT.split_at(2);
        let numbers = model.keys_and_values(front).expect("tokens");
        let prefix = Prefix::new(numbers.unsqueeze());
        let found = logits(&model, sequence(rest, &model.device()), 2, Some(&prefix));
        let whole = values(whole.narrow(0, 2, 3));
        let difference = largest_difference(&values(found), &whole);
        assert!(difference < 1e-4, "{name}: {difference}");
    }
}

#[test]
fn a_window_hides_no_prefix() {
    let model = open("mistral");
    let far = |seed: f32| {
        let prefix = Prefix::new(numbers(&model, 3, seed));
        // One token, at a position far behind a window of five.
        values(logits(
            &model,
            sequence(&[7], &model.device()),
            40,
            Some(&prefix),
        ))
    };
    assert!(largest_difference(&far(0.0), &far(1.0)) > 1e-2);
}

#[test]
fn what_is_written_behind_a_prefix_is_what_the_whole_text_says() {
    const NEW: usize = 12;
    let prompts: [&[u32]; 3] = [&[1, 10, 20, 30, 40, 50, 60, 11], &[5], &[9, 8, 7]];
    let sampling = LogitsProcessor::new(SamplingConfig {
        greedy: true,
        max_new_tokens: NEW,
        ..Default::default()
    });
    let sampling = sampling.expect("good settings");
    for name in MODELS {
        let model = open(name);
        // One of them has none.
        let prefixes = [Some(3), None, Some(2)];
        let prefix = |i: usize| Some(numbers(&model, prefixes[i]?, i as f32));
        let mut batch = Batch::new(
            &model,
            Room {
                sequences: 3,
                tokens: 3 + 8 + NEW,
            },
        );
        for (i, prompt) in prompts.iter().enumerate() {
            let read = model.prefill(&Request {
                prefix: prefix(i).map(|numbers| numbers.squeeze_dim(0)),
                log_probs: true,
                ..Request::new(prompt, &sampling)
            });
            batch.admit(read.expect("a good prompt")).expect("room");
        }
        let mut texts = prompts.map(<[u32]>::to_vec);
        let mut told = [const { Vec::new() }; 3];
        while !batch.is_empty() {
            for step in batch.step() {
                let (row, token) = (step.id.number(), step.token.expect("a token"));
                texts[row].push(token.id);
                told[row].push(token.log_prob.expect("asked for"));
            }
        }
        for (i, (text, told)) in texts.iter().zip(told).enumerate() {
            let first = prompts[i].len();
            let prefix = prefix(i).map(Prefix::new);
            let tokens = prefix.as_ref().map_or(0, Prefix::tokens);
            let read = sequence(&text[..text.len() - 1], &model.device());
            let all = log_softmax(logits(&model, read, tokens, prefix.as_ref()), 1);
            let new: Vec<i32> = text[first..].iter().map(|&id| id as i32).collect();
            let new = Tensor::<2, Int>::from_data(TensorData::new(new, [NEW, 1]), &model.device());
            let expected = values(all.narrow(0, first - 1, NEW).gather(1, new));
            let difference = largest_difference(&told, &expected);
            assert!(difference < 1e-4, "{name}, {i}: {difference}");
        }
    }
}

#[test]
fn a_prefix_of_another_width_or_beyond_the_context_is_refused() {
    let model = open("llama");
    let sampling = LogitsProcessor::new(SamplingConfig {
        max_new_tokens: 50,
        ..Default::default()
    });
    let sampling = sampling.expect("good settings");
    let refused = |shape: [usize; 2]| {
        let prefix = Some(Tensor::zeros(shape, &model.device()));
        let request = Request {
            prefix,
            ..Request::new(&[1, 2], &sampling)
        };
        model.prefill(&request).expect_err("refused")
    };
    // Two blocks of two heads of 8 keys and as many values.
    let found = refused([1, 32]);
    assert!(matches!(
        found,
        GenerateError::PrefixWidth {
            found: 32,
            expected: 64
        }
    ));
    let found = refused([250, 64]);
    assert!(matches!(found, GenerateError::Context { prompt: 252, .. }));
    let missing = model.keys_and_values(&[64]).expect_err("no such token");
    assert!(matches!(missing, GenerateError::Token { token: 64, .. }));
}
