//! Reports of an experiment: the data of `report.json`, and the same shown as HTML, Markdown, SVG plots and text.
//!
//! Fill a [`Report`], then [`write()`] it into the run folder and print [`terminal::render`]. The tables are made once
//! ([`tables`], [`facts`]) and shown by three renderers; nothing here measures or reads data.

pub mod facts;
pub(crate) mod format;
pub mod gallery;
pub mod html;
pub mod markdown;
mod measures;
mod model;
pub mod svg;
mod system;
pub mod tables;
pub mod terminal;
mod write;

pub use measures::{Duel, MeasuredText, TextMeasure};
pub use model::{
    Data, Difference, Environment, Model, Report, Response, Sample, Setting, SplitCounts, UserInfo,
    Verdict, Yardstick,
};
pub use system::{
    Accuracy, ByGroup, CurvePoint, Estimate, MeanSe, PerUser, RatioBand, System, Trainable,
    system_title,
};
pub use write::{ReportError, read, write};
