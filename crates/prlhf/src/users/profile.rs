//! `prlhf users profile`: in what responses for a user differ from the generic user's.

mod measures;

use std::path::PathBuf;

use clap::Args;
use statistics::{Bootstrap, Interval, mean};
use terminal::{Bars, Output};
use trainer::TrainError;
use trainer::inference::{Engine, Job};
use trainer::llm_backbone::sampling::SamplingConfig;
use trainer::pref_data::general::PromptRecord;
use trainer::user_model::UserRef;

use super::{OnArgs, UsersArgs};
use crate::generate;
use crate::sampling::SamplingArgs;
use measures::MEASURES;

/// Arguments of `prlhf users profile`.
#[derive(Args, Debug)]
pub struct ProfileArgs {
    /// Whose responses.
    #[arg(long, value_name = "ID")]
    pub user: String,
    /// Prompts to answer: JSON Lines, CSV or Parquet with `prompt`, as for `generate`; whose they are does not matter.
    #[arg(long, value_name = "FILE")]
    pub prompts: PathBuf,
    /// Responses to each prompt, for each of the two.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub samples: usize,
    /// Sequences at a time.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub batch: usize,
    /// What the adapters are opened on.
    #[command(flatten)]
    pub on: OnArgs,
    /// How tokens are chosen.
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// Writes responses for both and compares them prompt by prompt.
///
/// # Errors
/// An unknown user, a broken line, or adapters that cannot be opened.
pub fn run(users: &UsersArgs, args: &ProfileArgs, out: &mut Output<'_>) -> Result<(), TrainError> {
    let of = users.trained(&args.on);
    let columns = of.trained()?.config.data.columns;
    let prompts = generate::read(&args.prompts, columns)?;
    let opened = of.open()?;
    let engine = &opened.engine;
    let user = engine.user(&args.user)?;
    let sampling = args.sampling.over(&opened.config().sampling);
    let [generic, own] =
        [UserRef::Generic, user].map(|user| responses(engine, &prompts, &user, &sampling, args));
    let (generic, own) = (generic?, own?);
    out.fact("user", printable::quoted(&args.user))?;
    let (prompts, samples) = (prompts.len(), args.samples.max(1));
    out.fact(
        "responses",
        format_args!("{samples} to each of {prompts} prompts, and as many for the generic user"),
    )?;
    out.line("")?;
    let rows: Vec<Vec<String>> = MEASURES
        .iter()
        .filter_map(|(name, measure)| row(name, &generic, &own, *measure))
        .collect();
    let head = [
        "mean over prompts",
        "generic",
        "user",
        "difference",
        "95 %",
        "",
    ];
    out.table(&head, &rows)
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

/// A measure of both, over prompts of which both have it; none where no prompt has.
fn row(
    name: &str,
    generic: &[Vec<String>],
    own: &[Vec<String>],
    measure: fn(&str) -> Option<f64>,
) -> Option<Vec<String>> {
    let of_prompt = |texts: &Vec<String>| {
        let values: Vec<f64> = texts.iter().filter_map(|text| measure(text)).collect();
        mean(&values)
    };
    let both = generic.iter().zip(own);
    let both = both.filter_map(|(a, b)| Some([of_prompt(a)?, of_prompt(b)?]));
    let both: Vec<[f64; 2]> = both.collect();
    let means = |pairs: &[[f64; 2]]| {
        let side = |at: usize| mean(&pairs.iter().map(|pair| pair[at]).collect::<Vec<_>>());
        Some([side(0)?, side(1)?])
    };
    let [a, b] = means(&both)?;
    let difference = |pairs: &[[f64; 2]]| [means(pairs).map_or(f64::NAN, |[a, b]| b - a)];
    let interval = Bootstrap::default().intervals(&both, difference);
    let (shown, verdict) = match interval {
        Some([Interval { low, high }]) => (
            format!("[{low:.2}, {high:.2}]"),
            if low > 0.0 || high < 0.0 {
                "differs"
            } else {
                ""
            },
        ),
        None => ("-".into(), ""),
    };
    Some(vec![
        name.into(),
        format!("{a:.2}"),
        format!("{b:.2}"),
        format!("{:+.2}", b - a),
        shown,
        verdict.into(),
    ])
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
        let measure = |text: &str| (!text.is_empty()).then_some(text.len() as f64);
        let row = row("letters", &generic, &own, measure).unwrap();
        let expected = [
            "letters",
            "2.00",
            "4.00",
            "+2.00",
            "[2.00, 2.00]",
            "differs",
        ];
        assert_eq!(row, expected);
    }
}
