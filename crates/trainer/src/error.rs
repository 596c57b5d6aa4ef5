//! What can go wrong: one error that names the file, the line or key, what was found and what was expected.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use llm_backbone::LoraError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A configuration key has a value that makes no sense.
    #[error("config key `{key}` is {found}, expected {expected}")]
    Config {
        /// The key with its section.
        key: String,
        /// Its value.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A setting of the command line that a configuration does not take.
    #[error("--set {setting}: {problem}")]
    Setting {
        /// Key and value.
        setting: String,
        /// Why not.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Found and expected.
        problem: String,
    },
    /// A user's name where nobody has one.
    #[error("unknown user `{id}`: these adapters know no users")]
    NoUsers {
        /// As asked for.
        id: String,
    },
    /// The tokenizer has no end-of-sequence token.
    #[error(
        "the tokenizer names no eos token; responses could not end: name one in tokenizer_config.json (`eos_token`), or its id in generation_config.json or config.json (`eos_token_id`)"
    )]
    NoEos,
    /// Chat prompts without a template.
    #[error(
        "the model has no chat template; set `prompt.template = \"raw\"` or use an instruct model"
    )]
    NoChatTemplate,
    /// A chat of which not even the question's last words fit.
    #[error(
        "config key `prompt.max_prompt_length` is {found}, expected more than {needed}, which the chat template takes beside a question"
    )]
    NoRoom {
        /// The key's value.
        found: usize,
        /// Tokens of the chat with an empty question.
        needed: usize,
    },
    /// A data set without comparisons.
    #[error("no comparison left {after}")]
    Empty {
        /// After what.
        after: String,
    },
    /// A prompt and its responses exceed the model's context.
    #[error(
        "a row of {found} tokens exceeds the model's context of {limit}; lower prompt.max_prompt_length or prompt.max_response_length"
    )]
    Context {
        /// Tokens of the row.
        found: usize,
        /// The model's limit.
        limit: usize,
    },
    /// A model, or a training step, that does not fit into memory.
    #[error(
        "{what} takes about {} MiB, and {} MiB {there}; {advice}",
        needed >> 20,
        available >> 20
    )]
    Memory {
        /// What does not fit.
        what: String,
        /// Bytes.
        needed: u64,
        /// Bytes.
        available: u64,
        /// Where these are.
        there: &'static str,
        /// What takes less.
        advice: String,
    },
    /// A reward model without its head.
    #[error("there is no head to make rewards of states: this is no reward model")]
    NoHead,
    /// A reward model, asked for text or log-probs.
    #[error(
        "these adapters are a reward model's, which ranks texts and writes none: prlhf score and prlhf eval use it"
    )]
    NoWriter,
    /// A loss needs the reference's log-probs.
    #[error(
        "the reference's log-probs of a comparison are not known, and there is no reference to compute them"
    )]
    NoReference,
    /// An example that should have been made of sampled responses.
    #[error("an example has no sampled responses: it was not made by the task that learns from it")]
    NoSamples,
    /// A prompt that responses are to be sampled to, without its text.
    #[error("an example has no text: responses to its prompt could not be scored")]
    NoText,
    /// A KL term is estimated on responses to other prompts.
    #[error(
        "`objective.loss` has a KL term, which is estimated on responses to other prompts, and the data has none: give it two prompts or more"
    )]
    NoMismatched,
    /// A loss or a gradient is no longer a number.
    #[error(
        "{what} became {value} at step {step}; {advice} ({})",
        match saved {
            true => "the last checkpoint is intact",
            false => "there is no checkpoint yet: see training.save_every",
        }
    )]
    Diverged {
        /// The step.
        step: usize,
        /// What of it.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What may help.
        advice: String,
        /// Whether the run has a checkpoint.
        saved: bool,
    },
    /// The run was asked to stop.
    #[error("stopped at step {step}; the checkpoint is in {}; go on with --resume", path.display())]
    Interrupted {
        /// The last finished step.
        step: usize,
        /// The run folder.
        path: PathBuf,
    },
    /// Who scores responses failed.
    #[error(
        "{problem}{}",
        match saved {
            Some((step, path)) => format!("; what was learned up to step {step} is saved in {}: go on with --resume", path.display()),
            None => String::new(),
        }
    )]
    Unscored {
        /// Why.
        problem: String,
        /// The last finished step, and the run folder with its checkpoint, where it ended a run.
        saved: Option<(usize, PathBuf)>,
    },
    /// Long work was asked to stop; what it had is kept.
    #[error("stopped; what was computed is kept, go on with --resume")]
    Stopped,
    /// Another process works in a run's folder.
    #[error(
        "{} is in use by {}; wait for its end, or choose another folder",
        path.display(),
        process.map_or("another process".into(), |id| format!("process {id}"))
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// Who.
        process: Option<u32>,
    },
    /// A folder whose files no run has left.
    #[error(
        "{} holds files, and not of a run (there is no {marker} in it); choose another folder, or remove them yourself",
        path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The file that runs are known by.
        marker: &'static str,
    },
    /// A folder that holds no run to go on with.
    #[error(
        "{} holds files, and no checkpoint of a run to go on with; a new run, without --resume, wants a folder of its own",
        path.display()
    )]
    NothingToResume {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of an experiment, where a run was to go.
    #[error(
        "{} is the folder of an experiment, which goes on by its own command; choose another folder for this run",
        path.display()
    )]
    OfExperiment {
        /// The folder.
        path: PathBuf,
    },
    /// A file that is read would be removed or written over.
    #[error(
        "{} is read by this run, which would replace it in {}; move it, or choose another folder",
        path.display(),
        dir.display()
    )]
    OwnInput {
        /// The file.
        path: PathBuf,
        /// The folder of the run.
        dir: PathBuf,
    },
    /// The run was killed from the dashboard.
    #[error(
        "killed; steps since the last checkpoint in {} are lost; go on with --resume", path.display()
    )]
    Killed {
        /// The run folder.
        path: PathBuf,
    },
    /// A model that is nowhere to be found.
    #[error(
        "no model at `{source_name}`: {problem}; give a Hugging Face directory, a GGUF file or a hub id"
    )]
    NoModel {
        /// As asked for.
        source_name: String,
        /// Why not.
        problem: String,
    },
    /// A data set that is nowhere to be found.
    #[error("no data set at `{source_name}`: {problem}; give a file, a folder or hf://OWNER/NAME")]
    NoData {
        /// As asked for.
        source_name: String,
        /// Why not.
        problem: String,
    },
    /// A folder that holds another run.
    #[error("{} already holds files; go on with --resume, replace them with --force, or choose another folder", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Arguments that do not go together.
    #[error("{0}")]
    Usage(String),
    /// Standard output or input failed.
    #[error("standard {stream}: {source}")]
    Stream {
        /// `output` or `input`.
        stream: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// Numbers that a device does not give back.
    #[error("the device's numbers could not be read: {0}")]
    Device(String),
    /// From `pref-data`.
    #[error(transparent)]
    Data(#[from] pref_data::DataError),
    /// From `llm-backbone`: weights.
    #[error(transparent)]
    Weights(#[from] llm_backbone::weights::WeightError),
    /// From `llm-backbone`: tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] llm_backbone::tokenizer::TokenizerError),
    /// From `llm-backbone`: adapters that the configuration asks for, and the model has no place for.
    #[error("config key `lora.targets`: {0}")]
    Targets(llm_backbone::LoraError),
    /// From `llm-backbone`: adapters.
    #[error(transparent)]
    Lora(#[from] llm_backbone::LoraError),
    /// A comparison that cannot be made ready.
    #[error("{place}: {source}")]
    Comparison {
        /// Its file and line, or its number.
        place: String,
        /// Why.
        source: Box<TrainError>,
    },
    /// From `llm-backbone`: chat template.
    #[error(transparent)]
    Chat(#[from] llm_backbone::chat::ChatError),
    /// From `llm-backbone`: sampling settings.
    #[error(transparent)]
    Sampling(#[from] llm_backbone::sampling::SamplingError),
    /// From `llm-backbone`: generation.
    #[error(transparent)]
    Generate(#[from] llm_backbone::generate::GenerateError),
    /// From `user-model`: configuration.
    #[error(transparent)]
    UserConfig(#[from] user_model::ConfigError),
    /// From `user-model`: the table.
    #[error(transparent)]
    UserTable(#[from] user_model::TableError),
    /// From `user-model`: files.
    #[error(transparent)]
    UserFile(#[from] user_model::FileError),
    /// From `pdpo-loss`.
    #[error(transparent)]
    Loss(#[from] pdpo_loss::LossError),
}

impl TrainError {
    /// What is wrong with adapters that `[lora]` asks for, by its key.
    pub(crate) fn of_lora(error: LoraError) -> Self {
        match error {
            LoraError::NoTarget { .. } | LoraError::Target { .. } | LoraError::Pattern { .. } => {
                Self::Targets(error)
            }
            other => other.into(),
        }
    }

    /// Whether output failed because its reader, such as `head`, has seen enough.
    pub fn is_closed_output(&self) -> bool {
        matches!(self, Self::Stream { source, .. } if source.kind() == ErrorKind::BrokenPipe)
    }

    /// Why one comparison is unfit while others may be trained on, the same for every comparison of a kind; none for what ends
    /// a run.
    pub fn of_one_comparison(&self) -> Option<String> {
        match self {
            Self::Chat(error) if error.is_of_messages() => Some(error.to_string()),
            Self::NoRoom { found, .. } => Some(format!(
                "the chat template leaves a question no room in prompt.max_prompt_length = {found}"
            )),
            _ => None,
        }
    }

    /// A value out of range.
    pub fn config(key: &str, found: impl ToString, expected: impl ToString) -> Self {
        Self::Config {
            key: key.into(),
            found: short(found.to_string()),
            expected: expected.to_string(),
        }
    }

    /// A file that cannot be read or written.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.into();
        Self::Io { path, source }
    }

    /// A file with the wrong content.
    pub fn format(path: &Path, problem: impl ToString) -> Self {
        Self::Format {
            path: path.into(),
            problem: problem.to_string(),
        }
    }
}

/// A value as it is shown: numbers of hundreds of digits by their power of ten.
fn short(value: String) -> String {
    match value.parse::<f64>() {
        Ok(number) if value.len() > 24 && number.is_finite() => format!("{number:e}"),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_numbers_are_shown_in_one_line() {
        for (value, shown) in [(1e300, "1e300"), (0.25, "0.25"), (f64::INFINITY, "inf")] {
            let error = TrainError::config("a.b", value, "less");
            let expected = format!("config key `a.b` is {shown}, expected less");
            assert_eq!(error.to_string(), expected);
        }
    }
}
