//! Generation does not depend on company: a batch gives what each request gives alone, and the cache gives what a
//! forward pass over the whole text gives.
#![allow(clippy::print_stderr)]

mod support;

use burn::tensor::{Device, Int, Tensor, TensorData};
use llm_backbone::generate::{GenerateError, Request};
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::{Model, ModelInput, Precision, soft_prompt};
use support::{argmax, causal, fixture, largest_difference, last_logits, values};

const FAMILIES: [&str; 4] = ["llama", "llama_tied", "gptj", "qwen3"];
const SOFT_TOKENS: usize = 3;

/// Prompts of different lengths; soft tokens come after the leading BOS (1) or first.
const PROMPTS: [&[u32]; 5] = [
    &[1, 10, 20, 30, 40, 50, 60, 11],
    &[5],
    &[1, 33, 7],
    &[9, 8, 7, 6, 5, 4],
    &[1, 62, 3, 19, 44],
];

fn open(name: &str) -> Model {
    Model::open(&fixture(name), &Device::flex()).expect("a good fixture")
}

/// A model in the blocks of its file. Prompts here make products of more rows than are rounded.
fn open_stored() -> Model {
    let device = Device::flex();
    let file = fixture("llama_gguf/model.gguf");
    let (config, source) = llm_backbone::weights::open(file).expect("a good fixture");
    Model::load(&config, source.as_ref(), Precision::Stored, &device).expect("a good fixture")
}

fn soft_at(row: usize) -> usize {
    usize::from(PROMPTS[row][0] == 1)
}

fn requests() -> Vec<Request<'static>> {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let request = |row: usize| Request {
        prompt: PROMPTS[row],
        soft_at: soft_at(row),
        user: KEYS[4 - row],
        prompt_key: KEYS[row],
    };
    (0..PROMPTS.len()).map(request).collect()
}

/// A different soft prompt for every request, `[requests, T_u, d]`.
fn soft(model: &Model) -> Tensor<3> {
    let shape = [PROMPTS.len(), SOFT_TOKENS, model.d_model()];
    let numbers: Vec<f32> = (0..shape.iter().product())
        .map(|i: usize| 0.5 * (i as f32 * 0.7).sin())
        .collect();
    Tensor::from_data(TensorData::new(numbers, shape), &model.device())
}

fn row(soft: &Tensor<3>, row: usize) -> Tensor<3> {
    soft.clone().narrow(0, row, 1)
}

fn greedy(max_new_tokens: usize) -> SamplingConfig {
    SamplingConfig {
        greedy: true,
        max_new_tokens,
        ..Default::default()
    }
}

/// Rounding moves a choice only where a draw falls within about 1e-7 of the border of two tokens; none of the seeds
/// below has such a draw.
fn sampled(seed: u64) -> SamplingConfig {
    SamplingConfig {
        temperature: 1.3,
        top_k: 40,
        top_p: 0.95,
        max_new_tokens: 20,
        seed,
        ..Default::default()
    }
}

