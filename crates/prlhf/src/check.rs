//! `prlhf check`: data against model, before any training.

use std::path::PathBuf;

use clap::Args;
use statistics::Quantiles;
use terminal::{Output, bytes, duration, grouped};
use trainer::TrainError;
use trainer::burn::tensor::Device;
use trainer::config::{Config, Setting, read_toml_with};
use trainer::device;
use trainer::example::Item;
use trainer::llm_backbone::device::is_cpu;
use trainer::pref_data::Audit;
use trainer::training::Training;

use crate::estimate::{self, Estimate, Learnt, Plan};
use crate::judge::{Judge, JudgeArgs, JudgeScorer, validate_section};
use crate::prepare::{cuts, prepare};
use crate::show::show;
use crate::train::{self, Mode};

/// Users with a line of their own.
const SHOWN: usize = 20;

/// Arguments of `prlhf check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The configuration that is to be trained with.
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Sets one key, as in `--set training.learning_rate=1e-4`; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<Setting>,
    /// `flex` (the CPU), `cuda:N`, `wgpu` or `wgpu:N`; of several, with commas between them, the first.
    #[arg(long, default_value = "flex", value_name = "NAME")]
    pub device: String,
    /// Skip the measurement of time and memory.
    #[arg(long)]
    pub no_estimate: bool,
    /// What is to be trained.
    #[arg(long, value_enum, default_value_t = Mode::Pdpo)]
    pub mode: Mode,
    /// Show the first N comparisons as tokens, part by part, so that you see what is trained; in colour on a terminal.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub show: usize,
    /// With --mode online: who compares responses; how much is to be asked is told.
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// Reads model and data as training would, and reports; success means that training can start.
///
/// # Errors
/// Whatever would stop training before its first step.
pub fn run(args: &CheckArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let config: Config = read_toml_with(&args.config, &args.set)?;
    let device = device::for_training(&args.device, &config.training)?.main;
    let plan = Plan::of(args.mode, &config)?;
    let judge = judge_of(args, &config)?;
    let (training, sides, audit) = prepare(&config, &device, None)?;
    plan.validate(&training)?;
    out.line("Data")?;
    for line in audit.to_string().lines() {
        out.line(format_args!("  {line}"))?;
    }
    users(&audit, out)?;
    out.line("\nTokens")?;
    lengths(&training, out)?;
    out.line(format_args!(
        "  {}",
        cuts(training.datasets(), training.formatter.config())
    ))?;
    if args.show > 0 {
        let how = (&training.formatter, plan.tokens());
        show(sides.train.iter(), args.show, how, out)?;
    }
    out.line("\nModel")?;
    model(&config, &training, out)?;
    match plan.learnt()? {
        Some(learnt) => expectations(args, (&plan, learnt), &training, &device, out)?,
        None => out.line(
            "\nEstimate\n  none: the steps are as long as the responses that the policy will write",
        )?,
    }
    let mut untold = None;
    if let Some(judge) = judge {
        let size = config.online.generations();
        let cost = judge.cost(training.scored_groups(&sides)?, size);
        out.line(format_args!("\nJudge\n  {cost}"))?;
        let scorer = JudgeScorer::new(judge, &sides.train, config.users.is_some())?;
        untold = train::untold(&config, &sides, &scorer);
    }
    out.line("")?;
    let unread = train::idle(args.mode, config.online.method, &args.set);
    let warnings = warnings(&plan, &training, &audit);
    for warning in warnings.into_iter().chain(unread).chain(untold) {
        out.line(format_args!("warning: {warning}"))?;
    }
    out.line("trainable: yes")
}

/// The judge of an online run, if one is named.
fn judge_of(args: &CheckArgs, config: &Config) -> Result<Option<Judge>, TrainError> {
    if args.mode != Mode::Online {
        args.judge.validate_absent()?;
        validate_section(config)?;
        return Ok(None);
    }
    let judge = args.judge.judge(config)?;
    judge
        .as_ref()
        .map_or(Ok(()), |judge| judge.words().map(drop))?;
    Ok(judge)
}

/// What training will take: counted, and measured unless that is not wanted.
fn expectations(
    args: &CheckArgs,
    (plan, learnt): (&Plan<'_>, Learnt),
    training: &Training,
    device: &Device,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let config = plan.config;
    let counted = estimate::count((plan, &learnt), training, device)?;
    out.line("\nEstimate, counted from shapes")?;
    let [memory, time] = counted.lines(device, &config.training);
    out.line(format_args!("  memory    {memory}"))?;
    out.line(format_args!("  time      {time}"))?;
    if !args.no_estimate {
        let estimate = estimate::measure((plan, learnt), training, is_cpu(device))?;
        out.line("\nMeasured, on one comparison of median and one of largest length")?;
        let batch = plan.training(training.train.items.len()).batch;
        expect((batch, config.training.micro_rows), &estimate, out)?;
    }
    Ok(())
}

fn users(audit: &Audit, out: &mut Output<'_>) -> Result<(), TrainError> {
    let mut users: Vec<_> = audit.per_user.iter().collect();
    users.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let rows: Vec<Vec<String>> = users
        .iter()
        .take(SHOWN)
        .map(|(id, count)| {
            let id = printable::id(id.as_str());
            vec![format!("  {id}"), count.to_string()]
        })
        .collect();
    out.line("")?;
    out.table(&["  user", "comparisons"], &rows)?;
    match users.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => out.line(format_args!(
            "  and {more} more users with as many or fewer"
        )),
    }
}

