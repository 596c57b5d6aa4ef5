//! The table that `prlhf train --profile` ends with.

use std::time::Duration;

use terminal::{Output, Phase, Profile, duration, phases};
use trainer::TrainError;
use trainer::device;
use trainer::machine::Machine;
use trainer::profile::{PRODUCTS, roofline};

use crate::train::TrainArgs;

/// Shows where the time of a run went that took `total`.
///
/// # Errors
/// A broken stream.
pub fn print(
    args: &TrainArgs,
    profile: &Profile,
    total: Duration,
    out: &mut Output<'_>,
) -> Result<(), TrainError> {
    let (rate, origin) = match args.profile.flatten() {
        Some(given) => (given * 1e9, "given"),
        None => (
            roofline::measure(&device::main(&args.device)?),
            "the best matrix product measured just now",
        ),
    };
    out.line("")?;
    let head = ["phase", "time", "share", "GFLOP/s", "of roofline"];
    out.table(
        &head,
        &rows(&phases(&profile.totals()), total.as_secs_f64(), rate),
    )?;
    out.line(format_args!(
        "roofline: {:.0} GFLOP/s, {origin}",
        rate / 1e9
    ))?;
    out.line(format_args!("processor: {}", Machine::here()))
}

/// One row per phase, with those of its matrix products, of what made them, and of the rest of it (copies, passes over activations), then what no phase holds, then a step's passes together, then everything.
fn rows(phases: &[Phase], total: f64, roofline: f64) -> Vec<Vec<String>> {
    let row = |name: &str, seconds: f64, rate: Option<f64>| {
        let of = |value: f64| format!("{:.1} %", 100.0 * value);
        vec![
            name.to_string(),
            duration(seconds),
            of(seconds / total.max(1e-9)),
            rate.map_or_else(String::new, |rate| format!("{:.1}", rate / 1e9)),
            rate.map_or_else(String::new, |rate| of(rate / roofline)),
        ]
    };
    let mut rows = Vec::new();
    for phase in phases {
        rows.push(row(phase.name, phase.seconds, phase.rate));
        if let Some(products) = phase.products {
            let rest = (phase.seconds - products.seconds).max(0.0);
            rows.push(row("  products", products.seconds, products.rate));
            for (name, share) in PRODUCTS.iter().zip(phase.each) {
                rows.extend(share.map(|s| row(&format!("    {name}"), s.seconds, s.rate)));
            }
            rows.push(row("  the rest", rest, None));
        }
    }
    let known: f64 = phases.iter().map(|phase| phase.seconds).sum();
    rows.push(row("other", (total - known).max(0.0), None));
    let steps = [
        "data",
        "forward",
        "loss",
        "backward",
        "optimiser",
        "logging",
    ];
    let of_steps = phases.iter().filter(|phase| steps.contains(&phase.name));
    let (seconds, flops) = of_steps.fold((0.0, 0.0), |(seconds, flops), phase| {
        let own = phase.rate.unwrap_or(0.0) * phase.seconds;
        (seconds + phase.seconds, flops + own)
    });
    if seconds > 0.0 {
        rows.push(row("all steps", seconds, Some(flops / seconds)));
    }
    rows.push(row("whole run", total, None));
    rows
}

#[cfg(test)]
mod tests {
    use terminal::Share;

    use super::*;

    #[test]
    fn shares_add_up_and_the_rate_of_a_step_counts_all_its_time() {
        let phase = |name, seconds, rate| Phase {
            name,
            seconds,
            rate,
            products: None,
            each: [None; 3],
        };
        let share = |seconds, rate| Share {
            seconds,
            rate: Some(rate),
        };
        let phases = [
            phase("loading", 1.0, None),
            Phase {
                products: Some(share(1.5, 80e9)),
                each: [Some(share(1.0, 100e9)), None, Some(share(0.5, 40e9))],
                ..phase("forward", 2.0, Some(60e9))
            },
            phase("backward", 4.0, Some(45e9)),
            phase("optimiser", 2.0, None),
        ];
        let rows = rows(&phases, 10.0, 100e9);
        let text = |name: &str| {
            let row = rows.iter().find(|row| row[0] == name).expect("a row");
            row[1..].join("|")
        };
        assert_eq!(text("loading"), "1.0 s|10.0 %||");
        assert_eq!(text("forward"), "2.0 s|20.0 %|60.0|60.0 %");
        assert_eq!(text("  products"), "1.5 s|15.0 %|80.0|80.0 %");
        assert_eq!(text("    tiles"), "1.0 s|10.0 %|100.0|100.0 %");
        assert_eq!(text("    attention"), "0.5 s|5.0 %|40.0|40.0 %");
        assert!(rows.iter().all(|row| row[0] != "    gemm"));
        assert_eq!(text("  the rest"), "0.5 s|5.0 %||");
        assert_eq!(text("other"), "1.0 s|10.0 %||");
        // (2 * 60 + 4 * 45) / 8 = 37.5
        assert_eq!(text("all steps"), "8.0 s|80.0 %|37.5|37.5 %");
        assert_eq!(text("whole run"), "10.0 s|100.0 %||");
    }
}
