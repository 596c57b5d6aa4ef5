//! Text for users: prompts and users in, sampled responses out.

use burn::module::Module;
use llm_backbone::generate::Request;
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
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
) -> Result<Vec<String>, TrainError> {
    let processor = processor(formatter, sampling)?;
    let policy = policy.valid();
    let mut prompts: Vec<(usize, TokenizedPrompt)> = Vec::with_capacity(jobs.len());
    for (i, job) in jobs.iter().enumerate() {
        prompts.push((i, formatter.prompt(&job.prompt, job.user_text.as_deref())?));
    }
    prompts.sort_by_key(|(_, prompt)| prompt.ids.len());
    let mut texts = vec![String::new(); jobs.len()];
    let progress = Progress::new("sampling", jobs.len());
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
        let soft = match (&policy.users, table) {
            (Some(users), Some(table)) if policy.user_tokens() > 0 => {
                let refs: Vec<UserRef> = chunk.iter().map(|(i, _)| jobs[*i].user.clone()).collect();
                Some(users.soft_prompt(&table.batch(&refs, &policy.model.device())?))
            }
            _ => None,
        };
        let outputs = policy
            .model
            .generate(&requests, soft, &processor, |_, _| {})?;
        for ((i, _), ids) in chunk.iter().zip(outputs) {
            texts[*i] = formatter.tokenizer().decode(&ids, true)?.trim().to_string();
        }
        progress.advance(chunk.len());
    }
    Ok(texts)
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
