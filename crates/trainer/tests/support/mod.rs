//! What the tests of this crate share: tiny models with random adapters, random comparisons, users.
#![allow(dead_code, clippy::print_stderr)] // each test file uses its own part; skips are told

pub mod run;
pub mod torch;
pub mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use llm_backbone::{LoraConfig, LoraInit, Model, Targets};
use pdpo_loss::ObjectiveConfig;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use trainer::config::TrainingSection;
use trainer::example::{Example, Item};
use trainer::learner::Learner;
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::task::{Preference, Task};
use trainer::tokenise::{TokenizedPair, TokenizedPrompt};
use user_model::{Init, RowInit, UserModel, UserModelConfig, UserModelKind, UserRef, UserTable};

/// The names of the tiny models of all families.
pub const FAMILIES: [&str; 10] = [
    "llama",
    "llama_tied",
    "gptj",
    "qwen3",
    "qwen2",
    "mistral",
    "gemma3_text",
    "smollm3",
    "phi3",
    "olmo2",
];

/// The individual model of the paper.
pub const INDIVIDUAL: UserModelKind = UserModelKind::Individual { generic: true };

/// Keys and values at every layer of that model.
pub fn prefix_of(model: &Model) -> UserModelKind {
    UserModelKind::Prefix {
        width: model.config().cached_per_token(),
    }
}

/// A fixture of this crate.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// A fixture of `llm-backbone`.
pub fn model_fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../llm-backbone/tests/fixtures")
        .join(name)
}

/// The GGUF file of SmolLM2-135M-Instruct in the cache, or `None` with a message; where `CI` is set it must be there.
pub fn smollm2() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from);
    let home = || set("HOME").or_else(|| set("USERPROFILE"));
    let cache = set("P_RLHF_CACHE").or_else(|| Some(home()?.join(".cache/p-rlhf")));
    let path = cache
        .unwrap_or_default()
        .join("smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    if path.is_file() {
        return Some(path);
    }
    let message = format!("{} is not there", path.display());
    assert!(set("CI").is_none(), "{message}");
    eprintln!("skipped: {message}");
    None
}

/// The device of every test: the CPU with gradients.
pub fn device() -> Device {
    Device::flex().autodiff()
}

/// A tiny model.
pub fn open(name: &str) -> Model {
    Model::open(&model_fixture(name), &device()).expect("a good fixture")
}

/// Rank 4 on every linear layer.
pub fn lora() -> LoraConfig {
    LoraConfig {
        rank: 4,
        alpha: 8.0,
        ..Default::default()
    }
}

/// rsLoRA, DoRA, PiSSA and LoRA+ at once, on the embedding and the head too.
pub fn lora_of_every_kind() -> LoraConfig {
    LoraConfig {
        targets: Targets::Names(
            ["q_proj", "down_proj", "embed_tokens", "lm_head"]
                .map(String::from)
                .into(),
        ),
        use_rslora: true,
        use_dora: true,
        init_lora_weights: LoraInit::Pissa,
        loraplus_lr_ratio: 3.0,
        ..lora()
    }
}

/// Attaches adapters with no zero in them, so that every one of their weights has a gradient.
pub fn with_random_adapters(model: Model, seed: u64) -> Model {
    with_random_adapters_of(model, &lora(), seed)
}

/// The same of some kind.
pub fn with_random_adapters_of(model: Model, lora: &LoraConfig, seed: u64) -> Model {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tensors = model
        .clone()
        .with_lora(lora, seed)
        .expect("a good configuration")
        .adapter_tensors();
    for (_, _, values) in &mut tensors {
        values.fill_with(|| rng.random_range(-0.2..0.2));
    }
    model
        .with_adapter_tensors(lora, "random", tensors)
        .expect("its own tensors")
}

/// A comparison of random tokens with the given lengths; every other one leads with BOS.
pub fn pair(rng: &mut ChaCha8Rng, prompt: usize, chosen: usize, rejected: usize) -> TokenizedPair {
    let mut ids =
        |count: usize| -> Vec<u32> { (0..count).map(|_| rng.random_range(3..64)).collect() };
    let (mut prompt, chosen, rejected) = (ids(prompt), ids(chosen), ids(rejected));
    let soft_at = usize::from(chosen.len() % 2 == 0);
    if soft_at == 1 {
        prompt[0] = 1;
    }
    TokenizedPair {
        prompt: TokenizedPrompt {
            ids: prompt,
            soft_at,
            cut: false,
            user_text_cut: false,
        },
        chosen,
        rejected,
        response_cut: false,
    }
}

/// Comparisons of random tokens and lengths; the shortest response is one token.
pub fn pairs(seed: u64, count: usize) -> Vec<TokenizedPair> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let lengths: [usize; 3] = [
                rng.random_range(1..10),
                rng.random_range(1..9),
                rng.random_range(1..12),
            ];
            pair(&mut rng, lengths[0], lengths[1], lengths[2])
        })
        .collect()
}

/// Three users, `a`, `b` and `c`.
pub const USERS: [&str; 3] = ["a", "b", "c"];

/// A user model with random shared tensors, and the table of [`USERS`]; `rows` says where their rows start.
pub fn users(
    kind: UserModelKind,
    user_tokens: usize,
    d_model: usize,
    rows: RowInit,
) -> (UserModel, UserTable) {
    users_on(&device(), kind, user_tokens, d_model, rows)
}

