//! Two users who want opposite things, and a tiny model with random weights: from comparisons to a policy for both in one call.
//!
//! `cargo run --release --example train_two_users`
#![allow(clippy::print_stdout)]

use std::error::Error;

use trainer::burn::tensor::Device;
use trainer::config::{Config, TrainingSection, UsersSection};
use trainer::llm_backbone::Model;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::pref_data::{Comparison, UserId};
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::source::BaseModel;
use trainer::task::Preference;
use trainer::train;

const SHORT: &str = "yes";
const LONG: &str = "yes, and let me tell you at length why I think so";

fn main() -> Result<(), Box<dyn Error>> {
    // Tom prefers short answers, Lena long ones.
    let questions = ["Is it late?", "Shall we go?", "Do you agree?", "Is it far?"];
    let of_both = |question| {
        [
            comparison("tom", question, SHORT, LONG),
            comparison("lena", question, LONG, SHORT),
        ]
    };
    let comparisons: Vec<Comparison> = questions.into_iter().flat_map(of_both).collect();

    let mut config = Config {
        users: Some(UsersSection {
            user_tokens: 4,
            ..Default::default()
        }),
        training: TrainingSection {
            batch: 4,
            epochs: 20,
            learning_rate: 2e-3,
            users_learning_rate: 2e-2,
            warmup_steps: 4,
            ..Default::default()
        },
        ..Config::default()
    };
    // Four questions are too few to hold any out.
    config.data.validation_share = 0.0;

    let base = tiny_model()?;
    let model = base.model.clone().frozen();
    let folder = tempfile::tempdir()?;
    let run = folder.path().join("run");
    let (engine, state) = train(&config, base, comparisons.clone(), &run, &mut Quiet)?;
    println!("{} steps", state.step);

    let reference = Reference::open(&run.join("reference"), &model, "tiny", 8)?;
    let task = Preference::from_config(&config.objective, true, Some(reference))?;
    let dataset = engine.dataset(&comparisons)?;
    let rows = engine.score(&task, &dataset.examples(engine.table()), &Quiet)?;
    for user in ["tom", "lena"] {
        let rows = comparisons.iter().zip(&rows);
        let own = rows.filter(|(c, _)| c.user.as_ref().is_some_and(|u| u.as_str() == user));
        let correct = own.filter(|(_, row)| row.correct()).count();
        let all = questions.len();
        println!("{user}: {correct} of {all} comparisons ranked as {user} does");
    }
    Ok(())
}

fn comparison(user: &str, question: &str, chosen: &str, rejected: &str) -> Comparison {
    Comparison {
        user: Some(UserId::new(user)),
        user_text: None,
        prompt: format!("Question: {question} Answer: ").as_str().into(),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: question.into(),
        template: Default::default(),
        place: Default::default(),
        group: None,
        thumb: None,
    }
}

/// A Llama that knows the bytes and a few words.
fn tiny_model() -> Result<BaseModel, Box<dyn Error>> {
    let tokenizer = Tokenizer::train_bpe([LONG].into_iter(), 320, &["<s>", "</s>"])?;
    let tokenizer = tokenizer.with_bos("<s>")?.with_eos("</s>")?;
    let sizes = Sizes {
        vocab_size: tokenizer.vocab_size(),
        hidden_size: 64,
        num_layers: 2,
        num_heads: 4,
        num_kv_heads: 2,
        head_dim: 16,
        max_positions: 1024,
        ties_embeddings: true,
        bos_token_id: Some(0),
        eos_token_ids: vec![1],
    };
    let config = ModelConfig::from_scratch(sizes, 128);
    Ok(BaseModel {
        model: Model::random(&config, 0, &Device::flex().autodiff())?,
        tokenizer,
        source: "tiny".into(),
        lineage: "tiny".into(),
        key: "tiny".into(),
    })
}
