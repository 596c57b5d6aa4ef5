//! One published comparison of two summaries.

use crate::comparison::{Comparison, Prompt, UserId};
use crate::hash::text_hash;

/// One summary and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The text as published, mostly with a leading space. The space is kept: it is how the text follows its prompt, and
    /// what tokenizers expect of a continuation.
    pub text: String,
    /// The policy that wrote it.
    pub policy: String,
}

/// What the experiment reads of one record of the official files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TldrRecord {
    /// Name of the post; some human-edited records have none (see [`TldrRecord::post_key`]).
    pub id: Option<String>,
    /// Title of the post or article.
    pub title: Option<String>,
    /// What was summarised: a Reddit post, or a news article (CNN/DM).
    pub text: String,
    /// Where a post stood, without `r/`.
    pub subreddit: Option<String>,
    /// The two summaries.
    pub summaries: [Summary; 2],
    /// Index of the summary that the annotator preferred, 0 or 1.
    pub choice: usize,
    /// The annotator.
    pub worker: UserId,
    /// `train`, `valid1` or `valid2`.
    pub split: String,
}

impl TldrRecord {
    /// The unit that splits keep together: the post's id, or a hash of its text where there is none.
    pub fn post_key(&self) -> String {
        match &self.id {
            Some(id) => id.clone(),
            None => format!("text-{:016x}", text_hash(&[&self.text])),
        }
    }

    /// The prompt of the paper's code (reference 4.1, step 5): subreddit, title, post, and the cue `TL;DR: ` with its
    /// trailing space. An article has no subreddit, so that line is left out; so is a missing title's.
    pub fn prompt(&self) -> String {
        let mut prompt = String::new();
        if let Some(name) = &self.subreddit {
            prompt.push_str(&format!("SUBREDDIT: r/{name}\n"));
        }
        if let Some(title) = &self.title {
            prompt.push_str(&format!("TITLE: {title}\n"));
        }
        prompt.push_str(&format!("POST: {}\nTL;DR: ", self.text));
        prompt
    }

    /// Whether the record belongs to the official training part.
    pub fn is_train(&self) -> bool {
        self.split == "train"
    }

    /// The comparison as the annotator really decided it; `None` if the two texts are equal.
    pub fn stated(&self) -> Option<Comparison> {
        self.comparison(self.choice)
    }

    /// The comparison in which the summary with this index is chosen; `None` if the two texts are equal.
    pub(super) fn comparison(&self, chosen: usize) -> Option<Comparison> {
        let [first, second] = &self.summaries;
        if first.text == second.text {
            return None;
        }
        let (chosen, rejected) = if chosen == 0 {
            (first, second)
        } else {
            (second, first)
        };
        // The official summaries begin with a space; then the cue needs none.
        let mut prompt = self.prompt();
        if self.summaries.iter().all(|s| s.text.starts_with(' ')) {
            prompt.truncate(prompt.trim_end().len());
        }
        Some(Comparison {
            user: Some(self.worker.clone()),
            user_text: None,
            prompt: Prompt::Text(prompt),
            chosen: chosen.text.clone(),
            rejected: rejected.text.clone(),
            source: self.post_key(),
            template: Default::default(),
            place: Default::default(),
            group: None,
            thumb: None,
        })
    }
}
