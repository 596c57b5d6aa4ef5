//! A language model that judges what is written for users: the flags and the section `[judge]` that name it, and how it is asked.

mod known;
mod scorer;

use std::fs;
use std::path::{Path, PathBuf};

use ::judge::{JudgeConfig, JudgeError, Position, PromptFile, shown_url};
use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};
use trainer::TrainError;
use trainer::config::{Config, validate_named};
use trainer::training::ScoredGroups;

pub use known::Known;
pub use scorer::JudgeScorer;

/// The environment variable with the judge's key, if it needs one.
const KEY: &str = "JUDGE_API_KEY";

/// What a judge of responses is asked, unless `judge.prompt` names other words.
const WORDS: &str = include_str!("../../../configs/judge/online.toml");

/// Who judges.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Judge")]
pub struct JudgeArgs {
    /// A language model behind an OpenAI-compatible endpoint; its key, if it needs one, is in the environment variable `JUDGE_API_KEY`. A
    /// key inside the address is written nowhere. Default: judge.url of the configuration, where it has one.
    #[arg(long, value_name = "URL")]
    pub judge_url: Option<String>,
    /// The model that judges. Default: judge.model of the configuration.
    #[arg(long, value_name = "NAME")]
    pub judge_model: Option<String>,
    /// At most so many calls of the judge, repetitions too. Beyond, the command ends; a run is saved, and goes on with --resume and more calls.
    #[arg(long, value_name = "N")]
    pub judge_calls: Option<u32>,
}

/// The keys of `[judge]` beside those of [`JudgeConfig`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Manners {
    /// A file of words in the place of [`WORDS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PathBuf>,
    /// Ask for every two responses in both orders; verdicts that disagree are a tie. Else a coin says which is shown first.
    both_orders: bool,
    /// The most comparisons that tell the judge of a user without a text of their own.
    examples: usize,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            prompt: None,
            both_orders: true,
            examples: 4,
        }
    }
}

impl Manners {
    const KEYS: [&str; 3] = ["prompt", "both_orders", "examples"];
}

/// A judge as the flags and `[judge]` say it.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Whom to ask.
    pub config: JudgeConfig,
    manners: Manners,
}

impl JudgeArgs {
    /// One of the flags that were given.
    pub fn given(&self) -> Option<&'static str> {
        match self {
            Self {
                judge_url: Some(_), ..
            } => Some("--judge-url"),
            Self {
                judge_model: Some(_),
                ..
            } => Some("--judge-model"),
            Self {
                judge_calls: Some(_),
                ..
            } => Some("--judge-calls"),
            _ => None,
        }
    }

    /// Refuses flags in modes without a judge.
    ///
    /// # Errors
    /// Names the flag.
    pub fn validate_absent(&self) -> Result<(), TrainError> {
        match self.given() {
            Some(flag) => Err(TrainError::Usage(format!(
                "{flag} is for --mode online, whose judge compares what the policy writes"
            ))),
            None => Ok(()),
        }
    }

    /// The judge that flags and configuration name; none where neither has an address.
    ///
    /// # Errors
    /// A setting that cannot be used, by its key, or a flag beside no address.
    pub fn judge(&self, config: &Config) -> Result<Option<Judge>, TrainError> {
        let mut table = config.judge.clone().unwrap_or_default();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.into(), value);
            }
        };
        set("url", self.judge_url.as_deref().map(Value::from));
        set("model", self.judge_model.as_deref().map(Value::from));
        let calls = self.judge_calls.map(|calls| Value::from(i64::from(calls)));
        set("budget", calls);
        let judge = Judge::read(table)?;
        if judge.config.url.is_empty() {
            return match self.given() {
                Some(flag) => Err(TrainError::Usage(format!(
                    "{flag} is for a judge, and none is named: give --judge-url URL, or judge.url in the configuration"
                ))),
                None => Ok(None),
            };
        }
        if judge.config.model.trim().is_empty() {
            let problem = "the judge's model is not named: give --judge-model NAME, or judge.model in the configuration";
            return Err(TrainError::Usage(problem.into()));
        }
        judge.config.validate().map_err(of_section)?;
        judge.config.validate_key().map_err(of_section)?;
        Ok(Some(judge))
    }
}

