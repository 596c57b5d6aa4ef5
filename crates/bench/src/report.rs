//! Reports of an experiment: the data of `report.json`, and the same shown as HTML, Markdown, SVG plots and text.
//!
//! Fill a [`Report`], then [`write()`] it into the run folder. A [`Document`] is built of it once, and shown in three forms;
//! nothing here measures or reads data.

mod best_of;
mod claim;
mod document;
mod facts;
mod files;
pub(crate) mod format;
mod html;
mod markdown;
mod measures;
mod model;
mod samples;
mod svg;
mod system;
mod table;
mod tables;
mod terminal;

pub use claim::{Claim, Finding};
pub(crate) use claim::{all, any};
pub use document::Document;
pub use files::{read, recover, write};
pub use measures::{BestOf, Duel, MeasuredText, ServedUsers, TextMeasure};
pub use model::{
    Data, Difference, Environment, Model, Report, Response, Sample, Setting, SplitCounts, UserInfo,
    Yardstick,
};
pub use svg::Figure;
pub use system::{
    Accuracy, ByGroup, CurvePoint, Estimate, MeanSe, PerUser, RatioBand, System, Trainable,
};
pub use table::Table;
