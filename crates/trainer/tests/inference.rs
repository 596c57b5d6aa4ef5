//! The engine: it opens what training left, and what it says of one sequence depends on no other.

mod support;

use std::fs;
use std::path::PathBuf;

use burn::tensor::Device;
use llm_backbone::generate::{GenerateError, Room};
use llm_backbone::sampling::SamplingConfig;
use pref_data::{Comparison, Prompt, UserId};
use support::words::tokenizer_files;
use support::{
    FAMILIES, INDIVIDUAL, USERS, lora, model_fixture, open, prefix_of, users, with_random_adapters,
};
use tempfile::TempDir;
use trainer::config::{Config, Head};
use trainer::dataset::Dataset;
use trainer::fit::ENOUGH;
use trainer::head::RewardHead;
use trainer::inference::{Engine, Finished, Job, Opened, Response, Trained};
use trainer::policy::Policy;
use trainer::progress::Quiet;
use trainer::task::Ranking;
use trainer::{TrainError, adapters};
use user_model::{Belief, RowInit, UserModelKind, UserRef, UserTable};

/// A run's folder, and a base model in a Hugging Face folder.
struct Left {
    folder: TempDir,
}

impl Left {
    /// Random adapters, and users where asked for, as training would leave them.
    fn of(family: &str, with_users: bool) -> Self {
        Self::with(family, with_users.then_some(INDIVIDUAL))
    }

    fn with(family: &str, kind: Option<UserModelKind>) -> Self {
        Self::of_head(family, kind, None)
    }

    /// The same of a reward model where there is a head.
    fn of_head(family: &str, kind: Option<UserModelKind>, head: Option<Head>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let left = Self { folder };
        let (base, run) = (left.base(), left.run());
        fs::create_dir_all(&base).expect("a folder");
        for file in ["config.json", "model.safetensors"] {
            fs::copy(model_fixture(family).join(file), base.join(file)).expect("a fixture");
        }
        let [tokenizer, settings] = tokenizer_files();
        fs::write(base.join("tokenizer.json"), tokenizer).expect("a file");
        fs::write(base.join("tokenizer_config.json"), settings).expect("a file");
        let model = with_random_adapters(open(family), 3);
        let rows = RowInit::Uniform { range: 0.5 };
        let (d_model, device) = (model.d_model(), model.device());
        let tokens = if head == Some(Head::User) { 1 } else { 3 };
        let users = kind.map(|kind| users(kind, tokens, d_model, rows));
        let (users, table) = users.unzip();
        let weights = || (0..d_model).map(|i| 0.3 * (3.0 * i as f32).sin()).collect();
        let policy = Policy {
            head: head.map(|head| match head {
                Head::Scalar => RewardHead::of(weights(), &device),
                Head::User => RewardHead::new(head, d_model, &device),
            }),
            ..Policy::new(model, users)
        };
        adapters::save(
            &run.join("adapters"),
            &policy,
            table.as_ref(),
            &lora(),
            &base.display().to_string().as_str().into(),
        )
        .expect("files");
        let config = "[prompt]\nmax_prompt_length = 30\nmax_response_length = 16\n";
        fs::write(run.join("config.toml"), config).expect("a file");
        left
    }

