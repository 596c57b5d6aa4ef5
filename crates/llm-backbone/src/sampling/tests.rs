use proptest::prelude::*;

use super::draw::draw_at;
use super::filters::*;
use super::*;

const OUT: f32 = f32::NEG_INFINITY;

fn processor(config: SamplingConfig) -> LogitsProcessor {
    LogitsProcessor::new(config).expect("good settings")
}

fn key(step: usize) -> DrawKey<'static> {
    DrawKey {
        seed: 1,
        user: "u",
        prompt: "p",
        step,
    }
}

#[test]
fn repetition_penalty_shrinks_towards_unlikely() {
    let mut logits = [2.0, -2.0, 1.0, 0.0];
    repetition_penalty(&mut logits, &[0, 1, 1, 99], 2.0);
    assert_eq!(logits, [1.0, -4.0, 1.0, 0.0]);
}

#[test]
fn a_bigram_does_not_come_twice() {
    // 1 was followed by 2 and by 3.
    let mut logits = [0.0; 5];
    no_repeat_ngram(&mut logits, &[1, 2, 1, 3, 1], 2);
    assert_eq!(logits, [0.0, 0.0, OUT, OUT, 0.0]);
    let mut logits = [0.0; 5];
    no_repeat_ngram(&mut logits, &[4, 1, 2, 4, 1], 3);
    assert_eq!(logits, [0.0, 0.0, OUT, 0.0, 0.0]);
}

#[test]
fn n_grams_of_one_exclude_the_history_and_short_histories_nothing() {
    let mut logits = [0.0; 3];
    no_repeat_ngram(&mut logits, &[2], 1);
    assert_eq!(logits, [0.0, 0.0, OUT]);
    let mut logits = [0.0; 3];
    no_repeat_ngram(&mut logits, &[2], 3);
    assert_eq!(logits, [0.0; 3]);
}

#[test]
fn top_k_keeps_equals_of_the_last() {
    let mut logits = [1.0, 3.0, 2.0, 2.0];
    top_k(&mut logits, 2);
    assert_eq!(logits, [OUT, 3.0, 2.0, 2.0]);
}

#[test]
fn top_p_keeps_the_token_that_reaches_it() {
    // Probabilities 0.5, 0.3, 0.15, 0.05.
    let probabilities = [0.15_f32, 0.5, 0.05, 0.3];
    let kept = |p: f32| {
        let mut logits = probabilities.map(f32::ln);
        top_p(&mut logits, p);
        logits.map(|logit| logit > OUT)
    };
    assert_eq!(kept(0.01), [false, true, false, false]);
    assert_eq!(kept(0.45), [false, true, false, false]);
    assert_eq!(kept(0.6), [false, true, false, true]);
    assert_eq!(kept(0.9), [true, true, false, true]);
    assert_eq!(kept(0.97), [true, true, true, true]);
}

#[test]
fn stop_ids_wait_for_the_least_number_of_tokens() {
    let config = SamplingConfig {
        min_new_tokens: 2,
        stop_ids: vec![1],
        ..SamplingConfig::default()
    };
    let processor = processor(config);
    let after = |new_tokens| {
        let mut logits = [0.0, 5.0];
        processor.process(&mut logits, &[], new_tokens);
        logits[1]
    };
    assert_eq!((after(0), after(1), after(2)), (OUT, OUT, 5.0));
    assert!(processor.stops_at(1) && !processor.stops_at(0));
}

#[test]
fn the_penalty_comes_before_the_temperature_and_top_k() {
    let config = SamplingConfig {
        temperature: 2.0,
        top_k: 1,
        repetition_penalty: 4.0,
        ..SamplingConfig::default()
    };
    let mut logits = [4.0, 2.0];
    processor(config).process(&mut logits, &[0], 1);
    assert_eq!(logits, [OUT, 1.0]);
}

#[test]
fn greedy_takes_the_first_of_the_largest() {
    let config = SamplingConfig {
        greedy: true,
        temperature: 0.5,
        ..SamplingConfig::default()
    };
    let mut logits = [1.0, 3.0, 3.0];
    assert_eq!(processor(config).sample(&mut logits, &[], &key(0)), Ok(1));
    assert_eq!(logits, [1.0, 3.0, 3.0]);
}

