//! Between the training thread and the thread of the [`Monitor`], which need be neither `Send` nor `'static`.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::metrics::Line;
use crate::session::Monitor;

enum Message {
    Line(Arc<Line>, usize),
    ShouldStop,
}

/// The training thread's end.
pub(super) struct Relay {
    messages: Sender<Message>,
    answers: Receiver<bool>,
}

/// The monitor's end.
pub(super) struct Desk {
    messages: Receiver<Message>,
    answers: Sender<bool>,
}

/// Both ends.
pub(super) fn pair() -> (Relay, Desk) {
    let (to_desk, messages) = channel();
    let (to_relay, answers) = channel();
    let relay = Relay {
        messages: to_desk,
        answers,
    };
    let desk = Desk {
        messages,
        answers: to_relay,
    };
    (relay, desk)
}

impl Relay {
    /// Passes a line on, without waiting.
    pub fn line(&self, line: Arc<Line>, total: usize) {
        let _ = self.messages.send(Message::Line(line, total)); // No monitor any more: `should_stop` says so.
    }

    /// The monitor's word once it has seen all lines so far; true if it is gone.
    pub fn should_stop(&self) -> bool {
        let sent = self.messages.send(Message::ShouldStop);
        sent.is_err() || self.answers.recv().unwrap_or(true)
    }
}

impl Desk {
    /// Serves until the training thread drops its end.
    pub fn serve(self, monitor: &mut dyn Monitor) {
        for message in &self.messages {
            match message {
                Message::Line(line, total) => monitor.line(&line, total),
                Message::ShouldStop => {
                    let _ = self.answers.send(monitor.should_stop()); // Gone: the loop ends.
                }
            }
        }
    }
}
