//! What happens in a session as burn-train's events.
//!
//! An epoch is a pass over the data. A validation in its midst closes the training split, and the next step opens it
//! again, so that splits never overlap; steps count on within the epoch.

use burn::data::dataloader::Progress;
use burn::train::{
    EventProcessorTraining, LearnerEvent, SupervisedTrainingEventProcessor, TrainingItem,
};

use super::item::{Item, Proxy};
use super::scalar::item;
use crate::metrics::Line;
use crate::schedule::Rates;

type Event = LearnerEvent<Item>;

/// Sends events. One that burn-train cannot process is logged; training does not end for it.
pub(super) struct Events {
    processor: SupervisedTrainingEventProcessor<Proxy>,
    per_epoch: usize,
    /// The epoch whose training split is open.
    open: Option<usize>,
}

impl Events {
    /// Events of a run with `per_epoch` steps an epoch.
    pub fn new(processor: SupervisedTrainingEventProcessor<Proxy>, per_epoch: usize) -> Self {
        Self {
            processor,
            per_epoch,
            open: None,
        }
    }

    /// A step is done.
    pub fn step(&mut self, line: &Line, rates: &Rates) {
        let (step, epoch) = (line.step, self.epoch(line.step));
        if self.open.is_none() {
            self.open = Some(epoch);
            self.train(start(epoch, self.per_epoch));
        }
        let done = (step - 1) % self.per_epoch + 1;
        let progress = Progress::new(done, self.per_epoch, Some("steps".into()));
        let rates = Some(rates.module.clone());
        let item = TrainingItem::new(item(line), progress, Some(step), rates);
        self.train(LearnerEvent::ProcessedItem(item));
    }

    /// A validation is done.
    pub fn validation(&mut self, line: &Line) {
        let epoch = self.epoch(line.step);
        self.end_split();
        let count = line.count_by_user.values().sum::<u64>() as usize;
        let progress = Progress::new(count, count, Some("comparisons".into()));
        let step = Some(line.step);
        let item = TrainingItem::new(item(line), progress, step, None);
        self.validate(start(epoch, count));
        self.validate(LearnerEvent::ProcessedItem(item));
        self.validate(LearnerEvent::EndSplit(epoch));
    }

    /// Everything about this step is said; an epoch may end here.
    pub fn end_step(&mut self, step: usize) {
        if step.is_multiple_of(self.per_epoch) {
            self.end_split();
            self.train(LearnerEvent::EndEpoch(self.epoch(step)));
        }
    }

    /// Ends what is open and gives the processor back.
    pub fn close(mut self) -> SupervisedTrainingEventProcessor<Proxy> {
        self.end_split();
        self.processor
    }

    /// The epoch of a step; both count from 1.
    fn epoch(&self, step: usize) -> usize {
        (step - 1) / self.per_epoch + 1
    }

    fn end_split(&mut self) {
        if let Some(epoch) = self.open.take() {
            self.train(LearnerEvent::EndSplit(epoch));
        }
    }

    fn train(&mut self, event: Event) {
        if let Err(error) = self.processor.process_train(event) {
            tracing::warn!("training metrics are not shown: {error}");
        }
    }

    fn validate(&mut self, event: Event) {
        if let Err(error) = self.processor.process_valid(event) {
            tracing::warn!("validation metrics are not shown: {error}");
        }
    }
}

fn start(epoch_number: usize, total_items: usize) -> Event {
    LearnerEvent::StartSplit {
        epoch_number,
        total_items,
    }
}