    fn base(&self) -> PathBuf {
        self.folder.path().join("base")
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn opened(&self) -> Opened {
        let trained = Trained::run(&self.run()).expect("a run");
        trained
            .open(&self.base(), &Device::flex())
            .expect("a policy")
    }
}

fn sampling(seed: u64) -> SamplingConfig {
    SamplingConfig {
        temperature: 1.3,
        top_p: 0.95,
        max_new_tokens: 20,
        seed,
        ..SamplingConfig::default()
    }
}

const PROMPTS: [&str; 5] = [
    "w9 w8 w7 w6 w5 w4 w33",
    "w60",
    "w11 w12",
    "w20 w21 w22 w23",
    "w5 w4 w3",
];

fn user(engine: &Engine, i: usize) -> UserRef {
    match engine.table().is_some() && i < USERS.len() {
        true => UserRef::id(USERS[i]),
        false => UserRef::Generic,
    }
}

/// Prompts of several lengths, each for another user and with a seed of its own.
fn jobs(engine: &Engine) -> Vec<Job> {
    let job = |(i, prompt): (usize, &&str)| Job {
        log_probs: true,
        ..Job::new(
            Prompt::Text((*prompt).into()),
            user(engine, i),
            sampling(i as u64),
        )
    };
    PROMPTS.iter().enumerate().map(job).collect()
}

/// The responses to all jobs, each admitted before the step of that number.
fn admitted(engine: &Engine, jobs: &[Job], at: [usize; 5]) -> Vec<Response> {
    let mut writing = engine.writing(Room {
        sequences: 5,
        tokens: 40,
    });
    let mut places = Vec::new();
    let mut responses = vec![None; jobs.len()];
    for step in 0.. {
        for (i, job) in jobs.iter().enumerate().filter(|(i, _)| at[*i] == step) {
            places.push((
                writing
                    .admit(engine.read(job).expect("a job"))
                    .expect("room"),
                i,
            ));
        }
        writing.step();
        for Finished { id, response } in writing.take_finished() {
            let (_, i) = places
                .iter()
                .find(|(place, _)| *place == id)
                .expect("a job");
            responses[*i] = Some(response.expect("a response"));
        }
        if responses.iter().all(Option::is_some) {
            break;
        }
    }
    responses.into_iter().flatten().collect()
}

#[test]
fn jobs_admitted_in_any_order_at_any_time_give_the_same_text_and_log_probs() {
    for family in FAMILIES {
        for kind in [None, Some(INDIVIDUAL), Some(prefix_of(&open(family)))] {
            let left = Left::with(family, kind);
            let engine = left.opened().engine;
            let jobs = jobs(&engine);
            let alone: Vec<Response> = jobs
                .iter()
                .map(|job| engine.stream(job, |_| {}).expect("a response"))
                .collect();
            assert!(alone.iter().any(|response| response.tokens.len() > 10));
            let together = engine.respond(&jobs, 2, &Quiet).expect("responses");
            let schedules = [[0; 5], [4, 0, 9, 2, 2], [30, 20, 10, 5, 0]];
            let found = schedules.map(|at| admitted(&engine, &jobs, at));
            for found in found.iter().chain([&together]) {
                for (found, alone) in found.iter().zip(&alone) {
                    assert_eq!(found.tokens, alone.tokens, "{family}");
                    assert_eq!((&found.text, &found.end), (&alone.text, &alone.end));
                    assert_eq!(found.log_probs.len(), found.tokens.len());
                    let apart = support::largest_difference(&found.log_probs, &alone.log_probs);
                    assert!(apart <= 1e-4, "{family}: {apart}");
                }
            }
        }
    }
}

#[test]
fn every_job_has_a_user_settings_and_a_seed_of_its_own() {
    let left = Left::of("llama_tied", true);
    let engine = left.opened().engine;
    let job = |user, sampling| Job::new(Prompt::Text(PROMPTS[0].into()), user, sampling);
    let [a, b] = ["a", "b"].map(UserRef::id);
    let greedy = SamplingConfig {
        greedy: true,
        max_new_tokens: 3,
        ..SamplingConfig::default()
    };
    let jobs = [
        job(a.clone(), sampling(0)),
        job(b, sampling(0)),
        job(a.clone(), sampling(1)),
        job(a.clone(), greedy),
        job(a, sampling(0)),
    ];
    let found = engine.respond(&jobs, 4, &Quiet).expect("responses");
    let text = |i: usize| found[i].text.as_str();
    assert_eq!(text(0), text(4));
    assert!(text(0) != text(1) && text(0) != text(2) && text(1) != text(2));
    assert!(found[3].tokens.len() <= 3);
    assert!(found[0].log_probs.is_empty());
}

#[test]
fn pieces_make_the_text() {
    let left = Left::of("llama", true);
    let engine = left.opened().engine;
    let job = &jobs(&engine)[0];
    let mut pieces = Vec::new();
    let response = engine
        .stream(job, |piece| pieces.push(piece.to_string()))
        .expect("a response");
    assert_eq!(pieces.concat(), response.text);
    // One word at a time; a special token gives none.
    assert_eq!(response.text.split(' ').count(), pieces.len());
    assert!(pieces.len() > 10);
}

#[test]
fn a_full_batch_refuses_and_takes_the_job_when_a_place_is_free() {
    let left = Left::of("gptj", false);
    let engine = left.opened().engine;
    let jobs = jobs(&engine);
    let room = Room {
        sequences: 1,
        tokens: 26,
    };
    let mut writing = engine.writing(room);
    let read = |i: usize| engine.read(&jobs[i]).expect("a job");
    // BOS, seven words and 20 new tokens.
    let refused = writing.admit(read(0)).unwrap_err();
    let too_long = GenerateError::TooLong {
        found: 28,
        room: 26,
    };
    assert_eq!(refused.to_string(), too_long.to_string());
    let first = writing.admit(read(1)).expect("room");
    let refused = writing.admit(read(2)).unwrap_err();
    assert!(
        matches!(
            refused,
            TrainError::Generate(GenerateError::Full { room: 1 })
        ),
        "{refused}"
    );
    writing.step();
    assert!(writing.remove(first) && !writing.remove(first));
    assert_eq!(writing.free(), 1);
    writing.admit(read(2)).expect("room");
    while writing.take_finished().is_empty() {
        writing.step();
    }
    assert!(writing.is_empty());
}

/// Comparisons of known users, of one whom nobody knows, and of nobody.
fn comparisons() -> Vec<Comparison> {
    let comparison = |(i, user): (usize, Option<&str>)| Comparison {
        user: user.map(UserId::new),
        prompt: Prompt::Text(PROMPTS[i].into()),
        chosen: format!("w{} w7", 10 + i),
        rejected: "w50 w51 w52".into(),
        user_text: None,
        source: i.to_string(),
        template: Default::default(),
        place: Default::default(),
        group: None,
        thumb: None,
    };
    let users = [Some("a"), Some("b"), Some("stranger"), None, Some("c")];
    users.into_iter().enumerate().map(comparison).collect()
}

#[test]
fn what_was_saved_scores_as_it_did_in_memory() {
    let left = Left::of("llama", true);
    let opened = left.opened();
    let (dir, comparisons) = (left.run().join("reference"), comparisons());
    let task = opened.preference(&dir).expect("an objective");
    let score = |engine: &Engine| {
        let dataset = engine.dataset(&comparisons).expect("comparisons");
        let examples = dataset.examples(engine.table());
        engine.score(&task, &examples, &Quiet).expect("scores")
    };
    let found = score(&opened.engine);
    let model = with_random_adapters(open("llama"), 3);
    let rows = RowInit::Uniform { range: 0.5 };
    let (users, table) = users(INDIVIDUAL, 3, model.d_model(), rows);
    let policy = Policy::new(model, Some(users));
    let formatter = opened.engine.formatter().clone();
    let in_memory = Engine::new(policy, Some(table), formatter).with_micro_rows(1);
    let expected = score(&in_memory);
    assert_eq!(found.len(), 5);
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found.reward_chosen - expected.reward_chosen).abs() < 1e-5);
        assert!((found.reward_rejected - expected.reward_rejected).abs() < 1e-5);
    }
    // Two comparisons that differ in their users only, of whom one is not known: the generic user's.
    assert_ne!(found[0].reward_chosen, found[2].reward_chosen);
}

