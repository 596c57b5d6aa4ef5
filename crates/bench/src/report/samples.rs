//! Sampled responses: each prompt with the answers of every system, those for several users side by side.

use serde::Serialize;

use super::format::words;
use super::model::{Report, Response, Sample};

/// A prompt and its answers.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Exchange {
    pub(super) prompt: String,
    /// First the systems that answer everyone alike, then a row for each of the others.
    pub(super) rows: Vec<Row>,
}

/// Answers side by side.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) title: String,
    pub(super) answers: Vec<Answer>,
}

/// One answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Answer {
    /// What tells it from the others of its row.
    pub(super) name: String,
    /// The user's group, for example `minority`.
    pub(super) group: Option<String>,
    /// `3 words`
    pub(super) length: String,
    /// Possibly empty.
    pub(super) text: String,
}

/// A sample as it is shown.
pub(super) fn exchange(report: &Report, sample: &Sample) -> Exchange {
    let of = |name: &str| -> Vec<&Response> {
        let responses = sample.responses.iter();
        responses.filter(|r| r.system == name).collect()
    };
    let systems = report
        .systems
        .iter()
        .map(|s| (s.name.as_str(), of(&s.name)));
    let (alike, apart): (Vec<_>, Vec<_>) = systems
        .filter(|(_, responses)| !responses.is_empty())
        .partition(|(_, responses)| responses.iter().all(|r| r.user.is_none()));
    let alike: Vec<Answer> = alike
        .iter()
        .flat_map(|(name, responses)| {
            responses
                .iter()
                .map(|r| answer(report, r, report.title_of(name).into()))
        })
        .collect();
    let alike = (!alike.is_empty()).then(|| Row {
        title: "The same for everyone".into(),
        answers: alike,
    });
    let apart = apart.iter().map(|(name, responses)| Row {
        title: report.title_of(name).into(),
        answers: responses
            .iter()
            .map(|r| answer(report, r, report.reader_title(name, r.user.as_deref())))
            .collect(),
    });
    Exchange {
        prompt: sample.prompt.clone(),
        rows: alike.into_iter().chain(apart).collect(),
    }
}

fn answer(report: &Report, response: &Response, name: String) -> Answer {
    let group = response.user.as_deref().and_then(|user| report.group(user));
    let count = words(&response.text);
    let plural = if count == 1 { "" } else { "s" };
    Answer {
        name,
        group: group.map(str::to_owned),
        length: format!("{count} word{plural}"),
        text: match count {
            0 => String::new(),
            _ => response.text.trim().to_owned(),
        },
    }
}
