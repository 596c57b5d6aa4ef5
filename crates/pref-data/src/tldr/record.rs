//! One published comparison of two summaries.

use serde_json::{Map, Value, json};

use crate::seed::text_hash;
use crate::types::{Comparison, Prompt, UserId};

/// What was summarised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A Reddit post.
    Post {
        /// Its text.
        text: String,
        /// Where it was posted, without `r/`.
        subreddit: Option<String>,
    },
    /// A news article (CNN/DM).
    Article {
        /// Its text.
        text: String,
        /// The paper.
        site: Option<String>,
    },
}

impl Body {
    /// The text of post or article.
    pub fn text(&self) -> &str {
        match self {
            Body::Post { text, .. } | Body::Article { text, .. } => text,
        }
    }
}

/// One summary and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The text as published, mostly with a leading space. The space is kept: it is how the text follows its prompt, and
    /// what tokenizers expect of a continuation.
    pub text: String,
    /// The policy that wrote it.
    pub policy: String,
    /// The annotator's remark.
    pub note: Option<String>,
}

/// One record of the official files, unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TldrRecord {
    /// Name of the post; some human-edited records have none (see [`TldrRecord::post_key`]).
    pub id: Option<String>,
    /// Title of the post or article.
    pub title: Option<String>,
    /// What was summarised.
    pub body: Body,
    /// The two summaries.
    pub summaries: [Summary; 2],
    /// Index of the summary that the annotator preferred, 0 or 1.
    pub choice: usize,
    /// The annotator.
    pub worker: UserId,
    /// Name of the collection round.
    pub batch: Option<String>,
    /// `train`, `valid1` or `valid2`.
    pub split: String,
    /// How sure the annotator was, 1 to 9.
    pub confidence: Option<i64>,
}

impl TldrRecord {
    /// The unit that splits keep together: the post's id, or a hash of its text where there is none.
    pub fn post_key(&self) -> String {
        match &self.id {
            Some(id) => id.clone(),
            None => format!("text-{:016x}", text_hash(&[self.body.text()])),
        }
    }

    /// The prompt of the paper's code (reference 4.1, step 5): subreddit, title, post, and the cue `TL;DR: ` with its
    /// trailing space. An article has no subreddit, so that line is left out; so is a missing title's.
    pub fn prompt(&self) -> String {
        let mut prompt = String::new();
        if let Body::Post {
            subreddit: Some(name),
            ..
        } = &self.body
        {
            prompt.push_str(&format!("SUBREDDIT: r/{name}\n"));
        }
        if let Some(title) = &self.title {
            prompt.push_str(&format!("TITLE: {title}\n"));
        }
        prompt.push_str(&format!("POST: {}\nTL;DR: ", self.body.text()));
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
    pub(crate) fn comparison(&self, chosen: usize) -> Option<Comparison> {
        let [first, second] = &self.summaries;
        if first.text == second.text {
            return None;
        }
        let (chosen, rejected) = if chosen == 0 {
            (first, second)
        } else {
            (second, first)
        };
        Some(Comparison {
            user: Some(self.worker.clone()),
            user_text: None,
            prompt: Prompt::Text(self.prompt()),
            chosen: chosen.text.clone(),
            rejected: rejected.text.clone(),
            source: self.post_key(),
            group: None,
        })
    }

    /// The record in the official layout, fields in the official order.
    pub fn to_json(&self) -> Value {
        let summaries: Vec<Value> = self
            .summaries
            .iter()
            .map(|summary| json!({"text": summary.text, "policy": summary.policy, "note": summary.note}))
            .collect();
        let mut extra = Map::new();
        if let Some(confidence) = self.confidence {
            extra.insert("confidence".into(), confidence.into());
        }
        json!({
            "info": self.info(),
            "split": self.split,
            "summaries": summaries,
            "choice": self.choice,
            "worker": self.worker,
            "batch": self.batch,
            "extra": extra,
        })
    }

    fn info(&self) -> Map<String, Value> {
        let mut info = Map::new();
        let mut put = |name: &str, value: Option<&String>| {
            if let Some(text) = value {
                info.insert(name.into(), Value::String(text.clone()));
            }
        };
        put("id", self.id.as_ref());
        match &self.body {
            Body::Post { text, subreddit } => {
                put("post", Some(text));
                put("title", self.title.as_ref());
                put("subreddit", subreddit.as_ref());
            }
            Body::Article { text, site } => {
                put("site", site.as_ref());
                put("title", self.title.as_ref());
                put("article", Some(text));
            }
        }
        info
    }
}
