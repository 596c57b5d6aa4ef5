//! `prlhf users profile`: in what responses for a user differ from the generic user's.

mod paragraph;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value};
use statistics::{Bootstrap, Interval, mean, signed};
use terminal::{Bars, Output};
use text_measures::{
    EXCLAMATIONS, HEDGES, LIST_ITEMS, LONG_WORDS, Measure, QUESTIONS, READABILITY, SECOND_PERSON,
    WORDS, WORDS_PER_SENTENCE,
};
use trainer::TrainError;
use trainer::config::Config;
use trainer::files::replace_file;
use trainer::inference::{Engine, Job};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pref_data::general::PromptRecord;
use trainer::user_model::UserRef;

use super::written::validate_out;
use super::{OnArgs, UsersArgs, put_prompt};
use crate::generate;
use crate::judge::{Judge, JudgeArgs, validate_section};
use crate::sampling::SamplingArgs;
use paragraph::{Evidence, Pair, Writer};

/// In the order in which they are shown. Hedges and words that speak to the reader are English ones.
const MEASURES: [Measure; 9] = [
    WORDS,
    WORDS_PER_SENTENCE,
    READABILITY,
    LIST_ITEMS,
    LONG_WORDS,
    HEDGES,
    SECOND_PERSON,
    EXCLAMATIONS,
    QUESTIONS,
];

/// Arguments of `prlhf users profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// Whose responses.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Prompts to answer: JSON Lines, CSV or Parquet with `prompt`, or plain text (`.txt`) with a prompt a line, as for `generate`; whose they
    /// are does not matter.
    #[arg(long, value_name = "FILE")]
    pub prompts: PathBuf,
    /// Responses to each prompt, for each of the two.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub samples: usize,
    /// Sequences at a time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// Have a language model say in a paragraph what the user likes, from the measures that differ and a few of the responses; it may stand
    /// as the user's `user_text`.
    #[arg(long, value_enum, value_name = "WRITER")]
    pub paragraph: Option<Writer>,
    /// Prompts whose responses the writer of the paragraph is shown.
    #[arg(long, value_name = "N", default_value_t = 4, requires = "paragraph")]
    pub pairs: usize,
    /// Write a JSON Lines file: the prompts with the user's id and the paragraph as `user_text`, as `generate --prompts` reads them.
    #[arg(long, value_name = "FILE", requires = "paragraph")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out even if this command did not write it.
    #[arg(long, requires = "out")]
    pub force: bool,
    /// What the adapters are opened on.
    #[command(flatten)]
    pub on: OnArgs,
    /// How tokens are chosen.
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Who writes with --paragraph judge.
    #[command(flatten)]
    pub judge: JudgeArgs,
}

/// Writes responses for both and compares them prompt by prompt.
///
/// # Errors
/// An unknown user, a broken line, or adapters that cannot be opened.
pub fn run(users: &UsersArgs, args: &ProfileArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let of = users.trained(&args.on);
    let config = of.trained()?.config;
    let judge = judge_of(args, &config)?;
    validate_file(args)?;
    let prompts = generate::read(&args.prompts, config.data.columns)?;
    let opened = of.open()?;
    let engine = &opened.engine;
    let user = engine.user(&args.user)?;
    if args.paragraph == Some(Writer::Own) {
        paragraph::validate_base(engine)?;
    }
    let sampling = args.sampling.over(&opened.config().sampling);
    let [generic, own] =
        [UserRef::Generic, user].map(|user| responses(engine, &prompts, &user, &sampling, args));
    let (generic, own) = (generic?, own?);
    out.fact("user", printable::quoted(&args.user))?;
    let (count, samples) = (prompts.len(), args.samples.max(1));
    out.fact(
        "responses",
        format_args!("{samples} to each of {count} prompts, and as many for the generic user"),
    )?;
    out.line("")?;
    let measured: Vec<Measured> = MEASURES
        .iter()
        .filter_map(|measure| Measured::of(measure, &generic, &own))
        .collect();
    let head = [
        "mean over prompts",
        "generic",
        "user",
        "difference",
        "95 %",
        "",
    ];
    let rows: Vec<Vec<String>> = measured.iter().map(Measured::cells).collect();
    out.table(&head, &rows)?;
    let Some(writer) = args.paragraph else {
        return Ok(());
    };
    let evidence = evidence(&measured, &prompts, [&generic, &own], args.pairs);
    let paragraph = match (writer, &judge) {
        (Writer::Judge, Some(judge)) => paragraph::by_judge(judge, &evidence)?,
        _ => paragraph::by_base(engine, &evidence)?,
    };
    out.line(format_args!("\n{paragraph}"))?;
    match &args.out {
        Some(path) => {
            let lines = prompts
                .iter()
                .map(|prompt| record(prompt, &args.user, &paragraph));
            let lines = lines.map(|line| format!("{line}\n"));
            replace_file(path, lines.collect::<String>())
        }
        None => Ok(()),
    }
}

