//! What an experiment gives the runner.

use std::collections::BTreeMap;

use trainer::pref_data::{Comparison, Message, Prompt};
use trainer::ways;

use crate::config::UserText;
use crate::measure::{Case, Users};
use crate::newcomers::Newcomers;
use crate::report::{Data, Yardstick};

/// Comparisons of one split and what is to be done with them.
#[derive(Clone, Debug, Default)]
pub struct ExperimentData {
    /// Training comparisons, of seen users only.
    pub train: Vec<Comparison>,
    /// Comparisons for every choice.
    pub validation: Vec<Comparison>,
    /// Comparisons for every reported figure.
    pub test: Vec<Comparison>,
    /// Seen users and their groups.
    pub users: Users,
    /// What is known of every test comparison, in their order.
    pub cases: Vec<Case>,
    /// Responses to sample.
    pub tasks: Vec<SamplingTask>,
    /// Users whom nobody is trained on, but systems that say so.
    pub newcomers: Newcomers,
    /// What a judge would be asked.
    pub judged: Vec<JudgingTask>,
    /// True preferences in words, by user.
    pub preferences: BTreeMap<String, String>,
    /// What a raw prompt looks like; without effect where a chat template is used.
    pub raw: RawForm,
    /// The report's account of the data.
    pub facts: Data,
    /// Analytic accuracies by name.
    pub yardsticks: BTreeMap<String, Yardstick>,
    /// The seed of the simulated population.
    pub population_seed: Option<u64>,
}

/// What a prompt looks like to a model without chat template.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RawForm {
    /// As it is.
    #[default]
    AsIs,
    /// Text stands between two others.
    Around([String; 2]),
    /// Messages stand on lines of their own after their role, a user's text on a line before them.
    Dialogue,
}

impl RawForm {
    fn prompt(&self, prompt: Prompt) -> Prompt {
        match (self, prompt) {
            (Self::Around([before, after]), Prompt::Text(text)) => {
                Prompt::Text(format!("{before}{text}{after}"))
            }
            (Self::Dialogue, Prompt::Chat(messages)) => {
                let line = |m: &Message| format!("{}: {}\n", m.role(), m.content());
                let lines: String = messages.iter().map(line).collect();
                Prompt::Text(format!("{lines}assistant: "))
            }
            (_, prompt) => prompt,
        }
    }

    fn user_text(&self, text: Option<String>) -> Option<String> {
        match self {
            Self::Dialogue => text.map(|text| text + "\n"),
            _ => text,
        }
    }
}

/// A response to sample.
#[derive(Clone, Debug, PartialEq)]
pub struct SamplingTask {
    /// Tells the prompt from others.
    pub key: String,
    /// What is answered.
    pub prompt: Prompt,
    /// For whom; none: the generic user, or everyone.
    pub user: Option<String>,
    /// What the user says of themselves.
    pub user_text: Option<String>,
}

/// A response to judge, and what the judge is to know.
#[derive(Clone, Debug)]
pub struct JudgingTask {
    /// As [`SamplingTask::key`].
    pub key: String,
    /// Whose preference counts.
    pub user: String,
    /// The fields of the experiment's file in `configs/judge`.
    pub fields: BTreeMap<String, judge::Value>,
    /// The response that the user chose in the data.
    pub chosen: Option<String>,
}

impl ExperimentData {
    /// The responses that a system is asked for, as it sees them. One that tells users apart, by soft prompt or by text,
    /// answers all of them; one that does not answers each prompt once.
    pub fn tasks_for(&self, text: UserText, has_users: bool) -> Vec<SamplingTask> {
        let profiles = self.profiles(text);
        let as_seen = |task: &SamplingTask| {
            let (prompt, user_text) = self.prompt_with(
                (text, &profiles),
                task.user.as_deref(),
                (&task.prompt, task.user_text.as_deref()),
            );
            SamplingTask {
                prompt,
                user_text,
                ..task.clone()
            }
        };
        let tasks = self.tasks.iter();
        let tasks = tasks.filter(|task| text != UserText::Preference || task.user.is_some());
        let tasks: Vec<SamplingTask> = tasks.map(as_seen).collect();
        let tell_apart = has_users
            || text == UserText::Preference
            || tasks.iter().any(|task| task.user_text.is_some());
        match tell_apart {
            true => tasks,
            false => tasks.into_iter().filter(|t| t.user.is_none()).collect(),
        }
    }

