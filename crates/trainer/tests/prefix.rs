//! A user model of keys and values: where it starts, and the model that it is for.

mod support;

use burn::module::Module;
use burn::tensor::{Int, Tensor, TensorData};
use llm_backbone::{Model, ModelInput};
use support::{USERS, lora, open, prefix_of, users, values, with_random_adapters};
use trainer::adapters;
use trainer::config::{Kind, UsersSection};
use trainer::pack::PackedBatch;
use trainer::policy::Policy;
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};
use user_model::{RowInit, UserRef};

fn section(text: &str) -> UsersSection {
    toml::from_str(text).expect("a section")
}

/// What the plain model says of tokens behind others, `[seq, d]`.
fn states(model: &Model, ids: &[u32]) -> Tensor<2> {
    let (device, seq) = (model.device(), ids.len());
    let ints =
        |values: Vec<i32>| Tensor::<2, Int>::from_data(TensorData::new(values, [1, seq]), &device);
    let visible: Vec<bool> = (0..seq * seq).map(|i| i % seq <= i / seq).collect();
    let hidden = model.forward(ModelInput {
        embeddings: model.embed(ints(ids.iter().map(|&id| id as i32).collect())),
        positions: ints((0..seq as i32).collect()),
        visible: Tensor::from_data(TensorData::new(visible, [1, 1, seq, seq]), &device),
        prefix: None,
        cache: None,
    });
    hidden.squeeze_dim(0)
}

/// One token, so that the model can be asked with each of its tokens in front.
#[test]
fn it_starts_as_a_token_of_the_vocabulary_in_front_of_the_text() {
    let base = open("llama");
    let users = section("kind = \"prefix\"\nuser_tokens = 1");
    let (policy, table) =
        Policy::start(base.clone(), &lora(), Some(&users), 1, 3).expect("a policy");
    let mut table = table.expect("a table");
    table.add("a");
    let pair = TokenizedPair {
        prompt: TokenizedPrompt {
            ids: vec![1, 20, 30],
            soft_at: 1,
            cut: false,
            user_text_cut: false,
        },
        chosen: vec![9],
        rejected: vec![8],
        response_cut: false,
    };
    let device = base.device();
    let packed = PackedBatch::new(&[&pair], 0).behind(1);
    let rows = table.batch(&[UserRef::id("a")], &device).expect("a user");
    let found = policy.response_log_probs(&packed, &packed.to_device(&device), Some(&rows));
    let found = values(found.chosen)[0];
    let said = |token: u32| {
        let states = states(&base, &[token, 1, 20, 30]).narrow(0, 3, 1);
        let targets = Tensor::from_data(TensorData::new(vec![9], [1]), &device);
        values(base.log_probs(states, targets))[0]
    };
    let alike = (0..64).filter(|&token| (said(token) - found).abs() < 1e-4);
    assert!(alike.count() >= 1, "no token in front gives {found}");
}

#[test]
fn any_start_of_the_shared_numbers_is_taken_but_more_tokens_than_there_are() {
    let start = |text: &str| {
        let users = section(&format!("kind = \"prefix\"\n{text}"));
        Policy::start(open("llama"), &lora(), Some(&users), 1, 3)
    };
    let shared = |text: &str| {
        let (policy, _) = start(text).expect("a policy");
        let users = policy.users.expect("users");
        assert_eq!(users.config().width(), 64); // Two blocks of two heads of 8, keys and values.
        users.shared().map(values).unwrap_or_default()
    };
    assert_eq!(shared("init = \"zeros\""), [0.0; 640]);
    let uniform = shared("init = { uniform = { range = 0.1 } }");
    assert!(uniform.iter().all(|x| x.abs() <= 0.1) && uniform[0] != uniform[1]);
    assert_eq!(shared("user_tokens = 0").len(), 0);
    let error = start("user_tokens = 65").expect_err("refused").to_string();
    assert!(error.contains("`users.user_tokens` is 65"), "{error}");
}

#[test]
fn a_prefix_of_another_model_is_refused_by_its_width() {
    let model = with_random_adapters(open("llama"), 1);
    let (of_llama, table) = users(prefix_of(&model), 2, model.d_model(), RowInit::Zero);
    let policy = Policy::new(model, Some(of_llama));
    let dir = tempfile::tempdir().expect("a folder");
    let at = dir.path().join("adapters");
    adapters::save(&at, &policy, Some(&table), &lora(), &"llama".into()).expect("files");
    let (read, table, _) = adapters::load(&at, open("llama"), &support::device()).expect("it");
    assert_eq!(table.expect("users").ids(), USERS);
    assert_eq!(read.places(), policy.valid().places());

    let shared = policy.users.as_ref().expect("users").config().clone();
    let narrow = user_model::UserModelConfig {
        kind: user_model::UserModelKind::Prefix { width: 32 },
        ..shared
    };
    let users = narrow.init(None, &support::device()).expect("users");
    let table = user_model::UserTable::new(narrow).expect("a table");
    adapters::save_users(&at, &users, &table).expect("files");
    let error = adapters::load(&at, open("llama"), &support::device());
    let error = error.expect_err("refused").to_string();
    assert!(
        error.contains("`width` is 32, the model's is 64"),
        "{error}"
    );
}

#[test]
fn the_section_says_so() {
    assert_eq!(section("kind = \"prefix\"").kind, Kind::Prefix);
    let tokens = section("kind = \"prefix\"\nuser_tokens = 4").tokens();
    assert_eq!((tokens.soft, tokens.prefix), (0, 4));
    let tokens = section("user_tokens = 4").tokens();
    assert_eq!((tokens.soft, tokens.prefix), (4, 0));
}