/// What the engine makes of comparisons where every user's row is `row`.
fn margins_at<T: Ranking>(opened: &Opened, row: &[f32], task: &T, items: &Dataset) -> Vec<f64> {
    let mut table =
        UserTable::new(opened.engine.table().expect("users").config().clone()).expect("a table");
    table
        .set_row(&UserRef::id("x"), row.to_vec())
        .expect("a row");
    let mut examples = items.examples(None);
    examples
        .iter_mut()
        .for_each(|example| example.user = UserRef::id("x"));
    let scored = trainer::eval::evaluate(
        task,
        opened.engine.policy(),
        Some(&table),
        &examples,
        3,
        &Quiet,
    );
    let scored = scored.expect("scores").into_iter();
    scored
        .map(|row| f64::from(row.reward_chosen - row.reward_rejected))
        .collect()
}

#[test]
fn a_user_is_fitted_where_their_answer_is_most_probable() {
    for kind in [
        INDIVIDUAL,
        UserModelKind::Cluster { clusters: 2 },
        prefix_of(&open("llama")),
    ] {
        let left = Left::with("llama", Some(kind));
        let opened = left.opened();
        let task = opened.preference(left.folder.path()).expect("a task");
        assert_fitted(&opened, &task, kind, &comparisons()[0]);
    }
}

/// A comparison that the generic user would not have said, of a reward model.
fn answer_of_another<T: Ranking>(opened: &Opened, task: &T) -> Comparison {
    let mut answer = comparisons().remove(0);
    let items = opened.engine.dataset(std::slice::from_ref(&answer));
    let generic = vec![0.0; opened.engine.table().expect("users").config().row_len()];
    if margins_at(opened, &generic, task, &items.expect("tokens"))[0] > 0.0 {
        std::mem::swap(&mut answer.chosen, &mut answer.rejected);
    }
    answer
}