    /// Comparisons as a system sees them, whose prompts say so much of the user.
    pub fn with_user_text(&self, side: &[Comparison], text: UserText) -> Vec<Comparison> {
        let profiles = self.profiles(text);
        let as_seen = |comparison: &Comparison| {
            let user = comparison.user.as_ref().map(|u| u.as_str());
            let (prompt, user_text) = self.prompt_with(
                (text, &profiles),
                user,
                (&comparison.prompt, comparison.user_text.as_deref()),
            );
            Comparison {
                prompt,
                user_text,
                ..comparison.clone()
            }
        };
        side.iter().map(as_seen).collect()
    }

    /// What the training comparisons say of who judged them, where a system is told it.
    fn profiles(&self, text: UserText) -> BTreeMap<&str, String> {
        if text != UserText::Profile {
            return BTreeMap::new();
        }
        let mut answers = BTreeMap::<&str, Vec<&Comparison>>::new();
        for comparison in &self.train {
            if let Some(user) = &comparison.user {
                answers.entry(user.as_str()).or_default().push(comparison);
            }
        }
        let users = answers.into_iter();
        users
            .filter_map(|(user, answers)| Some((user, ways::sentence(answers)?)))
            .collect()
    }

    /// A prompt and a user's text as a system sees them.
    fn prompt_with(
        &self,
        (text, profiles): (UserText, &BTreeMap<&str, String>),
        user: Option<&str>,
        (prompt, user_text): (&Prompt, Option<&str>),
    ) -> (Prompt, Option<String>) {
        let prompt = match text {
            UserText::Preference => self.with_preference(prompt, user),
            UserText::Own | UserText::None | UserText::Profile => prompt.clone(),
        };
        let user_text = user_text.filter(|_| text != UserText::None);
        let user_text = match user.and_then(|user| profiles.get(user)) {
            Some(profile) => Some(ways::before(user_text, profile)),
            None => user_text.map(str::to_owned),
        };
        let user_text = self.raw.user_text(user_text);
        (self.raw.prompt(prompt), user_text)
    }

    /// The prompt followed by the user's preference; unchanged where it is not known.
    fn with_preference(&self, prompt: &Prompt, user: Option<&str>) -> Prompt {
        let Some(preference) = user.and_then(|user| self.preferences.get(user)) else {
            return prompt.clone();
        };
        let with = |text: &str| format!("{} {preference}", text.trim_end());
        match prompt {
            Prompt::Text(text) => Prompt::Text(with(text)),
            Prompt::Chat(messages) => {
                let mut messages = messages.clone();
                if let Some(last) = messages.last_mut() {
                    let text = with(&last.content());
                    last.set_content(text);
                }
                Prompt::Chat(messages)
            }
        }
    }

    /// The prompts that responses are sampled for, in order.
    pub fn prompts(&self) -> Vec<(&str, &Prompt)> {
        let mut seen = std::collections::HashSet::new();
        let prompts = self.tasks.iter().filter(|t| seen.insert(&t.key));
        prompts.map(|t| (t.key.as_str(), &t.prompt)).collect()
    }
}

/// Keeps `limit` items, evenly spaced, so that every source and user has its share; 0 keeps all.
pub fn thin<T>(side: &mut Vec<T>, limit: usize) {
    if limit == 0 || side.len() <= limit {
        return;
    }
    let all = std::mem::take(side);
    let count = all.len();
    let mut taken = 0;
    for (i, item) in all.into_iter().enumerate() {
        // The next one is due as soon as its place, taken * count / limit, is reached.
        if i * limit >= taken * count {
            side.push(item);
            taken += 1;
        }
    }
}

#[cfg(test)]
mod tests;