/// Refuses to write over the prompts, or over somebody's data.
fn validate_file(args: &ProfileArgs) -> Result<(), TrainError> {
    let whole = |path: &PathBuf| path.canonicalize().ok();
    match &args.out {
        Some(out) if whole(out).is_some() && whole(out) == whole(&args.prompts) => {
            let problem = format!("--out and --prompts are both {}", out.display());
            Err(TrainError::Usage(problem))
        }
        Some(out) => validate_out(out, args.force, is_record),
        None => Ok(()),
    }
}

/// The judge that writes the paragraph, if one does.
fn judge_of(args: &ProfileArgs, config: &Config) -> Result<Option<Judge>, TrainError> {
    let usage = |problem: String| Err(TrainError::Usage(problem));
    if args.paragraph == Some(Writer::Judge) {
        return match args.judge.judge(config)? {
            Some(judge) => Ok(Some(judge)),
            None => usage("--paragraph judge needs --judge-url URL and --judge-model NAME, a language model that writes it".into()),
        };
    }
    match args.judge.given() {
        Some(flag) => usage(format!("{flag} is for --paragraph judge")),
        None => validate_section(config).map(|()| None),
    }
}

/// What the writer of a paragraph is told: the measures that differ, and the first responses to prompts from all over the list.
fn evidence<'a>(
    measured: &[Measured],
    prompts: &[PromptRecord],
    [generic, own]: [&'a [Vec<String>]; 2],
    pairs: usize,
) -> Evidence<'a> {
    let pairs = pairs.min(prompts.len());
    let places = (0..pairs).map(|pair| pair * prompts.len() / pairs);
    let first = |of: &'a [Vec<String>], at: usize| of[at].first().map_or("", String::as_str);
    let pair = |at: usize| Pair {
        prompt: prompts[at].prompt.last_turn().1.into_owned(),
        own: first(own, at),
        generic: first(generic, at),
    };
    let differing = measured.iter().filter(|measured| measured.differs());
    Evidence {
        differences: differing.map(Measured::sentence).collect(),
        pairs: places.map(pair).collect(),
    }
}

/// A prompt in the layout of prompts, with a text about its user, which ends in a line end: the prompt stands right behind it.
fn record(prompt: &PromptRecord, user: &str, text: &str) -> Value {
    let mut fields = Map::new();
    fields.insert("user".into(), user.into());
    fields.insert("user_text".into(), format!("{text}\n").into());
    put_prompt(&mut fields, &prompt.prompt, &prompt.template);
    Value::Object(fields)
}

/// Whether [`record`] made it, of whatever user.
fn is_record(fields: &Map<String, Value>) -> bool {
    let text = fields.get("user_text").and_then(Value::as_str);
    let known = [
        "user",
        "user_text",
        "prompt",
        "tools",
        "chat_template_kwargs",
    ];
    text.is_some_and(|text| text.ends_with('\n'))
        && fields.contains_key("prompt")
        && fields.keys().all(|key| known.contains(&key.as_str()))
}

