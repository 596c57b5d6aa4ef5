//! Text for users: prompts and users in, sampled responses out.

use burn::module::Module;
use burn::tensor::Tensor;
use llm_backbone::generate::Request;
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::tokenizer::StreamDecoder;
use pref_data::Prompt;
use user_model::{UserRef, UserTable};

use crate::error::TrainError;
use crate::policy::Policy;
use crate::progress::Progress;
use crate::tokenise::{Formatter, TokenizedPrompt};

/// A response to write.
#[derive(Clone, Debug)]
pub struct Job {
    /// For whom.
    pub user: UserRef,
    /// To what.
    pub prompt: Prompt,
    /// What the user said of themselves.
    pub user_text: Option<String>,
    /// What tells the prompt from others: with seed, user and step it fixes every draw.
    pub key: String,
}

/// Writes a response for every job, `batch` sequences at a time. The model's stop ids end a response.
///
/// # Errors
/// An unknown user, a prompt that does not fit, or a policy that gives numbers that are none.
pub fn responses(
    policy: &Policy,
    table: Option<&UserTable>,
    formatter: &Formatter,
    sampling: &SamplingConfig,
    jobs: &[Job],
    batch: usize,
    progress: &dyn Progress,
) -> Result<Vec<String>, TrainError> {
    let processor = processor(formatter, sampling)?;
    let policy = policy.valid();
    let mut prompts: Vec<(usize, TokenizedPrompt)> = Vec::with_capacity(jobs.len());
    for (i, job) in jobs.iter().enumerate() {
        prompts.push((i, formatter.prompt(&job.prompt, job.user_text.as_deref())?));
    }
    prompts.sort_by_key(|(_, prompt)| prompt.ids.len());
    let mut texts = vec![String::new(); jobs.len()];
    let mut done = 0;
    progress.report("sampling", done, jobs.len());
    for chunk in prompts.chunks(batch.max(1)) {
        let names: Vec<String> = chunk.iter().map(|(i, _)| name(&jobs[*i].user)).collect();
        let requests: Vec<Request<'_>> = chunk
            .iter()
            .zip(&names)
            .map(|((i, prompt), user)| Request {
                prompt: &prompt.ids,
                soft_at: prompt.soft_at,
                user,
                prompt_key: &jobs[*i].key,
            })
            .collect();
        let users: Vec<UserRef> = chunk.iter().map(|(i, _)| jobs[*i].user.clone()).collect();
        let soft = soft_prompts(&policy, table, &users)?;
        let outputs = policy
            .model
            .generate(&requests, soft, &processor, |_, _| {})?;
        for ((i, _), ids) in chunk.iter().zip(outputs) {
            texts[*i] = formatter.tokenizer().decode(&ids, true)?.trim().to_string();
        }
        done += chunk.len();
        progress.report("sampling", done, jobs.len());
    }
    Ok(texts)
}

/// Writes one response and gives its text piece by piece as it comes; returns the whole.
///
/// # Errors
/// As [`responses`].
pub fn stream(
    policy: &Policy,
    table: Option<&UserTable>,
    formatter: &Formatter,
    sampling: &SamplingConfig,
    job: &Job,
    mut on_text: impl FnMut(&str),
) -> Result<String, TrainError> {
    let processor = processor(formatter, sampling)?;
    let policy = policy.valid();
    let prompt = formatter.prompt(&job.prompt, job.user_text.as_deref())?;
    let soft = soft_prompts(&policy, table, std::slice::from_ref(&job.user))?;
    let request = Request {
        prompt: &prompt.ids,
        soft_at: prompt.soft_at,
        user: &name(&job.user),
        prompt_key: &job.key,
    };
    let mut decoder = StreamDecoder::new(formatter.tokenizer(), true);
    let (mut text, mut failed) = (String::new(), None);
    let mut take = |piece: &str| {
        // The space that some tokenizers put before the first word is none of the response's.
        let piece = match text.is_empty() {
            true => piece.trim_start(),
            false => piece,
        };
        text.push_str(piece);
        on_text(piece);
    };
    policy
        .model
        .generate(&[request], soft, &processor, |_, id| {
            match decoder.push(id) {
                Ok(piece) => take(&piece),
                Err(error) => failed = Some(error),
            }
        })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    take(&decoder.finish()?);
    Ok(text.trim_end().to_string())
}

/// One soft prompt per user, `[users, T_u, d]`; none for a policy without users.
fn soft_prompts(
    policy: &Policy,
    table: Option<&UserTable>,
    users: &[UserRef],
) -> Result<Option<Tensor<3>>, TrainError> {
    match (&policy.users, table) {
        (Some(model), Some(table)) if policy.user_tokens() > 0 => {
            let rows = table.batch(users, &policy.model.device())?;
            Ok(Some(model.soft_prompt(&rows)))
        }
        _ => Ok(None),
    }
}

/// Sampling settings with the model's own stop ids.
///
/// # Errors
/// A setting out of range.
pub fn processor(
    formatter: &Formatter,
    sampling: &SamplingConfig,
) -> Result<LogitsProcessor, TrainError> {
    let mut sampling = sampling.clone();
    sampling.stop_ids.extend(formatter.tokenizer().stop_ids());
    sampling.stop_ids.push(formatter.eos());
    sampling.stop_ids.sort_unstable();
    sampling.stop_ids.dedup();
    Ok(LogitsProcessor::new(sampling)?)
}

/// A user's part in the key of a draw.
fn name(user: &UserRef) -> String {
    match user {
        UserRef::Generic => String::new(),
        UserRef::Id(id) => format!("user {id}"),
    }
}
