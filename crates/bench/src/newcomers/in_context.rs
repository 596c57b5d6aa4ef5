//! Newcomers who are served by their answers in the prompt.

use std::time::Instant;

use trainer::TrainError;
use trainer::example::Example;
use trainer::ways::{InPrompt, Shown, longer_by};

use super::figures::Way;
use super::measure::Tokenised;
use super::{How, Scorer, Served};

impl Scorer<'_> {
    /// The tests behind the first answers, and behind those of them that are most like each test, as many as fit: prompt and response
    /// take at most `most` tokens. The reference log-probs are those without answers.
    pub(super) fn in_context(
        &self,
        id: &str,
        of: &Tokenised,
        counts: &[usize],
        most: usize,
    ) -> Result<Vec<Served>, TrainError> {
        let (plain, answers) = (of.tests.examples(None), of.answers.examples(None));
        let prompt = InPrompt::new(self.engine, &plain, &answers, most);
        let start = Instant::now();
        let likeness = prompt.likeness(self.engine, &self.progress)?;
        // A test's own prompt would have to be read in any case.
        let each = start.elapsed().as_secs_f64() / (plain.len() + answers.len()) as f64;
        let mut found = Vec::new();
        for &count in counts {
            let shown = prompt.first(count);
            found.push(self.behind(id, (How::InContext, count), (&prompt, &plain), &shown, 0.0)?);
        }
        for &count in counts {
            let (way, shown) = ((How::Retrieved, count), prompt.nearest(&likeness, count));
            found.push(self.behind(id, way, (&prompt, &plain), &shown, each * count as f64)?);
        }
        Ok(found)
    }

    fn behind(
        &self,
        id: &str,
        way: Way,
        (prompt, plain): (&InPrompt<'_>, &[Example]),
        shown: &[Shown],
        seconds: f64,
    ) -> Result<Served, TrainError> {
        let examples = prompt.examples(self.task, shown, &self.progress)?;
        let numbers: Vec<f64> = shown.iter().map(|shown| shown.len() as f64).collect();
        Ok(Served {
            tokens: statistics::mean(&longer_by(&examples, plain)).unwrap_or(0.0),
            shown: statistics::mean(&numbers),
            ..self.served(id, way, self.margins_of(None, &examples)?, seconds)
        })
    }
}
