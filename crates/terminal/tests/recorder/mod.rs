//! A burn-train renderer that remembers what it was told.

use std::sync::{Arc, Mutex};

use burn_train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn_train::metric::{MetricDefinition, NumericEntry};
use burn_train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};

#[derive(Default)]
struct Heard {
    definitions: Vec<MetricDefinition>,
    /// Split, metric and value of every numeric entry that is no mean.
    values: Vec<(&'static str, String, f32)>,
    progress: Vec<String>,
    killed: bool,
}

#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Heard>>);

impl Recorder {
    /// One whose user said stop at once.
    pub fn killed() -> Self {
        let recorder = Self::default();
        recorder.0.lock().unwrap().killed = true;
        recorder
    }

    /// All values of a metric in a split.
    pub fn values(&self, split: &str, metric: &str) -> Vec<f32> {
        let heard = self.0.lock().unwrap();
        let of = heard.values.iter();
        of.filter(|(s, m, _)| (*s, m.as_str()) == (split, metric))
            .map(|(_, _, value)| *value)
            .collect()
    }

    /// Starts and ends; a split with its size and the items done.
    pub fn progress(&self) -> Vec<String> {
        self.0.lock().unwrap().progress.clone()
    }

    fn say(&self, text: String) {
        self.0.lock().unwrap().progress.push(text);
    }

    fn value(&self, split: &'static str, state: MetricState) {
        let MetricState::Numeric(
            entry,
            Some(NumericEntry::Aggregated {
                aggregated_value: value,
                ..
            }),
        ) = state
        else {
            return;
        };
        let mut heard = self.0.lock().unwrap();
        let mut known = heard.definitions.iter();
        let definition = known.find(|d| d.metric_id == entry.metric_id);
        let name = definition.expect("registered").name.to_string();
        heard.values.push((split, name, value as f32));
    }
}

impl MetricsRenderer for Recorder {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        self.0.lock().unwrap().definitions.push(definition);
    }
}

impl MetricsRendererTraining for Recorder {
    fn update_train(&mut self, state: MetricState) {
        self.value("train", state);
    }

    fn update_valid(&mut self, state: MetricState) {
        self.value("valid", state);
    }
}

impl MetricsRendererEvaluation for Recorder {
    fn update_test(&mut self, _: EvaluationName, _: MetricState) {}
}

impl TrainingProgressLogger for Recorder {
    fn start(&mut self, epochs: usize, first: usize, _: Option<usize>, _: Option<&str>) {
        self.say(format!("start {epochs} epochs at {first}"));
    }

    fn update_epoch(&mut self, epoch: usize) {
        self.say(format!("epoch {epoch}"));
    }

    fn start_split(&mut self, split: &str, total: usize) {
        self.say(format!("{split} {total}:"));
    }

    fn update_split(&mut self, done: usize) {
        let mut heard = self.0.lock().unwrap();
        if heard.killed {
            drop(heard);
            panic!("Killing training from user input.");
        }
        let split = heard.progress.last_mut().expect("a split is open");
        *split += &format!(" {done}");
    }

    fn end_split(&mut self) {}

    fn end(&mut self) {
        self.say("end".into());
    }

    fn log_event_training(&mut self, _: String) {}
}

impl EvaluationProgressLogger for Recorder {
    fn start_global_progress(&mut self, _: usize) {}

    fn start_test(&mut self, _: &str, _: usize) {}

    fn update_test_progress(&mut self, _: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _: String) {}
}
