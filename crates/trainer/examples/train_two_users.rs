//! Two users who want opposite things, a tiny model with random weights, and a training loop one can read at a glance.
//!
//! `cargo run --release -p trainer --example train_two_users`
#![allow(clippy::print_stdout)]

use std::error::Error;

use trainer::burn::tensor::Device;
use trainer::config::{TrainingSection, UsersSection};
use trainer::dataset::Dataset;
use trainer::learner::Learner;
use trainer::llm_backbone::config::{ModelConfig, Sizes};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::llm_backbone::{LoraConfig, Model};
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::pref_data::{Comparison, Prompt, UserId};
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::schedule::Schedule;
use trainer::task::Preference;
use trainer::tokenise::{Formatter, PromptConfig};
use trainer::{eval, order};

const SHORT: &str = "yes";
const LONG: &str = "yes, and let me tell you at length why I think so";

fn main() -> Result<(), Box<dyn Error>> {
    let tokenizer = Tokenizer::train_bpe([LONG].into_iter(), 320, &["<s>", "</s>"])?;
    let tokenizer = tokenizer.with_bos("<s>")?.with_eos("</s>")?;
    let device = Device::flex().autodiff();
    let model = Model::random(&tiny(tokenizer.vocab_size()), 0, &device)?.frozen();

    // Tom prefers short answers, Lena long ones.
    let questions = ["Is it late?", "Shall we go?", "Do you agree?", "Is it far?"];
    let comparisons: Vec<Comparison> = questions
        .into_iter()
        .flat_map(|q| {
            [
                comparison("tom", q, SHORT, LONG),
                comparison("lena", q, LONG, SHORT),
            ]
        })
        .collect();
    let users = UsersSection {
        user_tokens: 4,
        ..Default::default()
    };
    let formatter = Formatter::new(tokenizer, PromptConfig::default(), users.user_tokens)?;
    let dataset = Dataset::new(&comparisons, &formatter)?;

    let lora = LoraConfig::default();
    let (policy, table) = dataset.start_policy(model.clone(), &lora, Some(&users), 0)?;
    let examples = dataset.examples(table.as_ref());
    let dir = tempfile::tempdir()?;
    let reference = Reference::open(dir.path(), &model, "random", 8)?;
    let task = Preference::from_config(&ObjectiveConfig::default(), true, Some(reference))?;

    let (batch, steps) = (4, 40);
    let training = TrainingSection {
        learning_rate: 2e-3,
        users_learning_rate: 2e-2,
        warmup_steps: 4,
        ..Default::default()
    };
    let mut learner = Learner::new(task, policy, table, &training)?;
    let mut schedule = Schedule::new(&training, steps, 0)?;
    let lengths: Vec<usize> = examples.iter().map(|e| e.pair().row_length(0)).collect();
    let batches = (0..).flat_map(|epoch| order::epoch(&lengths, batch, 0, epoch));
    for (step, indices) in batches.take(steps).enumerate() {
        let rows: Vec<_> = indices.iter().map(|&i| &examples[i]).collect();
        let report = learner.step(&rows, &schedule.next())?;
        if step % 10 == 0 {
            println!("step {step}: loss {:.3}", report.loss);
        }
    }

    let (policy, table) = (&learner.policy, learner.table.as_ref());
    let scored = eval::evaluate(&learner.task, policy, table, &examples, 8, &Quiet)?;
    for user in ["tom", "lena"] {
        let own = examples
            .iter()
            .zip(&scored)
            .filter(|(e, _)| e.item.user.as_deref() == Some(user));
        let correct = own.filter(|(_, s)| s.correct()).count();
        println!(
            "{user}: {correct} of {} comparisons ranked as {user} does",
            questions.len()
        );
    }
    Ok(())
}

fn comparison(user: &str, question: &str, chosen: &str, rejected: &str) -> Comparison {
    Comparison {
        user: Some(UserId::new(user)),
        user_text: None,
        prompt: Prompt::Text(format!("Question: {question} Answer: ")),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: question.into(),
        group: None,
    }
}

fn tiny(vocab_size: usize) -> ModelConfig {
    ModelConfig::from_scratch(
        Sizes {
            vocab_size,
            hidden_size: 64,
            num_layers: 2,
            num_heads: 4,
            num_kv_heads: 2,
            head_dim: 16,
            max_positions: 128,
            ties_embeddings: true,
            bos_token_id: Some(0),
            eos_token_ids: vec![1],
        },
        128,
    )
}
