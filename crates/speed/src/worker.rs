//! Our side: makes one [`Workload`] ready, then does a round of it for every line of input.

use std::io::{BufRead, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use terminal::{Phase, Profile, phases};
use trainer::burn::module::Module;
use trainer::burn::tensor::Device;
use trainer::config::{Dtype, TrainingSection, UsersSection};
use trainer::dataset::Dataset;
use trainer::example::Example;
use trainer::learner::Learner;
use trainer::llm_backbone::generate::Request;
use trainer::llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use trainer::llm_backbone::{LoraConfig, Model, Targets};
use trainer::pdpo_loss::ObjectiveConfig;
use trainer::profile::roofline;
use trainer::progress::Quiet;
use trainer::reference::Reference;
use trainer::schedule::Schedule;
use trainer::task::Preference;
use trainer::{TrainError, memory, source};

use crate::inputs::{STORED, read_rows};
use crate::{DECODE_BATCHES, DECODE_NEW, Workload, comparisons};

/// How much training a round is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Optimiser steps.
    pub steps: usize,
    /// Comparisons per step.
    pub batch: usize,
}

/// Serves rounds of work on the files in `folder` until the end of `input`; what `profile` heard of a round's training is told with it.
///
/// # Errors
/// Files that [`crate::inputs::write`] did not write, or a broken stream.
pub fn run(
    workload: Workload,
    (folder, profile): (&Path, &Profile),
    size: Size,
    input: impl BufRead,
    out: impl Write,
) -> Result<(), TrainError> {
    match workload {
        Workload::Vanilla => serve(training((folder, profile), size, None)?, input, out),
        Workload::Pdpo => {
            let users = UsersSection::default();
            serve(training((folder, profile), size, Some(users))?, input, out)
        }
        Workload::Decode => serve(decoding(folder)?, input, out),
        Workload::LlamaCpp => serve(stored_decoding(folder)?, input, out),
        Workload::Matmul => {
            let device = Device::flex();
            let work = || Ok(json!({"flops": roofline::measure(&device)}));
            serve(work, input, out)
        }
    }
}

fn serve(
    mut work: impl FnMut() -> Result<Value, TrainError>,
    input: impl BufRead,
    mut out: impl Write,
) -> Result<(), TrainError> {
    let failed = |stream| move |source| TrainError::Stream { stream, source };
    let mut say = |value: &Value| {
        let written = writeln!(out, "{value}").and_then(|()| out.flush());
        written.map_err(failed("output"))
    };
    say(&json!({"ready": true, "version": env!("CARGO_PKG_VERSION")}))?;
    memory::reset_peak();
    for line in input.lines() {
        line.map_err(failed("input"))?;
        let mut figures = work()?;
        figures["peak_bytes"] = json!(memory::peak_bytes());
        say(&figures)?;
    }
    Ok(())
}

/// Training steps, as `prlhf train` does them, reference log-probs precomputed; the first is done, as a warm-up.
fn training(
    (folder, profile): (&Path, &Profile),
    size: Size,
    users: Option<UsersSection>,
) -> Result<impl FnMut() -> Result<Value, TrainError>, TrainError> {
    let rows = read_rows(&folder.join("comparisons.jsonl"))?;
    let items = rows.into_iter().map(|row| {
        let ids = [row.prompt_ids, row.chosen_ids, row.rejected_ids];
        Arc::new(comparisons::item(ids, row.user))
    });
    let items = items.collect();
    let dataset = Dataset {
        items,
        ..Dataset::default()
    };
    let base = open(folder, &Device::flex().autodiff())?;
    let lora = LoraConfig {
        targets: Targets::Names(["q_proj", "k_proj", "v_proj"].map(String::from).to_vec()),
        ..LoraConfig::default()
    };
    let (policy, table) = dataset.start_policy(base.clone(), &lora, users.as_ref(), 0)?;
    let training = TrainingSection {
        batch: size.batch,
        micro_rows: size.batch, // As many rows at a time with users as without.
        warmup_steps: 0,
        ..TrainingSection::default()
    };
    let (at, rows) = (folder.join("reference"), training.micro_rows);
    let reference = Reference::open(&at, &base, "speed", rows)?;
    let examples = dataset.examples(table.as_ref());
    reference.fill(&examples.iter().collect::<Vec<_>>(), &Quiet)?;
    let config = ObjectiveConfig::default();
    let task = Preference::from_config(&config, users.is_some(), Some(reference))?;
    let mut learner = Learner::new(task, policy, table, &training)?;
    let rates = Schedule::new(&training, 1_000_000, 0)?.next();
    let batches: Vec<Vec<Example>> = examples.chunks(size.batch).map(<[_]>::to_vec).collect();
    let mut at = batches.into_iter().cycle();
    let mut step = move || match at.next() {
        Some(batch) => learner.step(&batch, &rates).map(|_| batch.len()),
        None => Ok(0),
    };
    step()?;
    let roofline = roofline::measure(&Device::flex());
    Ok(move || {
        profile.take();
        let start = Instant::now();
        let mut comparisons = 0;
        for _ in 0..size.steps {
            comparisons += step()?;
        }
        let seconds = start.elapsed().as_secs_f64();
        Ok(json!({
            "comparisons": comparisons,
            "seconds": seconds,
            "phases": told(&phases(&profile.take())),
            "roofline": roofline,
        }))
    })
}

