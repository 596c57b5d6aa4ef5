//! What a user's answers can be used for beside training on them.

mod support;

use std::fs;
use std::sync::Arc;

use llm_backbone::tokenizer::Tokenizer;
use pdpo_loss::ObjectiveConfig;
use support::words::tokenizer_files;
use support::{INDIVIDUAL, examples, lora, open, pairs, preference, prefix_of, users};
use trainer::example::{Example, Item};
use trainer::inference::Engine;
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::tokenise::{Formatter, PromptConfig, TokenizedPair, TokenizedPrompt};
use trainer::ways::{InPrompt, Nearest, against_plain, longer_by};
use user_model::{RowInit, UserModelKind, UserRef};

/// Random adapters, and users with three tokens and rows of their own where there is a kind of them.
fn engine(kind: Option<UserModelKind>) -> Engine {
    let folder = tempfile::tempdir().expect("a folder");
    let names = ["tokenizer.json", "tokenizer_config.json"];
    for (name, text) in names.iter().zip(tokenizer_files()) {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let tokenizer = Tokenizer::open(folder.path()).expect("a tokenizer");
    let model = support::with_random_adapters_of(open("llama"), &lora(), 3);
    let rows = RowInit::Uniform { range: 0.5 };
    let users = kind.map(|kind| users(kind, 3, model.d_model(), rows));
    let (users, table) = users.unzip();
    let table = table.map(|mut table| {
        for id in support::USERS {
            let user = UserRef::id(id);
            let row = table.row(&user).expect("a row");
            table.set_row(&user, row).expect("a user");
        }
        table
    });
    let formatter = Formatter::new(tokenizer, PromptConfig::default(), 3).expect("room");
    Engine::new(Policy::new(model, users), table, formatter)
}

/// 1 is BOS, 2 ends a response.
fn example(prompt: &[u32], [chosen, rejected]: [&[u32]; 2]) -> Example {
    let pair = TokenizedPair {
        prompt: TokenizedPrompt {
            ids: [&[1], prompt].concat(),
            soft_at: 1,
            cut: false,
            user_text_cut: false,
        },
        chosen: chosen.to_vec(),
        rejected: rejected.to_vec(),
        response_cut: false,
    };
    Example {
        item: Arc::new(Item::new(pair, None)),
        user: UserRef::Generic,
        drawn: None,
    }
}

#[test]
fn answers_leave_room_for_the_user_the_prompt_and_the_longer_response() {
    // Four tokens each in a prompt; a thumb down is not shown.
    let answers = [
        example(&[5, 6], [&[7, 2], &[8, 2]]),
        example(&[9, 9], [&[], &[8, 2]]),
        example(&[7, 8], [&[9, 2], &[8, 2]]),
    ];
    // BOS, three tokens, and a response of three.
    let tests = [example(&[9, 10, 11], [&[12, 2], &[13, 14, 2]])];
    let shown = |engine: &Engine, most| {
        let prompt = InPrompt::new(engine, &tests, &answers, most);
        assert_eq!(prompt.answers(), 2);
        prompt.first(9).concat()
    };
    let plain = engine(None);
    assert_eq!(shown(&plain, 15), [0, 1]);
    assert_eq!(shown(&plain, 14), [0]);
    assert_eq!(shown(&plain, 10), [0; 0]);
    for kind in [INDIVIDUAL, prefix_of(&open("llama"))] {
        let with_users = engine(Some(kind));
        assert_eq!(shown(&with_users, 15), [0]);
        assert_eq!(shown(&with_users, 18), [0, 1]);
        assert_eq!(shown(&with_users, usize::MAX), [0, 1]);
    }
}

#[test]
fn a_prompt_is_most_like_itself_whoever_reads_it() {
    let of = |prompt: &[u32]| example(prompt, [&[7, 2], &[8, 2]]);
    let (answers, tests) = (
        [of(&[5, 6, 7]), of(&[40, 3])],
        [of(&[40, 3]), of(&[5, 6, 7])],
    );
    let likeness = |kind| {
        let engine = engine(kind);
        let prompt = InPrompt::new(&engine, &tests, &answers, 99);
        let likeness = prompt.likeness(&engine, &Quiet).expect("likeness");
        let shown = prompt.nearest(&likeness, 2);
        // The most alike stands last.
        assert_eq!(shown, [[0, 1], [1, 0]]);
        likeness
    };
    let found = likeness(None);
    for (test, same, other) in [(0, 1, 0), (1, 0, 1)] {
        assert!((found[test][same] - 1.0).abs() < 1e-6, "{found:?}");
        assert!(found[test][other] < 0.999, "{found:?}");
    }
    assert_eq!(likeness(Some(INDIVIDUAL)), found);
}

#[test]
fn what_is_read_beside_a_comparison_leaves_its_reference_as_it_is() {
    let engine = engine(None);
    let tests = examples(&open("llama"), &pairs(5, 3), false);
    let answers = [example(&[5, 6], [&[7, 2], &[8, 2]])];
    let prompt = InPrompt::new(&engine, &tests, &answers, 99);
    let task = preference(&ObjectiveConfig::default(), false);
    let told = prompt.examples(&task, &prompt.first(1), &Quiet);
    let told = told.expect("references that are known");
    assert_eq!(longer_by(&told, &tests), [4.0; 3]);
    for (told, test) in told.iter().zip(&tests) {
        assert_eq!(told.item.reference.get(), test.item.reference.get());
        assert_eq!(told.pair().chosen, test.pair().chosen);
    }
    // Who has no reference to compare with gets none from elsewhere.
    let unknown = [example(&[5, 6], [&[7, 2], &[8, 2]])];
    let same = unknown.iter().map(|example| example.pair().clone());
    let same = against_plain(&task, &unknown, same, &Quiet).expect("examples");
    assert_eq!(same[0].item.reference.get(), None);
}

#[test]
fn the_nearest_user_explains_the_answers_best_and_is_another_one() {
    let engine = engine(Some(INDIVIDUAL));
    let answers = examples(&open("llama"), &pairs(6, 4), false);
    let task = preference(&ObjectiveConfig::default(), true);
    let likely = |id: &str| -> f64 {
        let own: Vec<Example> = answers.iter().map(|a| a.of(&UserRef::id(id))).collect();
        let scored = engine.score(&task, &own, &Quiet).expect("scores");
        let margins = scored.iter().map(|row| f64::from(row.margin()));
        margins.map(|margin| -(-margin).exp().ln_1p()).sum()
    };
    let mut users = support::USERS;
    users.sort_by(|a, b| likely(b).total_cmp(&likely(a)));
    let nearest = |but| {
        let found = Nearest::of(&engine, &task, (&answers, but), &Quiet).expect("margins");
        found.after(4).cloned()
    };
    assert_eq!(nearest(None), Some(UserRef::id(users[0])));
    assert_eq!(nearest(Some(users[0])), Some(UserRef::id(users[1])));
}