/// Of every prompt its responses.
fn responses(
    engine: &Engine,
    prompts: &[PromptRecord],
    user: &UserRef,
    sampling: &SamplingConfig,
    args: &ProfileArgs,
) -> Result<Vec<Vec<String>>, TrainError> {
    let mut jobs = Vec::new();
    for prompt in prompts {
        for sample in 0..args.samples.max(1) {
            let sampling = SamplingConfig {
                seed: sampling.seed.wrapping_add(sample as u64),
                ..sampling.clone()
            };
            jobs.push(Job {
                user_text: prompt.user_text.clone(),
                template: prompt.template.clone(),
                ..Job::new(prompt.prompt.clone(), user.clone(), sampling)
            });
        }
    }
    let written = engine.respond(&jobs, args.batch, &Bars::default())?;
    let texts: Vec<String> = written.into_iter().map(|response| response.text).collect();
    let of_prompts = texts.chunks(args.samples.max(1)).map(<[String]>::to_vec);
    Ok(of_prompts.collect())
}

/// A measure of both.
struct Measured {
    name: &'static str,
    generic: f64,
    own: f64,
    /// Of the difference.
    interval: Option<Interval>,
}

impl Measured {
    /// Over prompts of which both have it; none where no prompt has.
    fn of(measure: &Measure, generic: &[Vec<String>], own: &[Vec<String>]) -> Option<Self> {
        let of_prompt = |texts: &Vec<String>| {
            let values: Vec<f64> = texts
                .iter()
                .filter_map(|text| (measure.value)(text))
                .collect();
            mean(&values)
        };
        let both = generic.iter().zip(own);
        let both = both.filter_map(|(a, b)| Some([of_prompt(a)?, of_prompt(b)?]));
        let both: Vec<[f64; 2]> = both.collect();
        let means = |pairs: &[[f64; 2]]| {
            let side = |at: usize| mean(&pairs.iter().map(|pair| pair[at]).collect::<Vec<_>>());
            Some([side(0)?, side(1)?])
        };
        let [generic, own] = means(&both)?;
        let difference = |pairs: &[[f64; 2]]| [means(pairs).map_or(f64::NAN, |[a, b]| b - a)];
        let interval = Bootstrap::default().intervals(&both, difference);
        Some(Self {
            name: measure.title,
            generic,
            own,
            interval: interval.map(|[interval]| interval),
        })
    }

    /// Whether the difference is no chance, as far as prompts go.
    fn differs(&self) -> bool {
        let apart = |&Interval { low, high }: &Interval| low > 0.0 || high < 0.0;
        self.interval.as_ref().is_some_and(apart)
    }

    fn cells(&self) -> Vec<String> {
        let shown = match self.interval {
            Some(Interval { low, high }) => format!("[{}, {}]", signed(low, 2), signed(high, 2)),
            None => "-".into(),
        };
        let verdict = if self.differs() { "differs" } else { "" };
        vec![
            self.name.into(),
            format!("{:.2}", self.generic),
            format!("{:.2}", self.own),
            signed(self.own - self.generic, 2),
            shown,
            verdict.into(),
        ]
    }

    fn sentence(&self) -> String {
        let Self {
            name, generic, own, ..
        } = self;
        format!(
            "{name}: {own:.2} in the answers for the reader, {generic:.2} in those for nobody in particular"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_compared_with_themselves() {
        let texts = |texts: &[&[&str]]| -> Vec<Vec<String>> {
            let owned = |some: &&[&str]| some.iter().map(|text| (*text).into()).collect();
            texts.iter().map(owned).collect()
        };
        let generic = texts(&[&["aa", "aaaa"], &["a", ""], &[""]]);
        let own = texts(&[&["aaaaa", "aaaaa"], &["aaa", "aaa"], &["aaaaaaa"]]);
        // The third prompt has no measure on one side; the others differ by 2 each.
        let letters = Measure {
            key: "letters",
            title: "letters",
            value: |text| (!text.is_empty()).then_some(text.len() as f64),
        };
        let measured = Measured::of(&letters, &generic, &own).unwrap();
        let expected = [
            "letters",
            "2.00",
            "4.00",
            "+2.00",
            "[+2.00, +2.00]",
            "differs",
        ];
        assert_eq!(measured.cells(), expected);
        assert!(measured.differs());
    }
}