#[test]
fn a_user_of_a_reward_model_is_fitted_where_their_answer_is_most_probable() {
    let cluster = UserModelKind::Cluster { clusters: 2 };
    for (head, kind) in [(Head::Scalar, INDIVIDUAL), (Head::User, cluster)] {
        let left = Left::of_head("llama", Some(kind), Some(head));
        let opened = left.opened();
        let task = opened.reward().expect("good settings").expect("a head");
        let answer = answer_of_another(&opened, &task);
        assert_fitted(&opened, &task, kind, &answer);
    }
}

#[test]
fn a_user_whose_vector_is_the_head_is_fitted_though_states_are_computed_once() {
    let left = Left::of_head("llama", Some(INDIVIDUAL), Some(Head::User));
    let opened = left.opened();
    let engine = &opened.engine;
    let task = opened.reward().expect("good settings").expect("a head");
    let answer = answer_of_another(&opened, &task);
    let items = engine.dataset(&[answer]).expect("tokens");
    let answers = [&items.examples(None)[..]; 20].concat();
    let width = engine.table().expect("users").config().row_len();
    let row = |phase: f32| -> Vec<f32> { (0..width).map(|i| (i as f32 + phase).sin()).collect() };
    let belief = Belief::of_rows(&[row(0.0), row(1.0)], Some(vec![0.0; width]));
    let belief = belief.expect("two directions");
    let fitted = engine
        .fit(&task, &answers, &belief, None, &Quiet)
        .expect("a fit");
    assert!(fitted.fit.rounds > 1);
    assert!(fitted.fit.log_likelihood() > fitted.generic_log_likelihood);
    // Answers lie in chunks, of which each has its own states.
    let said = margins_at(&opened, &fitted.row().0, &task, &items)[0];
    for margin in &fitted.fit.margins {
        assert!((said - margin).abs() < 1e-4, "{said} {margin}");
    }
}

#[test]
fn a_reward_model_writes_nothing_and_has_no_reference() {
    let left = Left::of_head("llama", Some(INDIVIDUAL), Some(Head::User));
    let opened = left.opened();
    let job = Job::new("w5".into(), UserRef::Generic, sampling(0));
    let wrote = opened.engine.respond(&[job], 1, &Quiet);
    assert!(matches!(wrote, Err(TrainError::NoWriter)));
    let task = opened.preference(left.folder.path());
    assert!(matches!(task, Err(TrainError::NoWriter)));
    let writer = Left::of("llama", true).opened();
    assert!(writer.reward().expect("good settings").is_none());
}

fn assert_fitted<T: Ranking>(opened: &Opened, task: &T, kind: UserModelKind, answer: &Comparison) {
    const TIMES: usize = 8;
    let engine = &opened.engine;
    let items = engine.dataset(std::slice::from_ref(answer));
    let items = items.expect("tokens");
    let config = engine.table().expect("users").config();
    // A belief that knows one direction.
    let scale = if config.kind == INDIVIDUAL { 0.5 } else { 3.0 };
    let direction = (0..config.row_len()).map(|i| scale * (2.0 * i as f32).cos());
    let direction: Vec<f32> = direction.collect();
    let zero = vec![0.0; config.row_len()];
    let belief = Belief::of_rows(std::slice::from_ref(&direction), Some(zero));
    let belief = belief.expect("a direction");
    // Said so often that it weighs more than the prior.
    let answers = [&items.examples(None)[..]; TIMES].concat();
    let fitted = engine
        .fit(task, &answers, &belief, None, &Quiet)
        .expect("a fit");
    let squared: f64 = direction.iter().map(|&x| f64::from(x).powi(2)).sum();
    let along = fitted.fit.belief.mean().iter().zip(&direction);
    let share = along
        .map(|(&x, &d)| f64::from(x) * f64::from(d))
        .sum::<f64>()
        / squared;
    let likely = |share: f64| -> f64 {
        let row: Vec<f32> = direction.iter().map(|x| x * share as f32).collect();
        let margin = margins_at(opened, &row, task, &items)[0];
        -(TIMES as f64) * (1.0 + (-margin).exp()).ln()
    };
    // Like the generic user, or like the one trained user, whoever makes the answers more probable.
    let middle = if likely(1.0) > likely(0.0) { 1.0 } else { 0.0 };
    // The log-posterior along the direction, by trying. It has several tops; the fit is on one, and no lower than where it begins.
    let log_posterior = |share: f64| likely(share) - (share - middle).powi(2) / 2.0;
    let (begun, found) = (log_posterior(middle), log_posterior(share));
    assert!(found > begun - 0.01, "{kind:?}: {begun}, {found}");
    // A fit ends where a round gains next to nothing.
    for beside in [share - 0.1, share + 0.1].map(log_posterior) {
        assert!(
            beside < found + ENOUGH,
            "{kind:?}: {share}, {found}, {beside}"
        );
    }
    // What it says of the answer is what the engine says with that row.
    let (row, _) = fitted.row();
    let said = margins_at(opened, &row, task, &items)[0];
    assert!((said - fitted.fit.margins[0]).abs() < 1e-4, "{said}");
    let again = engine
        .fit(task, &answers, &belief, None, &Quiet)
        .expect("a fit");
    assert_eq!(again.fit, fitted.fit);
}