/// The length of a part, in tokens.
type Length = fn(&Item) -> usize;

fn lengths(training: &Training, out: &mut Output<'_>) -> Result<(), TrainError> {
    let kinds: [(&str, Length); 4] = [
        ("prompt", |i| i.pair.prompt.ids.len()),
        ("chosen", |i| i.pair.chosen.len()),
        ("rejected", |i| i.pair.rejected.len()),
        ("row", |i| i.pair.row_length(0)),
    ];
    let rows: Vec<Vec<String>> = kinds
        .iter()
        .filter_map(|(name, length)| {
            let items = training.datasets().flat_map(|d| &d.items);
            // Of a thumb one response is not there.
            let lengths = items.map(|i| length(i)).filter(|&length| length > 0);
            let q = Quantiles::of(lengths.map(|length| length as f64).collect())?;
            let numbers = [q.min, q.p10, q.median, q.p90, q.max].map(|n| format!("{n:.0}"));
            Some([vec![format!("  {name}")], numbers.to_vec()].concat())
        })
        .collect();
    out.table(
        &["  tokens of", "min", "10 %", "median", "90 %", "max"],
        &rows,
    )
}

fn model(config: &Config, training: &Training, out: &mut Output<'_>) -> Result<(), TrainError> {
    let context = training.model.config().max_positions();
    out.line(format_args!(
        "  {}: {} parameters as {:?} ({} in memory), context {context}",
        training.source,
        grouped(training.model.num_base_params()),
        config.model.dtype,
        bytes(training.model.num_base_bytes() as u64)
    ))
}

fn expect(
    (batch, rows): (usize, usize),
    estimate: &Estimate,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let &Estimate {
        steps,
        training,
        reference,
        validation,
        tokens_per_second,
        memory,
    } = estimate;
    out.line(format_args!(
        "  time      about {}: {} for {steps} steps of {batch} comparisons, {} for reference log-probs (once), {} for validation",
        duration(training + reference + validation),
        duration(training),
        duration(reference),
        duration(validation)
    ))?;
    out.line(format_args!(
        "  speed     {tokens_per_second:.0} tokens per second, forward and backward"
    ))?;
    match memory {
        Some(memory) => out.line(format_args!(
            "  memory    about {} if {rows} rows of the largest length meet",
            bytes(memory)
        )),
        None => out.line("  memory    unknown on this system or device"),
    }
}

fn warnings(plan: &Plan<'_>, training: &Training, audit: &Audit) -> Vec<String> {
    let mut found = training.warnings.clone();
    found.extend(plan.unread());
    let comparisons = training.train.items.len();
    let section = plan.training(comparisons);
    found.extend(section.warmup_warning(plan.section(), section.total_steps(comparisons)));
    if audit.per_user.len() == 1 {
        found.push("one user only: there is nothing to personalise".into());
    }
    if audit.per_user.is_empty() && plan.users().is_some() {
        found.push("no comparison names a user: [users] has nobody to learn".into());
    }
    if audit.without_user > 0 {
        let count = audit.without_user;
        found.push(format!(
            "{count} comparisons without a user train the generic user only"
        ));
    }
    if audit.single_comparison_users > 0 {
        let count = audit.single_comparison_users;
        found.push(format!("{count} users with one comparison only: little to learn from; consider kind = \"cluster\""));
    }
    for (thumbs, side) in [(audit.thumbs_up, "up"), (audit.thumbs_down, "down")] {
        if thumbs > 0 && thumbs == audit.comparisons {
            found.push(format!(
                "all thumbs are {side}: nothing tells what users do not want from what they want"
            ));
        }
    }
    if audit.contradictory > 0 {
        let count = audit.contradictory;
        found.push(format!("{count} pairs that one user judged both ways"));
    }
    if audit.duplicates > 0 {
        let count = audit.duplicates;
        found.push(format!("{count} duplicates count twice"));
    }
    let cut: usize = training
        .datasets()
        .map(|d| d.cut_prompts + d.cut_user_texts + d.cut_responses)
        .sum();
    if 10 * cut > training.datasets().map(|d| d.items.len()).sum() {
        found.push(
            "more than a tenth of the comparisons is cut: raise the limits of [prompt]".into(),
        );
    }
    let equal: usize = training.datasets().map(|d| d.equal_after_cut).sum();
    if equal > 0 {
        found.push(format!(
            "{equal} comparisons have equal responses as tokens and teach nothing: raise prompt.max_response_length, or leave them out"
        ));
    }
    found.extend(audit.remarks());
    if training.validation.is_none() {
        found.push("no validation data: the last step is kept, not the best".into());
    }
    found
}