fn generate(
    model: &Model,
    requests: &[Request<'_>],
    soft: Option<Tensor<3>>,
    config: &SamplingConfig,
) -> Vec<Vec<u32>> {
    let processor = LogitsProcessor::new(config.clone()).expect("good settings");
    model
        .generate(requests, soft, &processor, |_, _| {})
        .expect("a text")
}

/// Every request in a batch of its own.
fn one_by_one(model: &Model, soft: Option<&Tensor<3>>, config: &SamplingConfig) -> Vec<Vec<u32>> {
    let each =
        |(i, request)| generate(model, &[request], soft.map(|s| row(s, i)), config).remove(0);
    requests().into_iter().enumerate().map(each).collect()
}

#[test]
fn a_batch_gives_what_each_request_gives_alone() {
    for name in FAMILIES {
        let model = open(name);
        let soft = soft(&model);
        for config in [greedy(24), sampled(2), sampled(3)] {
            for soft in [None, Some(&soft)] {
                let batched = generate(&model, &requests(), soft.cloned(), &config);
                assert_eq!(batched, one_by_one(&model, soft, &config), "{name}");
            }
        }
    }
}

#[test]
fn the_order_of_requests_does_not_matter() {
    for name in FAMILIES {
        let model = open(name);
        let order = [3, 0, 4, 2, 1];
        let shuffled: Vec<_> = order.iter().map(|&i| requests()[i].clone()).collect();
        let all = soft(&model);
        let soft = Tensor::cat(order.map(|i| row(&all, i)).to_vec(), 0);
        let straight = generate(&model, &requests(), Some(all), &sampled(7));
        let found = generate(&model, &shuffled, Some(soft), &sampled(7));
        for (place, &i) in order.iter().enumerate() {
            assert_eq!(found[place], straight[i], "{name}, request {i}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_seed_another() {
    let model = open("llama");
    let texts = |seed| generate(&model, &requests(), None, &sampled(seed));
    assert_eq!(texts(3), texts(3));
    assert_ne!(texts(3), texts(4));
}

#[test]
fn user_and_prompt_key_move_the_draws() {
    let model = open("llama");
    let text = |user, prompt_key| {
        let request = Request {
            user,
            prompt_key,
            ..requests()[0].clone()
        };
        generate(&model, &[request], None, &sampled(0)).remove(0)
    };
    assert_eq!(text("u", "p"), text("u", "p"));
    assert_ne!(text("u", "p"), text("v", "p"));
    assert_ne!(text("u", "p"), text("u", "q"));
}

#[test]
fn the_cache_gives_what_a_forward_pass_over_the_whole_text_gives() {
    for name in FAMILIES {
        let model = open(name);
        let soft = soft(&model);
        let found = generate(&model, &requests(), Some(soft.clone()), &greedy(24));
        for (i, prompt) in PROMPTS.iter().enumerate() {
            let mut ids = prompt.to_vec();
            for _ in 0..24 {
                let soft = Some((row(&soft, i), soft_at(i)));
                ids.push(argmax(&last_logits(&model, &ids, soft)));
            }
            assert_eq!(found[i], ids[prompt.len()..], "{name}, request {i}");
        }
    }
}

#[test]
fn soft_prompts_change_the_text() {
    let model = open("llama");
    let with = generate(&model, &requests(), Some(soft(&model)), &greedy(24));
    assert_ne!(with, generate(&model, &requests(), None, &greedy(24)));
}

/// A stop id that ends requests at different steps, some of them early.
fn busy_stop_id(texts: &[Vec<u32>]) -> u32 {
    let ends = |id: u32| -> Vec<Option<usize>> {
        let end = |text: &Vec<u32>| text.iter().position(|&t| t == id);
        texts.iter().map(end).collect()
    };
    let distinct = |id: u32| {
        let mut ends = ends(id);
        ends.sort_unstable();
        ends.dedup();
        ends.len()
    };
    (0..64).max_by_key(|&id| distinct(id)).expect("ids")
}

#[test]
fn finished_requests_leave_the_others_as_they_were() {
    for name in FAMILIES {
        let model = open(name);
        let soft = soft(&model);
        let config = sampled(5);
        let full = generate(&model, &requests(), Some(soft.clone()), &config);
        let stop = busy_stop_id(&full);
        let config = SamplingConfig {
            stop_ids: vec![stop],
            ..config
        };
        let found = generate(&model, &requests(), Some(soft.clone()), &config);
        let mut lengths = Vec::new();
        for (found, full) in found.iter().zip(&full) {
            let end = full.iter().position(|&t| t == stop).unwrap_or(full.len());
            assert_eq!(found, &full[..end], "{name}");
            lengths.push(end);
        }
        lengths.sort_unstable();
        lengths.dedup();
        assert!(lengths.len() > 2, "{name}: some end early: {lengths:?}");
        assert_eq!(found, one_by_one(&model, Some(&soft), &config));
    }
}

#[test]
fn a_stop_id_ends_the_text_and_is_not_part_of_it() {
    let model = open("llama");
    let full = generate(&model, &requests(), None, &greedy(24)).remove(0);
    let stop = full[5];
    let end = full.iter().position(|&t| t == stop).expect("the stop id");
    let config = SamplingConfig {
        stop_ids: vec![stop],
        ..greedy(24)
    };
    let found = generate(&model, &requests()[..1], None, &config).remove(0);
    assert_eq!(found, full[..end]);
    let config = SamplingConfig {
        min_new_tokens: end + 1,
        ..config
    };
    let longer = generate(&model, &requests()[..1], None, &config).remove(0);
    assert!(longer.len() > end && !longer.contains(&stop), "{longer:?}");
    assert_eq!(longer[..end], full[..end]);
}

#[test]
fn a_text_has_at_most_the_greatest_number_of_new_tokens() {
    let model = open("gptj");
    for most in [0, 1, 2, 9] {
        let found = generate(&model, &requests(), None, &greedy(most));
        assert!(found.iter().all(|text| text.len() == most), "{most}");
    }
    assert!(generate(&model, &[], None, &greedy(9)).is_empty());
}

#[test]
fn tokens_are_told_as_they_come() {
    let model = open("llama");
    let processor = LogitsProcessor::new(greedy(6)).expect("good settings");
    let mut told = vec![Vec::new(); PROMPTS.len()];
    let found = model
        .generate(&requests(), None, &processor, |request, token| {
            told[request].push(token);
        })
        .expect("a text");
    assert_eq!(told, found);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let model = open("gptj"); // 64 positions
    let attempt = |requests: &[Request<'_>], soft, most| {
        let processor = LogitsProcessor::new(greedy(most)).expect("good settings");
        model.generate(requests, soft, &processor, |_, _| {})
    };
    let soft = soft(&model);
    // Eight tokens, three soft ones, and 53 new ones fill the context to the last position.
    assert!(attempt(&requests(), Some(soft.clone()), 53).is_ok());
    let error = attempt(&requests(), Some(soft.clone()), 54).unwrap_err();
    assert!(
        matches!(
            error,
            GenerateError::Context {
                prompt: 11,
                new: 54,
                limit: 64
            }
        ),
        "{error}"
    );
    let error = attempt(&requests()[..2], Some(soft), 4).unwrap_err();
    assert!(
        matches!(
            error,
            GenerateError::Soft {
                found: 5,
                expected: 2
            }
        ),
        "{error}"
    );
    let error = attempt(&requests(), None, usize::MAX).unwrap_err();
    assert!(matches!(error, GenerateError::Context { .. }), "{error}");
    let unknown = [1, 1000];
    let unknown = Request {
        prompt: &unknown,
        ..requests()[0].clone()
    };
    let error = attempt(&[requests()[1].clone(), unknown], None, 4).unwrap_err();
    assert!(
        matches!(
            error,
            GenerateError::Token {
                row: 1,
                token: 1000,
                ..
            }
        ),
        "{error}"
    );
    let mut behind = requests();
    behind[2].soft_at = PROMPTS[2].len() + 1;
    let error = attempt(&behind, Some(self::soft(&model)), 4).unwrap_err();
    assert!(
        matches!(error, GenerateError::SoftAt { row: 2, .. }),
        "{error}"
    );
    let empty = Request {
        prompt: &[],
        ..requests()[0].clone()
    };
    let error = attempt(&[requests()[1].clone(), empty], None, 4).unwrap_err();
    assert!(
        matches!(error, GenerateError::EmptyPrompt { row: 1 }),
        "{error}"
    );
}

/// Logits of every request's last token in one padded batch with soft prompts.
fn padded_logits(model: &Model, soft: &Tensor<3>) -> Vec<Vec<f32>> {
    let device = model.device();
    let text = PROMPTS.iter().map(|p| p.len()).max().expect("prompts");
    let (batch, seq) = (PROMPTS.len(), text + SOFT_TOKENS);
    let padded = |p: &&[u32]| -> Vec<i32> {
        let mut ids: Vec<i32> = p.iter().map(|&id| id as i32).collect();
        ids.resize(text, 0);
        ids
    };
    let ids: Vec<i32> = PROMPTS.iter().flat_map(padded).collect();
    let ids = Tensor::<2, Int>::from_data(TensorData::new(ids, [batch, text]), &device);
    let at: Vec<usize> = (0..batch).map(soft_at).collect();
    let positions: Vec<i32> = (0..batch).flat_map(|_| 0..seq as i32).collect();
    let hidden = model.forward(ModelInput {
        embeddings: soft_prompt::insert(model.embed(ids), soft.clone(), &at),
        positions: Tensor::from_data(TensorData::new(positions, [batch, seq]), &device),
        visible: causal(batch, seq, seq, &device),
        cache: None,
    });
    let state = |i: usize| {
        let last = PROMPTS[i].len() + SOFT_TOKENS - 1;
        hidden.clone().narrow(0, i, 1).narrow(1, last, 1)
    };
    let d = model.d_model();
    (0..batch)
        .map(|i| values(model.logits(state(i).reshape([1, d]))))
        .collect()
}

#[test]
fn logits_with_company_differ_from_those_alone_by_at_most_1e_4() {
    let mut models: Vec<_> = FAMILIES.map(|name| (name, open(name))).into();
    models.push(("stored", open_stored()));
    for (name, model) in models {
        let soft = soft(&model);
        let mut largest = 0f32;
        for (i, found) in padded_logits(&model, &soft).iter().enumerate() {
            let alone = last_logits(&model, PROMPTS[i], Some((row(&soft, i), soft_at(i))));
            largest = largest.max(largest_difference(found, &alone));
        }
        eprintln!("{name}: largest difference with batch company {largest:e}");
        assert!(largest <= 1e-4, "{name}: {largest}");
    }
}
