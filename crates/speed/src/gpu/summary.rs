//! The page of a visit, from what its parts left.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use terminal::{bytes, duration};
use trainer::TrainError;

use super::Visit;
use super::card::Card;
use super::checks::Check;
use super::part::{Finished, Part};
use super::rungs::Rung;

/// Lines of JSON, as far as they are whole; none where there is no file.
///
/// # Errors
/// A file that cannot be read.
pub fn lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, TrainError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(TrainError::io(path, error)),
    };
    let read = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    Ok(read.collect())
}

/// The page, in Markdown.
pub fn page(visit: &Visit, card: Option<&Card>, done: &[(Part, Finished)]) -> String {
    let mut page = String::from("# A first look at a GPU\n\n");
    let title = match card {
        Some(card) => card.to_string(),
        None => format!(
            "A rehearsal on `{}`: no figure here means anything",
            visit.device
        ),
    };
    add(
        &mut page,
        format_args!(
            "{title}. Program version {}.\n\n",
            env!("CARGO_PKG_VERSION")
        ),
    );
    add(
        &mut page,
        format_args!("| part | how it ended | most memory on the GPU |\n|---|---|--:|\n"),
    );
    for (part, finished) in done {
        let memory = finished.gpu_mib.map_or("".into(), |mib| bytes(mib << 20));
        let name = part.name();
        add(
            &mut page,
            format_args!("| {name} ({name}.log) | {finished} | {memory} |\n"),
        );
    }
    for (part, _) in done {
        let path = visit.out.join(part.file());
        let text = match part {
            Part::Checks => lines(&path).map(|checks: Vec<Check>| of_checks(&checks)),
            Part::Tldr => Ok(of_tldr(&path, visit)),
            Part::Rungs => lines(&path).map(|rungs: Vec<Rung>| of_rungs(&rungs)),
        };
        page += &text.unwrap_or_else(|error| format!("\n{error}\n"));
    }
    page
}

/// Writing to a string cannot fail.
fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = page.write_fmt(text);
}

fn of_checks(checks: &[Check]) -> String {
    let mut text =
        String::from("\n## Is it right\n\n| check | difference | allowed | |\n|---|--:|--:|---|\n");
    for check in checks {
        let Check {
            what,
            difference,
            limit,
        } = check;
        let word = if check.is_good() { "good" } else { "**WRONG**" };
        add(
            &mut text,
            format_args!("| {what} | {difference:.1e} | {limit:.0e} | {word} |\n"),
        );
    }
    text
}

/// From the report of the run, which is written after each system.
fn of_tldr(folder: &Path, visit: &Visit) -> String {
    let preset = match visit.small_model.is_some() && visit.device.starts_with("cuda") {
        true => "small",
        false => "tiny",
    };
    let mut text = format!("\n## Does it learn: TL;DR, `{preset}`\n\n");
    let report = fs::read_to_string(folder.join("report.json")).ok();
    let report: Option<Value> = report.and_then(|text| serde_json::from_str(&text).ok());
    let Some(report) = report else {
        return text + "No system was finished.\n";
    };
    text += "| system | accuracy, seen workers | majority | minority | comparisons per second |\n|---|--:|--:|--:|--:|\n";
    for system in report["systems"].as_array().into_iter().flatten() {
        let name = system["name"].as_str().unwrap_or_default();
        let share = |key: &str| {
            let value = &system["accuracy"][key];
            let value = value.as_f64().or(value["mean"].as_f64());
            value.map_or_else(String::new, |value| format!("{:.1} %", 100.0 * value))
        };
        let rate = system["comparisons_per_second"].as_f64();
        let rate = rate.map_or_else(String::new, |rate| format!("{rate:.1}"));
        let [top, majority, minority] = ["top", "majority", "minority"].map(share);
        add(
            &mut text,
            format_args!("| {name} | {top} | {majority} | {minority} | {rate} |\n"),
        );
    }
    text
}

fn of_rungs(rungs: &[Rung]) -> String {
    let mut text = String::from(
        "\n## How fast is it: P-DPO, random weights in bf16, prompts of 300 and responses of 40 tokens\n\n\
         | model | rows at a time | computed again | memory by the estimate | first step | a step of 16 | comparisons per second | TFLOP/s |\n\
         |---|--:|---|--:|--:|--:|--:|--:|\n",
    );
    for rung in rungs {
        if let Some(reason) = &rung.left_out {
            add(
                &mut text,
                format_args!("| {} | | | | | left out: {reason} | | |\n", rung.name),
            );
            continue;
        }
        add(
            &mut text,
            format_args!(
                "| {} | {} | {} | {} | {} | {} | {:.2} | {:.2} |\n",
                rung.name,
                rung.micro_rows,
                rung.checkpointing,
                bytes(rung.estimate),
                duration(rung.first),
                duration(rung.seconds),
                rung.comparisons,
                rung.flops / 1e12
            ),
        );
    }
    text
}
