//! Generation does not depend on company: a batch gives what each request gives alone, and the cache gives what a
//! forward pass over the whole text gives.
#![allow(clippy::print_stderr)]

mod support;

use burn::tensor::{Device, Int, Tensor, TensorData};
use llm_backbone::generate::{Batch, End, GenerateError, Request, Room, SequenceId};
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::{Model, ModelInput, Precision, soft_prompt};
use support::{MODELS, argmax, causal, fixture, largest_difference, last_logits, values};

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

fn requests<'a>(soft: Option<&Tensor<3>>, processor: &'a LogitsProcessor) -> Vec<Request<'a>> {
    const KEYS: [&str; 5] = ["a", "b", "c", "d", "e"];
    let request = |i: usize| Request {
        soft: soft.map(|soft| row(soft, i).squeeze_dim(0)),
        soft_at: soft_at(i),
        user: KEYS[4 - i],
        prompt_key: KEYS[i],
        ..Request::new(PROMPTS[i], processor)
    };
    (0..PROMPTS.len()).map(request).collect()
}

fn processor(config: &SamplingConfig) -> LogitsProcessor {
    LogitsProcessor::new(config.clone()).expect("good settings")
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

/// All requests together.
fn generate(model: &Model, soft: Option<&Tensor<3>>, config: &SamplingConfig) -> Vec<Vec<u32>> {
    let processor = processor(config);
    text(model, &requests(soft, &processor))
}

fn text(model: &Model, requests: &[Request<'_>]) -> Vec<Vec<u32>> {
    model.generate(requests, |_, _| {}).expect("a text")
}

/// Every request in a batch of its own.
fn one_by_one(model: &Model, soft: Option<&Tensor<3>>, config: &SamplingConfig) -> Vec<Vec<u32>> {
    let processor = processor(config);
    let each = |request| text(model, &[request]).remove(0);
    requests(soft, &processor).into_iter().map(each).collect()
}

#[test]
fn a_batch_gives_what_each_request_gives_alone() {
    for name in MODELS {
        let model = open(name);
        let soft = soft(&model);
        for config in [greedy(24), sampled(2), sampled(3)] {
            for soft in [None, Some(&soft)] {
                let batched = generate(&model, soft, &config);
                assert_eq!(batched, one_by_one(&model, soft, &config), "{name}");
            }
        }
    }
}

#[test]
fn the_order_of_requests_does_not_matter() {
    for name in MODELS {
        let model = open(name);
        let (soft, processor) = (soft(&model), processor(&sampled(7)));
        let order = [3, 0, 4, 2, 1];
        let straight = requests(Some(&soft), &processor);
        let shuffled: Vec<_> = order.iter().map(|&i| straight[i].clone()).collect();
        let (straight, found) = (text(&model, &straight), text(&model, &shuffled));
        for (place, &i) in order.iter().enumerate() {
            assert_eq!(found[place], straight[i], "{name}, request {i}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_text_and_another_seed_another() {
    let model = open("llama");
    let texts = |seed| generate(&model, None, &sampled(seed));
    assert_eq!(texts(3), texts(3));
    assert_ne!(texts(3), texts(4));
}

#[test]
fn user_and_prompt_key_move_the_draws() {
    let model = open("llama");
    let processor = processor(&sampled(0));
    let of = |user, prompt_key| {
        let request = Request {
            user,
            prompt_key,
            ..Request::new(PROMPTS[0], &processor)
        };
        text(&model, &[request]).remove(0)
    };
    assert_eq!(of("u", "p"), of("u", "p"));
    assert_ne!(of("u", "p"), of("v", "p"));
    assert_ne!(of("u", "p"), of("u", "q"));
}

#[test]
fn the_cache_gives_what_a_forward_pass_over_the_whole_text_gives() {
    for name in MODELS {
        let model = open(name);
        let soft = soft(&model);
        let found = generate(&model, Some(&soft), &greedy(24));
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
    let with = generate(&model, Some(&soft(&model)), &greedy(24));
    assert_ne!(with, generate(&model, None, &greedy(24)));
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
    for name in MODELS {
        let model = open(name);
        let soft = soft(&model);
        let config = sampled(5);
        let full = generate(&model, Some(&soft), &config);
        let stop = busy_stop_id(&full);
        let config = SamplingConfig {
            stop_ids: vec![stop],
            ..config
        };
        let found = generate(&model, Some(&soft), &config);
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
    let first = |config: &SamplingConfig| generate(&model, None, config).remove(0);
    let full = first(&greedy(24));
    let stop = full[5];
    let end = full.iter().position(|&t| t == stop).expect("the stop id");
    let config = SamplingConfig {
        stop_ids: vec![stop],
        ..greedy(24)
    };
    assert_eq!(first(&config), full[..end]);
    let config = SamplingConfig {
        min_new_tokens: end + 1,
        ..config
    };
    let longer = first(&config);
    assert!(longer.len() > end && !longer.contains(&stop), "{longer:?}");
    assert_eq!(longer[..end], full[..end]);
}

#[test]
fn a_text_has_at_most_the_greatest_number_of_new_tokens() {
    let model = open("gptj");
    for most in [0, 1, 2, 9] {
        let found = generate(&model, None, &greedy(most));
        assert!(found.iter().all(|text| text.len() == most), "{most}");
    }
    assert!(text(&model, &[]).is_empty());
}

#[test]
fn tokens_are_told_as_they_come() {
    let model = open("llama");
    let processor = processor(&greedy(6));
    let mut told = vec![Vec::new(); PROMPTS.len()];
    let found = model
        .generate(&requests(None, &processor), |request, token| {
            told[request].push(token);
        })
        .expect("a text");
    assert_eq!(told, found);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let model = open("gptj"); // 64 positions
    let soft = soft(&model);
    let attempt = |change: &dyn Fn(&mut Request<'_>), most| {
        let processor = processor(&greedy(most));
        let mut request = requests(Some(&soft), &processor).remove(0);
        change(&mut request);
        model.prefill(&request).map(|_| ())
    };
    let refused = |change: &dyn Fn(&mut Request<'_>)| attempt(change, 4).unwrap_err().to_string();
    // Eight tokens, three soft ones, and 53 new ones fill the context to the last position.
    attempt(&|_| {}, 53).expect("room");
    let too_many = attempt(&|_| {}, 54).unwrap_err().to_string();
    let expected = "a prompt of 11 tokens and 54 new ones exceed the model's context of 64";
    assert_eq!(too_many, expected);
    let error = attempt(&|_| {}, usize::MAX).unwrap_err();
    assert!(matches!(error, GenerateError::Context { .. }), "{error}");
    let found = refused(&|request| request.prompt = &[1, 1000]);
    assert_eq!(found, "token 1000 in a prompt: the model has 64 tokens");
    let found = refused(&|request| request.prompt = &[]);
    assert_eq!(found, "the prompt is empty");
    let found = refused(&|request| request.soft_at = 9);
    assert_eq!(found, "soft tokens at 9 of a prompt of 8 tokens");
    let narrow = |request: &mut Request<'_>| {
        request.soft = request.soft.take().map(|soft| soft.narrow(1, 0, 1));
    };
    let expected = format!(
        "a soft prompt of width 1 for a model of width {}",
        model.d_model()
    );
    assert_eq!(refused(&narrow), expected);
}

/// The tokens and log-probs of every request, each admitted before the step of that number.
fn admitted(
    model: &Model,
    soft: Option<&Tensor<3>>,
    config: &SamplingConfig,
    at: [usize; 5],
) -> Vec<Vec<(u32, f32)>> {
    let processor = processor(config);
    let requests = requests(soft, &processor);
    let mut batch = Batch::new(model, ROOM);
    let mut places = Vec::new();
    let mut found = vec![Vec::new(); requests.len()];
    for step in 0.. {
        for (i, request) in requests.iter().enumerate().filter(|(i, _)| at[*i] == step) {
            let request = Request {
                log_probs: true,
                ..request.clone()
            };
            let id = batch
                .admit(model.prefill(&request).expect("a prompt"))
                .expect("room");
            places.push((id, i));
        }
        for step in batch.step() {
            let (_, i) = places
                .iter()
                .find(|(id, _)| *id == step.id)
                .expect("a request");
            found[*i].extend(
                step.token
                    .map(|token| (token.id, token.log_prob.expect("asked for"))),
            );
        }
        if batch.is_empty() && step > 40 {
            break;
        }
    }
    found
}

const ROOM: Room = Room {
    sequences: 5,
    tokens: 40,
};

#[test]
fn requests_admitted_in_any_order_at_any_time_give_the_same_text_and_log_probs() {
    let schedules = [[0; 5], [4, 0, 9, 2, 2], [30, 20, 10, 5, 0], [0, 1, 2, 3, 4]];
    for name in MODELS {
        let model = open(name);
        let soft = soft(&model);
        for soft in [None, Some(&soft)] {
            let full = generate(&model, soft, &sampled(5));
            let config = SamplingConfig {
                stop_ids: vec![busy_stop_id(&full)],
                ..sampled(5)
            };
            let alone = one_by_one(&model, soft, &config);
            let expected = admitted(&model, soft, &config, schedules[0]);
            for at in schedules {
                let found = admitted(&model, soft, &config, at);
                for (i, found) in found.iter().enumerate() {
                    let ids: Vec<u32> = found.iter().map(|(id, _)| *id).collect();
                    assert_eq!(ids, alone[i], "{name}, request {i}, admitted at {at:?}");
                    let pairs = found.iter().zip(&expected[i]);
                    let apart = pairs.map(|((_, a), (_, b))| (a - b).abs());
                    assert!(apart.fold(0.0, f32::max) <= 1e-4, "{name}, request {i}");
                }
            }
        }
    }
}

#[test]
fn log_probs_are_those_of_the_models_distribution() {
    let model = open("llama");
    let found = admitted(&model, None, &sampled(2), [0; 5]);
    let mut ids = PROMPTS[0].to_vec();
    for &(id, log_prob) in &found[0] {
        let logits = last_logits(&model, &ids, None);
        let sum: f64 = logits.iter().map(|&l| f64::from(l).exp()).sum();
        let expected = f64::from(logits[id as usize]) - sum.ln();
        assert!((f64::from(log_prob) - expected).abs() < 1e-4);
        ids.push(id);
    }
}

#[test]
fn a_batch_refuses_what_it_has_no_room_for_and_takes_it_later() {
    let model = open("llama");
    let processor = processor(&greedy(3));
    let all = requests(None, &processor);
    let read = |i: usize| model.prefill(&all[i]).expect("a prompt");
    let room = Room {
        sequences: 2,
        tokens: 10,
    };
    let mut batch = Batch::new(&model, room);
    // Eight tokens and three new ones.
    let found = batch.admit(read(0)).unwrap_err().to_string();
    let expected = "prompt and new tokens are 11, the batch has room for 10 of each sequence";
    assert_eq!(found, expected);
    let first = batch.admit(read(1)).expect("room");
    batch.step();
    batch.admit(read(2)).expect("room");
    assert!(matches!(
        batch.has_room_for(&all[3]),
        Err(GenerateError::Full { room: 2 })
    ));
    assert!(matches!(
        batch.admit(read(3)),
        Err(GenerateError::Full { room: 2 })
    ));
    batch.step();
    let ended = |batch: &mut Batch| -> Vec<SequenceId> {
        let ended = batch
            .step()
            .into_iter()
            .filter(|step| step.end == Some(End::Length));
        ended.map(|step| step.id).collect()
    };
    assert_eq!(ended(&mut batch), [first]);
    let third = batch.admit(read(3)).expect("room again");
    assert!(!batch.remove(first) && batch.remove(third));
    assert_eq!((ended(&mut batch).len(), batch.len()), (1, 0));
}

#[test]
fn every_request_has_settings_of_its_own() {
    let model = open("llama");
    let [short, long] = [greedy(2), sampled(3)].map(|config| processor(&config));
    let both = [
        Request::new(PROMPTS[0], &short),
        Request::new(PROMPTS[3], &long),
    ];
    let found = text(&model, &both);
    for (found, request) in found.iter().zip(both) {
        assert_eq!(*found, text(&model, &[request])[0]);
    }
    assert_eq!([found[0].len(), found[1].len()], [2, 20]);
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
        prefix: None,
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
    let mut models: Vec<_> = MODELS.map(|name| (name, open(name))).into();
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