#[test]
fn the_spread_of_a_margin_is_that_of_its_gradient_by_differences() {
    let left = Left::with("llama", Some(INDIVIDUAL));
    let opened = left.opened();
    let task = opened.preference(left.folder.path()).expect("a task");
    let items = opened.engine.dataset(&comparisons()[..1]).expect("tokens");
    let width = opened.engine.table().expect("users").config().row_len();
    let direction: Vec<f32> = (0..width).map(|i| 0.2 * (2.0 * i as f32).cos()).collect();
    let belief = Belief::of_rows(std::slice::from_ref(&direction), Some(vec![0.0; width]));
    let belief = belief.expect("a direction");
    let examples = items.examples(None);
    let found = opened
        .engine
        .margin_variances(&task, &examples, &belief, &Quiet)
        .expect("variances");
    let step = 0.005;
    let slope = |at: usize| {
        let [above, below] = [step, -step].map(|step| {
            let mut row = vec![0.0; width];
            row[at] = step;
            margins_at(&opened, &row, &task, &items)[0]
        });
        (above - below) / (2.0 * f64::from(step))
    };
    let gradient: Vec<f64> = (0..width).map(slope).collect();
    // A hundredth of the direction's square is everywhere alike.
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let length = square(&mut direction.iter().map(|&x| x.into()));
    let rest = 0.01 * length / width as f64 * square(&mut gradient.iter().copied());
    let along = gradient.iter().zip(&direction);
    let along: f64 = along.map(|(g, &d)| g * f64::from(d)).sum();
    let expected = rest + along * along;
    assert!(
        (found[0] / expected - 1.0).abs() < 0.02,
        "{found:?} {expected}"
    );
}

#[test]
fn a_fit_is_refused_where_there_is_nothing_to_fit() {
    let belief = Belief::of_rows(&[vec![1.0]], Some(vec![0.0])).expect("a direction");
    for (kind, answers, problem) in [
        (None, 1, "these adapters know no users"),
        (Some(INDIVIDUAL), 0, "no comparison left to fit a user to"),
    ] {
        let left = Left::with("llama", kind);
        let opened = left.opened();
        let task = opened.preference(left.folder.path()).expect("a task");
        let items = opened.engine.dataset(&comparisons()[..1]).expect("tokens");
        let answers = &items.examples(None)[..answers];
        let error = opened
            .engine
            .fit(&task, answers, &belief, None, &Quiet)
            .expect_err("a refusal");
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let left = Left::of("llama", false);
    let opened = left.opened();
    let error = opened.engine.user("anna").unwrap_err().to_string();
    assert_eq!(error, "unknown user `anna`: these adapters know no users");
    let inside = Trained::adapters(&left.run(), Config::default()).expect("those of the run");
    assert_eq!(inside.dir(), left.run().join("adapters"));
    let error = Trained::adapters(&left.base(), Config::default()).unwrap_err();
    assert!(
        error.to_string().ends_with("its tensors; this is a model"),
        "{error}"
    );
    let trained = Trained::run(&left.run()).expect("a run");
    assert_eq!(
        trained.base().expect("a name"),
        left.base().display().to_string()
    );
    let error = trained
        .open(&left.run().join("nowhere"), &Device::flex())
        .unwrap_err();
    assert!(
        error.to_string().contains("no such file or directory"),
        "{error}"
    );
    let long = Job::new(
        Prompt::Text("w3".into()),
        UserRef::Generic,
        SamplingConfig {
            max_new_tokens: 256,
            ..sampling(0)
        },
    );
    let error = opened.engine.read(&long).unwrap_err().to_string();
    let expected = "config key `sampling.max_new_tokens` is 256, expected less than the model's context of 256 tokens";
    assert_eq!(error, expected);
}