impl Judge {
    fn read(mut table: Table) -> Result<Self, TrainError> {
        let mut own = Table::new();
        for key in Manners::KEYS {
            if let Some(value) = table.remove(key) {
                own.insert(key.into(), value);
            }
        }
        let manners: Manners = typed(own)?;
        let mut config: JudgeConfig = typed(table)?;
        config.key_env.get_or_insert_with(|| KEY.into());
        if let Some(dir) = &config.cache_dir {
            validate_named("judge.cache_dir", dir, "a folder, or no such key")?;
        }
        Ok(Self { config, manners })
    }

    /// The section with every default said, without secrets of the address.
    ///
    /// # Errors
    /// None that a judge can cause.
    pub fn section(&self) -> Result<Table, TrainError> {
        let failed = |error: toml::ser::Error| TrainError::Usage(error.to_string());
        let mut table = Table::try_from(&self.config).map_err(failed)?;
        table.extend(Table::try_from(&self.manners).map_err(failed)?);
        Ok(table)
    }

    /// Keeps answers in `judge/` of that folder, unless another one is named.
    #[must_use]
    pub fn kept_in(mut self, dir: &Path) -> Self {
        self.config
            .cache_dir
            .get_or_insert_with(|| dir.join("judge"));
        self
    }

    /// The file of words, if one is named.
    pub fn words_file(&self) -> Option<&PathBuf> {
        self.manners.prompt.as_ref()
    }

    /// The words that ask which of two responses is preferred: their text, and the same ready to be filled in.
    ///
    /// # Errors
    /// A file that cannot be read, or templates with other variables than there are.
    pub fn words(&self) -> Result<(String, PromptFile), TrainError> {
        let (name, text) = match &self.manners.prompt {
            Some(path) => {
                let name = path.display().to_string();
                let text = fs::read_to_string(path).map_err(|error| {
                    TrainError::Usage(format!("config key `judge.prompt`: {name}: {error}"))
                })?;
                (name, text)
            }
            None => ("configs/judge/online.toml".into(), WORDS.into()),
        };
        let words = PromptFile::parse(name, &text);
        let words = words.map_err(|error| TrainError::Usage(error.to_string()))?;
        Ok((text, words))
    }

    /// Model and address, as they may be shown.
    pub fn shown(&self) -> String {
        format!("{} at {}", self.config.model, shown_url(&self.config.url))
    }

    /// The most questions that so many groups of `size` responses take, in training and in validation.
    pub fn questions(&self, groups: ScoredGroups, size: usize) -> [usize; 2] {
        let orders = match self.manners.both_orders {
            true => 2,
            false => 1,
        };
        let pairs = size * size.saturating_sub(1) / 2;
        [groups.training * pairs, groups.validation * size].map(|count| orders * count)
    }

    /// The same in a sentence.
    pub fn cost(&self, groups: ScoredGroups, size: usize) -> String {
        let [training, validation] = self.questions(groups, size);
        let shown = |count: usize| terminal::grouped(count);
        format!(
            "{}, at most {} questions: {} in {} steps, {} in validations; equal texts and kept answers cost none",
            self.shown(),
            shown(training + validation),
            shown(training),
            groups.steps,
            shown(validation),
        )
    }

    fn position(&self) -> Position {
        match self.manners.both_orders {
            true => Position::Swapped,
            false => Position::default(),
        }
    }
}

/// What keys of `[judge]` say.
fn typed<T: DeserializeOwned>(table: Table) -> Result<T, TrainError> {
    let read = |table: Table| T::deserialize(Value::Table(table));
    // Of a value the key alone tells where it stands.
    for (key, value) in &table {
        if let Err(error) = read(Table::from_iter([(key.clone(), value.clone())])) {
            let message = error.message().trim();
            // The names that it expects are of one part of the section.
            let others = match message.starts_with("unknown field") {
                true => format!(", `{}`", Manners::KEYS.join("`, `")),
                false => String::new(),
            };
            let problem = format!("config key `judge.{key}`: {message}{others}");
            return Err(TrainError::Usage(problem));
        }
    }
    read(table).map_err(|error| {
        let message = error.message().trim();
        TrainError::Usage(format!("config section [judge]: {message}"))
    })
}

