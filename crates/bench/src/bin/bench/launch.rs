//! From the command line to a run: the preset, the folder, the report.

use std::io::stdout;
use std::path::PathBuf;

use ::terminal::{Output, Watch, WhileRead, arguments};
use bench::config::{ExperimentConfig, Preset};
use bench::experiment::{self, Experiment, Run};
use bench::report::{self, Document};
use judge::JudgeConfig;
use trainer::TrainError;
use trainer::folder::{RunFolder, Start};

use super::args::{Common, Flags};

/// Runs an experiment.
pub fn run<E: Experiment>(flags: &impl Flags) -> Result<(), TrainError> {
    let out = &mut Output(&mut stdout());
    let (args, name) = (flags.common(), flags.name());
    let config = read_config::<E>(flags)?;
    if config.data.paths().is_empty() {
        let expected = "at least one file or folder: give --data";
        return Err(TrainError::config("data.paths", "empty", expected));
    }
    if args.stats {
        return out.line(config.data.stats(config.data.first_split_seed())?);
    }
    if config.tiny.is_none() && config.model.source.is_empty() {
        let expected = "a Hugging Face directory, a GGUF file or a hub id: give --model";
        return Err(TrainError::config("model.source", "empty", expected));
    }
    let default = || PathBuf::from(format!("runs/{}-{}", E::NAME, name));
    let folder = args.out.clone().unwrap_or_else(default);
    config.validate()?;
    let devices = trainer::device::for_training(&args.device, &config.training)?;
    let (start, inputs) = (Start::of(args.resume, args.force), inputs(args, &config));
    RunFolder::validate(&folder, start, &inputs)?;
    let seeds = args.seeds()?;
    let runs = match seeds.len() {
        1 => String::new(),
        several => format!(" with {several} seeds"),
    };
    let minutes = config.expected_minutes.map_or_else(String::new, |minutes| {
        let minutes = minutes * seeds.len() as f64;
        format!(", about {minutes:.0} minutes on two cores")
    });
    let about = format!(
        "{}, preset {}: {} systems{runs}{minutes}. Results go to {}.",
        E::TITLE,
        name,
        config.systems.len(),
        folder.display()
    );
    // A reader who has gone is no reason not to run.
    let mut stdout = WhileRead::new(stdout());
    let out = &mut Output(&mut stdout);
    out.line(about)?;
    let command = without_secrets(&arguments(), config.judge.as_ref());
    let run = Run {
        preset: name.clone(),
        config,
        seeds,
        out: folder.clone(),
        resume: args.resume,
        devices: (devices, args.device.clone()),
        command,
    };
    let checked = run.check()?;
    for line in checked.expected(&run.devices.0.main, &run.config.training) {
        out.line(format_args!("Expected: {line}"))?;
    }
    let mut claimed = RunFolder::claim(&folder, start, &inputs)?;
    report::recover(&folder)?;
    claimed.begin(start, &run.folders(), &inputs)?;
    let text = toml::to_string_pretty(&run.config);
    claimed.write_config(&text.map_err(|e| TrainError::format(&folder, e))?, &inputs)?;
    let report = experiment::run(&run, checked, &mut Watch::new())?;
    out.line(format_args!("\n{}", Document::of(&report).terminal()))?;
    let page = folder.join("report.html");
    out.line(format_args!("Report: {}", page.display()))?;
    match next_command::<E>(&name) {
        Some(next) => out.line(format_args!("Next: {next}")),
        None => Ok(()),
    }
}

/// The command line as files may show it: a key in the address of a judge is no one else's business.
fn without_secrets(arguments: &[String], judge: Option<&JudgeConfig>) -> String {
    let mut command = arguments.join(" ");
    if let Some(url) = judge.map(|judge| &judge.url).filter(|url| !url.is_empty()) {
        // Whatever characters are in it.
        command = command.replace(url, &judge::shown_url(url));
    }
    // Others that were given, and replaced by a later one.
    judge::shown_urls(&command)
}

fn read_config<E: Experiment>(flags: &impl Flags) -> Result<ExperimentConfig<E>, TrainError> {
    let args = flags.common();
    let given = args.config.clone();
    let path = given.unwrap_or_else(|| preset_file(E::NAME, args, &flags.name()));
    if let (Some(variant), false) = (flags.variant(), path.exists()) {
        return Err(TrainError::Usage(format!(
            "preset `{}` has no variant `{variant}`: there is no {}; take `--preset tiny`, or give a file with --config",
            args.preset,
            path.display()
        )));
    }
    let mut preset = Preset::<E>::read(&path)?;
    flags.change(&mut preset)?;
    preset.config()
}

/// The preset's file; some presets have another one for data given with `--data`.
fn preset_file(experiment: &str, args: &Common, preset: &str) -> PathBuf {
    let given = config_file(experiment, &format!("{preset}-data"));
    match !args.data.is_empty() && given.exists() {
        true => given,
        false => config_file(experiment, preset),
    }
}

fn config_file(experiment: &str, name: &str) -> PathBuf {
    PathBuf::from(format!("configs/{experiment}/{name}.toml"))
}

/// Files and folders that the run reads, which it must not replace.
fn inputs<E: Experiment>(args: &Common, config: &ExperimentConfig<E>) -> Vec<PathBuf> {
    let data = config.data.paths().iter().map(PathBuf::from);
    let given = args.config.clone().into_iter().chain(data);
    let all = given
        .chain(config.model.paths())
        .chain(config.data.further_inputs());
    all.filter(|path| path.exists()).collect()
}

fn next_command<E: Experiment>(preset: &str) -> Option<String> {
    let experiment = E::NAME;
    match preset {
        "tiny" => {
            let small = config_file(experiment, "small");
            let small = Preset::<E>::read(&small).ok()?.config().ok()?;
            let minutes = small.expected_minutes?;
            Some(format!(
                "cargo xtask repro {experiment} --preset small   (a real LLM, SmolLM2-135M, about {minutes:.0} minutes)"
            ))
        }
        "small" => Some(match experiment {
            "tldr" => {
                "cargo xtask repro tldr --preset small --data FOLDER --policies all   (official comparison files)"
                    .into()
            }
            _ => format!("cargo xtask repro {experiment} --preset small --data FOLDER   (official files)"),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_of_a_report_holds_no_key() {
        let url = "https://a/v1?key=s3cr3t";
        let command = |arguments: &[&str], judge: Option<&str>| {
            let arguments: Vec<String> = arguments.iter().map(|a| (*a).into()).collect();
            let judge = judge.map(|url| JudgeConfig::new(url, "m"));
            without_secrets(&arguments, judge.as_ref())
        };
        assert_eq!(
            command(
                &["prism", "--judge-url", url, "--judge-model", "m"],
                Some(url)
            ),
            "prism --judge-url https://a/v1?key=(hidden) --judge-model m"
        );
        // One that a later one replaced.
        assert_eq!(
            command(
                &[
                    "prism",
                    "--judge-url",
                    url,
                    "--set",
                    "judge.url=http://b/v1"
                ],
                Some("http://b/v1")
            ),
            "prism --judge-url https://a/v1?key=(hidden) --set judge.url=http://b/v1"
        );
        assert_eq!(command(&["tldr"], None), "tldr");
    }
}