#[test]
fn the_draw_walks_the_running_sum() {
    let logits = [0.25_f32, 0.5, 0.0, 0.25].map(f32::ln);
    for (uniform, token) in [
        (0.0, 0),
        (0.2499, 0),
        (0.2501, 1),
        (0.7499, 1),
        (0.7501, 3),
        (0.999_999, 3),
    ] {
        assert_eq!(draw_at(&logits, uniform), Ok(token), "at {uniform}");
    }
}

#[test]
fn the_draw_depends_on_every_part_of_the_key_and_nothing_else() {
    let one = key(0);
    assert_eq!(one.uniform(), one.uniform());
    let others = [
        DrawKey { seed: 2, ..one },
        DrawKey { user: "v", ..one },
        DrawKey { prompt: "q", ..one },
        DrawKey { step: 1, ..one },
        DrawKey {
            user: "up",
            prompt: "",
            ..one
        },
        DrawKey {
            user: "",
            prompt: "up",
            ..one
        },
    ];
    for other in others {
        assert_ne!(one.uniform(), other.uniform(), "{other:?}");
    }
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.1_f32, 0.2, 0.7].map(f32::ln);
    let mut counts = [0_u32; 3];
    for step in 0..10_000 {
        counts[draw(&logits, &key(step)).expect("a token") as usize] += 1;
    }
    // Four standard deviations of a share: 4 sqrt(p (1 - p) / 10000) < 0.02.
    for (count, share) in counts.iter().zip([0.1, 0.2, 0.7]) {
        assert!(
            (f64::from(*count) / 10_000.0 - share).abs() < 0.02,
            "{counts:?}"
        );
    }
}

#[test]
fn no_choice_is_an_error() {
    assert_eq!(
        draw(&[OUT, OUT], &key(0)),
        Err(SamplingError::NothingAllowed { vocabulary: 2 })
    );
    assert_eq!(
        argmax(&[]),
        Err(SamplingError::NothingAllowed { vocabulary: 0 })
    );
    let broken = processor(SamplingConfig::default()).sample(&mut [0.0, f32::NAN], &[], &key(0));
    assert_eq!(broken, Err(SamplingError::NotANumber { token: 1 }));
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |config: SamplingConfig| {
        let error = LogitsProcessor::new(config).expect_err("a bad setting");
        error.to_string()
    };
    let defaults = SamplingConfig::default;
    assert_eq!(
        refused(SamplingConfig {
            temperature: 0.0,
            ..defaults()
        }),
        "sampling: `temperature`: found 0, expected a number of at least 0.0001 (for the most likely token set `greedy`)"
    );
    assert_eq!(
        refused(SamplingConfig {
            top_p: 0.0,
            ..defaults()
        }),
        "sampling: `top_p`: found 0, expected more than 0 and at most 1"
    );
    assert_eq!(
        refused(SamplingConfig {
            min_new_tokens: 129,
            ..defaults()
        }),
        "sampling: `min_new_tokens`: found 129, expected at most `max_new_tokens`"
    );
    let unknown = serde_json::from_str::<SamplingConfig>(r#"{"topk": 3}"#);
    assert!(
        unknown
            .expect_err("an unknown key")
            .to_string()
            .contains("unknown field `topk`")
    );
    assert_eq!(
        serde_json::from_str::<SamplingConfig>("{}").expect("defaults"),
        defaults()
    );
}

proptest! {
    #[test]
    fn some_token_is_always_chosen_and_never_an_excluded_one(
        logits in proptest::collection::vec(prop_oneof![4 => -20.0_f32..20.0, 1 => Just(OUT)], 1..40),
        history in proptest::collection::vec(0_u32..50, 0..20),
        top_k in 0_usize..50,
        top_p in 0.01_f32..=1.0,
        step in 0_usize..5,
    ) {
        let config = SamplingConfig { top_k, top_p, repetition_penalty: 1.3, ..SamplingConfig::default() };
        let mut changed = logits.clone();
        match processor(config).sample(&mut changed, &history, &key(step)) {
            Ok(token) => prop_assert!(logits[token as usize] > OUT && changed[token as usize] > OUT),
            Err(error) => {
                prop_assert_eq!(error, SamplingError::NothingAllowed { vocabulary: logits.len() });
                prop_assert!(logits.iter().all(|logit| *logit == OUT));
            }
        }
    }
}