/// The same on a given device.
pub fn users_on(
    device: &Device,
    kind: UserModelKind,
    user_tokens: usize,
    d_model: usize,
    rows: RowInit,
) -> (UserModel, UserTable) {
    let config = UserModelConfig::new(kind, user_tokens, d_model)
        .with_shared_init(Init::Uniform { range: 0.5 })
        .with_row_init(rows)
        .with_seed(17);
    let model = config.init(None, device).expect("a good configuration");
    let mut table = UserTable::new(config).expect("a good configuration");
    for user in USERS {
        table.add(user);
    }
    (model, table)
}

/// Examples with the reference log-probs of `base`; users take turns.
pub fn examples(base: &Model, pairs: &[TokenizedPair], known_users: bool) -> Vec<Example> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let reference = Reference::open(dir.path(), base, "base", 4).expect("a writable folder");
    let examples = with_mismatched(&unreferenced(pairs, known_users));
    let others: Vec<Example> = examples.iter().filter_map(Example::mismatched).collect();
    for examples in [&examples, &others] {
        let each: Vec<&Example> = examples.iter().collect();
        reference.fill(&each, &Quiet).expect("log-probs");
        reference.fill_shared(&each, &Quiet).expect("log-probs");
    }
    examples
}

/// The same, each with the response of the next one behind its prompt.
pub fn with_mismatched(examples: &[Example]) -> Vec<Example> {
    let with_other = |(at, example): (usize, &Example)| {
        let next = examples[(at + 1) % examples.len()].pair();
        let mismatched = TokenizedPair {
            chosen: next.chosen.clone(),
            rejected: Vec::new(),
            ..example.pair().clone()
        };
        let mismatched = Arc::new(Item::new(mismatched, example.item.user.clone()));
        changed(example, |item| item.mismatched = Some(mismatched))
    };
    examples.iter().enumerate().map(with_other).collect()
}

/// The same before anybody needed the reference.
pub fn unreferenced(pairs: &[TokenizedPair], known_users: bool) -> Vec<Example> {
    let example = |(i, pair): (usize, &TokenizedPair)| {
        let user = USERS[i % USERS.len()];
        Example {
            item: Arc::new(Item::new(pair.clone(), Some(user.into()))),
            user: match known_users {
                true => UserRef::id(user),
                false => UserRef::Generic,
            },
            drawn: None,
        }
    };
    pairs.iter().enumerate().map(example).collect()
}

/// The same example with something changed.
pub fn changed(example: &Example, change: impl FnOnce(&mut Item)) -> Example {
    let mut item = Item::clone(&example.item);
    change(&mut item);
    Example {
        item: Arc::new(item),
        ..example.clone()
    }
}

/// A learner with the given rows per micro-batch.
pub fn learner(
    model: Model,
    users: Option<(UserModel, UserTable)>,
    objective: &ObjectiveConfig,
    micro_rows: usize,
) -> Learner<Preference> {
    replicated(model, users, objective, micro_rows, 0)
}

/// The same with a number of micro-batches at a time.
pub fn replicated(
    model: Model,
    users: Option<(UserModel, UserTable)>,
    objective: &ObjectiveConfig,
    micro_rows: usize,
    replicas: usize,
) -> Learner<Preference> {
    let training = TrainingSection {
        micro_rows,
        replicas,
        ..Default::default()
    };
    learner_with(model, users, objective, &training)
}

/// A learner with given settings.
pub fn learner_with(
    model: Model,
    users: Option<(UserModel, UserTable)>,
    objective: &ObjectiveConfig,
    training: &TrainingSection,
) -> Learner<Preference> {
    let (users, table) = users.unzip();
    let task = preference(objective, users.is_some());
    Learner::new(task, Policy::new(model, users), table, training).expect("good settings")
}

/// An objective whose examples have their reference log-probs already.
pub fn preference(objective: &ObjectiveConfig, has_users: bool) -> Preference {
    Preference::from_config(objective, has_users, None).expect("good settings")
}

/// The numbers of a tensor.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("f32")
}

/// The largest difference between two lists of numbers.
pub fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .fold(0.0, |most, (a, b)| most.max((a - b).abs()))
}

/// Every gradient of a batch by name, parameters and users' rows.
pub fn gradients<T: Task>(learner: &Learner<T>, batch: &[Example]) -> BTreeMap<String, Vec<f32>> {
    struct Named<'a> {
        gradients: &'a burn::optim::GradientsParams,
        found: BTreeMap<String, Vec<f32>>,
        trainable: usize,
    }
    impl ModuleVisitor for Named<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.trainable += usize::from(param.val().is_require_grad());
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                self.found.insert(param.id.to_string(), values(gradient));
            }
        }
    }
    let (batch, _) = learner.gradients(batch).expect("known users");
    let mut named = Named {
        gradients: &batch.module,
        found: BTreeMap::new(),
        trainable: 0,
    };
    learner.policy.visit(&mut named);
    assert_eq!(
        named.found.len(),
        named.trainable,
        "every trainable parameter has a gradient"
    );
    let rows = batch.rows.iter();
    named
        .found
        .extend(rows.map(|(user, row)| (user.to_string(), row.to_vec())));
    named.found
}

/// The largest difference between two sets of gradients, relative to the largest entry of each tensor.
pub fn difference(a: &BTreeMap<String, Vec<f32>>, b: &BTreeMap<String, Vec<f32>>) -> f32 {
    assert!(a.keys().eq(b.keys()), "{:?} and {:?}", a.keys(), b.keys());
    a.iter().fold(0.0, |most, (name, a)| {
        let largest = a.iter().fold(0f32, |m, v| m.max(v.abs()));
        assert!(largest > 0.0, "{name} has a gradient");
        most.max(largest_difference(a, &b[name]) / largest)
    })
}

/// The same module without gradients.
pub fn frozen(policy: &Policy) -> Policy {
    policy.valid()
}