/// Phases as JSON: seconds by name, and floating-point operations where they are counted.
fn told(phases: &[Phase]) -> Vec<Value> {
    let phases = phases.iter().map(|phase| {
        let flops = phase.rate.map(|rate| rate * phase.seconds);
        json!({"name": phase.name, "seconds": phase.seconds, "flops": flops})
    });
    phases.collect()
}

/// Greedy tokens per second after the prompts, without the time for the prompts themselves.
fn decoding(folder: &Path) -> Result<impl FnMut() -> Result<Value, TrainError>, TrainError> {
    let prompts = prompts(folder)?;
    let dense = open(folder, &Device::flex())?.valid();
    let stored = match folder.join(STORED).exists() {
        true => Some(open_stored(folder)?),
        false => None,
    };
    let work = move || {
        let mut figures = json!({});
        for batch in DECODE_BATCHES {
            let prompts = &prompts[..batch];
            figures[format!("batch_{batch}")] = json!(rate(&dense, prompts)?);
            let stored = stored.as_ref().map(|stored| rate(stored, prompts));
            figures[format!("stored_{batch}")] = json!(stored.transpose()?);
        }
        Ok(figures)
    };
    work()?; // Warm-up.
    Ok(work)
}

/// The same at batch 1 with the weights as the file has them.
fn stored_decoding(folder: &Path) -> Result<impl FnMut() -> Result<Value, TrainError>, TrainError> {
    let prompts = prompts(folder)?;
    let stored = open_stored(folder)?;
    let work = move || Ok(json!({"batch_1": rate(&stored, &prompts[..1])?}));
    work()?; // Warm-up.
    Ok(work)
}

fn prompts(folder: &Path) -> Result<Vec<Vec<u32>>, TrainError> {
    let path = folder.join("prompts.json");
    let text = std::fs::read_to_string(&path).map_err(|e| TrainError::io(&path, e))?;
    serde_json::from_str(&text).map_err(|e| TrainError::format(&path, e))
}

fn open_stored(folder: &Path) -> Result<Model, TrainError> {
    let file = folder.join(STORED);
    let base = source::open(&file, Dtype::Stored, &Device::flex())?;
    Ok(base.model.frozen().valid())
}

/// New tokens per second, all sequences together.
fn rate(model: &Model, prompts: &[Vec<u32>]) -> Result<f64, TrainError> {
    let (_, all) = decode(model, prompts, DECODE_NEW + 1)?;
    let (_, first) = decode(model, prompts, 1)?;
    let seconds = all.as_secs_f64() - first.as_secs_f64();
    Ok((prompts.len() * DECODE_NEW) as f64 / seconds)
}

/// Greedy continuations of `prompts` by up to `new` tokens each, and the time for prompts and tokens.
///
/// # Errors
/// What generation refuses, such as a prompt beyond the context.
pub fn decode(
    model: &Model,
    prompts: &[Vec<u32>],
    new: usize,
) -> Result<(Vec<Vec<u32>>, Duration), TrainError> {
    let processor = LogitsProcessor::new(SamplingConfig {
        greedy: true,
        max_new_tokens: new,
        ..SamplingConfig::default()
    })?;
    let requests: Vec<Request<'_>> = prompts
        .iter()
        .map(|prompt| Request::new(prompt, &processor))
        .collect();
    let start = Instant::now();
    let outputs = model.generate(&requests, |_, _| {})?;
    Ok((outputs, start.elapsed()))
}

fn open(folder: &Path, device: &Device) -> Result<Model, TrainError> {
    let model = folder.join("model");
    Ok(source::open(&model, Dtype::F32, device)?.model.frozen())
}