/// Refuses a section `[judge]` that could not be used, where no judge is asked.
///
/// # Errors
/// Names the key.
pub fn validate_section(config: &Config) -> Result<(), TrainError> {
    let Some(section) = &config.judge else {
        return Ok(());
    };
    let Judge { mut config, .. } = Judge::read(section.clone())?;
    // These two may come from flags.
    for (key, stand_in) in [
        (&mut config.url, "http://localhost"),
        (&mut config.model, "model"),
    ] {
        if key.is_empty() {
            *key = stand_in.into();
        }
    }
    config.validate().map_err(of_section)
}

/// The longest part of a text that is shown as an example, in characters.
const SHOWN: usize = 1200;

/// The beginning of a long text.
pub fn beginning(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} [...]", &text[..end]),
        None => text.into(),
    }
}

/// The configuration as it may be written: an address in it without its secrets.
pub fn without_secrets(config: &mut Config) {
    let url = config.judge.as_mut().and_then(|table| table.get_mut("url"));
    if let Some(Value::String(url)) = url {
        *url = shown_url(url);
    }
}

/// A refused setting by its whole key.
fn of_section(error: JudgeError) -> TrainError {
    TrainError::Usage(match error {
        JudgeError::Config { key, message } => format!("config key `judge.{key}`: {message}"),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(section: &str, args: JudgeArgs) -> Result<Option<Judge>, String> {
        let config: Config = toml::from_str(section).unwrap();
        args.judge(&config).map_err(|error| error.to_string())
    }

    fn args(url: Option<&str>, model: Option<&str>) -> JudgeArgs {
        JudgeArgs {
            judge_url: url.map(Into::into),
            judge_model: model.map(Into::into),
            judge_calls: None,
        }
    }

    #[test]
    fn flags_lie_over_the_section_and_secrets_are_not_written() {
        assert!(judge("", JudgeArgs::default()).unwrap().is_none());
        let section =
            "[judge]\nurl = \"http://a/v1\"\nmodel = \"m\"\nboth_orders = false\nmax_tokens = 9";
        let found = judge(section, args(Some("http://b/v1?key=s3cr3t"), None)).unwrap();
        let found = found.unwrap();
        assert_eq!(found.config.url, "http://b/v1?key=s3cr3t");
        assert_eq!((&*found.config.model, found.config.max_tokens), ("m", 9));
        assert_eq!(found.config.key_env.as_deref(), Some("JUDGE_API_KEY"));
        assert_eq!(found.manners.examples, 4);
        let written = found.section().unwrap();
        assert_eq!(written["url"].as_str(), Some("http://b/v1?key=(hidden)"));
        assert_eq!(written["both_orders"].as_bool(), Some(false));
        assert_eq!(Judge::read(written).unwrap().manners, found.manners);
        let text = "[judge]\nurl = \"http://b/v1?key=s3cr3t\"";
        let mut config: Config = toml::from_str(text).unwrap();
        without_secrets(&mut config);
        assert!(!format!("{config:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (section, args, expected) in [
            ("", args(None, Some("m")), "--judge-model is for a judge"),
            (
                "",
                args(Some("http://a/v1"), None),
                "give --judge-model NAME",
            ),
            ("", args(Some("a/v1"), Some("m")), "`judge.url`"),
            (
                "[judge]\nmodle = \"m\"",
                args(None, None),
                "`cache_dir`, `prompt`, `both_orders`, `examples`",
            ),
            (
                "[judge]\nexamples = -1",
                args(None, None),
                "`judge.examples`: invalid value",
            ),
            (
                "[judge]\nconcurrency = 0",
                args(Some("http://a/v1"), Some("m")),
                "`judge.concurrency`",
            ),
        ] {
            let error = judge(section, args).unwrap_err();
            assert!(error.contains(expected), "{section}: {error}");
        }
    }

    #[test]
    fn questions_are_counted_as_by_hand() {
        let groups = ScoredGroups {
            steps: 5,
            training: 10,
            validation: 7,
        };
        let of = |section: &str| judge(section, args(Some("http://a/v1"), Some("m")));
        let both = of("").unwrap().unwrap();
        // Three pairs of three responses, in two orders; three responses beside one of the base model.
        assert_eq!(both.questions(groups, 3), [60, 42]);
        let coin = of("[judge]\nboth_orders = false").unwrap().unwrap();
        assert_eq!(coin.questions(groups, 2), [10, 14]);
    }
}
