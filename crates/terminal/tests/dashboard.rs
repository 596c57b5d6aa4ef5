//! What burn-train's renderers hear of a run.

mod recorder;

use recorder::Recorder;
use terminal::Dashboard;
use trainer::metrics::Line;
use trainer::monitor::{Monitor, Plan, Stop};
use trainer::progress::Quiet;

fn line(split: &str, step: usize) -> Line {
    Line {
        split: split.into(),
        step,
        loss: step as f64 / 8.0,
        grad_norm: (split == "train").then_some(1.0),
        count_by_user: [("ann".into(), 2), ("ben".into(), 1)].into(),
        ..Line::default()
    }
}

/// Two epochs of three steps, a validation after every second step.
fn run(dashboard: &mut dyn Monitor, from: usize) {
    let plan = Plan {
        done: from,
        total: 6,
        per_epoch: 3,
    };
    dashboard.start(&plan);
    for step in from + 1..=6 {
        dashboard.line(&line("train", step), 6);
        if step % 2 == 0 {
            dashboard.line(&line("validation", step), 6);
        }
    }
}

#[test]
fn it_hears_of_every_step_and_validation() {
    let recorder = Recorder::default();
    let mut dashboard = Dashboard::with_renderer(Quiet, Box::new(recorder.clone()));
    run(&mut dashboard, 0);
    assert_eq!(dashboard.stop(), None);
    drop(dashboard);
    let losses = |steps: &[usize]| -> Vec<f32> { steps.iter().map(|&s| s as f32 / 8.0).collect() };
    assert_eq!(
        recorder.values("train", "loss"),
        losses(&[1, 2, 3, 4, 5, 6])
    );
    assert_eq!(recorder.values("valid", "loss"), losses(&[2, 4, 6]));
    assert_eq!(recorder.values("train", "grad_norm"), [1.0; 6]);
    assert!(recorder.values("valid", "grad_norm").is_empty());
    let expected = [
        "start 2 epochs at 1",
        "train 3: 1 2",
        "valid 3: 3",
        "train 3: 3",
        "epoch 1",
        "train 3: 1",
        "valid 3: 3",
        "train 3: 2 3",
        "valid 3: 3",
        "epoch 2",
        "end",
    ];
    assert_eq!(recorder.progress(), expected);
}

#[test]
fn a_run_that_goes_on_begins_in_its_epoch() {
    let recorder = Recorder::default();
    let mut dashboard = Dashboard::with_renderer(Quiet, Box::new(recorder.clone()));
    run(&mut dashboard, 5);
    drop(dashboard);
    assert_eq!(
        recorder.progress()[..2],
        ["start 2 epochs at 2", "train 3: 3"]
    );
}

/// Its user says stop; burn-train's own renderer panics so where the user wants it at once.
struct Stopping;

impl Monitor for Stopping {
    fn line(&mut self, _: &Line, _: usize) {}

    fn stop(&self) -> Option<Stop> {
        Some(Stop::AfterSaving)
    }
}

#[test]
fn who_watches_beside_it_may_stop_the_run() {
    let mut dashboard = Dashboard::with_renderer(Stopping, Box::new(Recorder::default()));
    run(&mut dashboard, 0);
    assert_eq!(dashboard.stop(), Some(Stop::AfterSaving));
}

#[test]
fn a_renderer_that_was_killed_stops_the_run_at_once() {
    let recorder = Recorder::killed();
    let mut dashboard = Dashboard::with_renderer(Quiet, Box::new(recorder));
    run(&mut dashboard, 0);
    assert_eq!(dashboard.stop(), Some(Stop::AtOnce));
}
