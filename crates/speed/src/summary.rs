//! Ratios of the figures of a [`Contest`], ours over theirs.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};
use statistics::Quantiles;

use crate::Workload;
use crate::contest::Contest;

/// The middle of some values and the ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measure {
    /// What was measured.
    pub name: &'static str,
    /// In what.
    pub unit: &'static str,
    /// Our figures over the rounds.
    pub ours: Spread,
    /// Theirs.
    pub theirs: Spread,
    /// Ours over theirs, round by round.
    pub ratio: Spread,
}

/// What a figure is called and how it is found in a round's answer.
type Figure = (&'static str, &'static str, fn(&Value) -> Option<f64>);

const VANILLA: &str = "vanilla DPO";
const PDPO: &str = "P-DPO";
const VANILLA_MEMORY: &str = "vanilla DPO, peak memory";
const PDPO_MEMORY: &str = "P-DPO, peak memory";
const DECODE_1: &str = "decoding, batch 1";
const DECODE_8: &str = "decoding, batch 8";
const STORED_1: &str = "decoding, batch 1, ours with the file's own weights";
const STORED_8: &str = "decoding, batch 8, ours with the file's own weights";
const LLAMA_CPP_1: &str = "decoding, batch 1, the file's own weights, against llama.cpp";
const MATMUL: &str = "matrix products";

fn figures(workload: Workload) -> Vec<Figure> {
    let rate = |v: &Value| Some(v["comparisons"].as_f64()? / v["seconds"].as_f64()?);
    let memory = |v: &Value| Some(v["peak_bytes"].as_f64()? / f64::from(1 << 20));
    match workload {
        Workload::Vanilla => vec![
            (VANILLA, "comparisons/s", rate),
            (VANILLA_MEMORY, "MiB", memory),
        ],
        Workload::Pdpo => vec![(PDPO, "comparisons/s", rate), (PDPO_MEMORY, "MiB", memory)],
        Workload::Decode => vec![
            (DECODE_1, "tokens/s", |v| v["batch_1"].as_f64()),
            (DECODE_8, "tokens/s", |v| v["batch_8"].as_f64()),
            (STORED_1, "tokens/s", |v| stored(v, "stored_1", "batch_1")),
            (STORED_8, "tokens/s", |v| stored(v, "stored_8", "batch_8")),
        ],
        Workload::LlamaCpp => vec![(LLAMA_CPP_1, "tokens/s", |v| v["batch_1"].as_f64())],
        Workload::Matmul => vec![(MATMUL, "GFLOP/s", |v| Some(v["flops"].as_f64()? / 1e9))],
    }
}

/// Our figure `stored`, which is null where the file has plain weights; theirs, who have none, is `dense`.
fn stored(figures: &Value, stored: &str, dense: &str) -> Option<f64> {
    figures.get(stored).unwrap_or(&figures[dense]).as_f64()
}

/// The lines of the table; a figure that a side did not give is left out.
pub fn measures(contests: &[Contest]) -> Vec<Measure> {
    let mut measures = Vec::new();
    for contest in contests {
        for (name, unit, figure) in figures(contest.workload) {
            let pairs = contest.rounds.iter();
            let pairs = pairs.filter_map(|r| Some((figure(&r.ours)?, figure(&r.theirs)?)));
            let (ours, theirs): (Vec<f64>, Vec<f64>) = pairs.unzip();
            let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
            if let (Some(ours), Some(theirs), Some(ratio)) =
                (spread(ours), spread(theirs), spread(ratios))
            {
                measures.push(Measure {
                    name,
                    unit,
                    ours,
                    theirs,
                    ratio,
                });
            }
        }
    }
    measures
}

fn spread(values: Vec<f64>) -> Option<Spread> {
    let quantiles = Quantiles::of(values)?;
    Some(Spread {
        median: quantiles.median,
        low: quantiles.min,
        high: quantiles.max,
    })
}

/// The ratios by name, the less flattering one where there are two, then every figure.
pub fn json(contests: &[Contest], context: Map<String, Value>) -> Value {
    let measures = measures(contests);
    let ratio = |names: &[&str], choose: fn(f64, f64) -> f64| {
        let of = measures.iter().filter(|m| names.contains(&m.name));
        of.map(|m| m.ratio.median).reduce(choose)
    };
    let mut all = json!({
        "pdpo_ratio": ratio(&[PDPO], f64::min),
        "vanilla_ratio": ratio(&[VANILLA], f64::min),
        "peak_memory_ratio": ratio(&[VANILLA_MEMORY, PDPO_MEMORY], f64::max),
        "decode_ratio": ratio(&[DECODE_1, DECODE_8], f64::min),
        "llama_cpp_ratio": ratio(&[LLAMA_CPP_1], f64::min),
        "matmul_ratio": ratio(&[MATMUL], f64::min),
    });
    for (key, value) in context {
        all[key] = value;
    }
    all["measures"] = json!(measures);
    all["raw"] = json!(contests);
    all
}

/// The table in Markdown.
pub fn table(contests: &[Contest]) -> String {
    let rounds = contests.iter().map(|c| c.rounds.len()).min().unwrap_or(0);
    let mut text = format!(
        "| Median of {rounds} rounds | unit | ours | theirs | ours / theirs |\n|---|---|--:|--:|--:|\n"
    );
    for m in measures(contests) {
        let number = |value: f64| match value {
            v if v < 10.0 => format!("{v:.2}"),
            v => format!("{v:.0}"),
        };
        let Spread { median, low, high } = m.ratio;
        // invariant: writing to a string does not fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {median:.2} ({low:.2} to {high:.2}) |",
            m.name,
            m.unit,
            number(m.ours.median),
            number(m.theirs.median)
        );
    }
    text
}

/// Where the time of our training went, all rounds together, in Markdown; none where nothing was trained.
pub fn phases(contests: &[Contest]) -> Option<String> {
    let mut text = String::new();
    for contest in contests {
        let rounds = contest.rounds.iter();
        let all: f64 = rounds.filter_map(|r| r.ours["seconds"].as_f64()).sum();
        for (name, [seconds, flops, roofline]) in phases_of(contest) {
            let rate = flops / seconds;
            let rated = match flops > 0.0 {
                true => format!("{:.0} | {:.0} %", rate / 1e9, 100.0 * rate / roofline),
                false => " | ".into(),
            };
            // invariant: writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {}, {name} | {seconds:.1} s | {:.0} % | {rated} |",
                contest.workload.name(),
                100.0 * seconds / all
            );
        }
    }
    let head = "| ours, phase | time | share | GFLOP/s | of roofline |\n|---|--:|--:|--:|--:|\n";
    (!text.is_empty()).then(|| format!("{head}{text}"))
}

/// Seconds, operations and the rate of plain products (the median of the rounds), by phase.
fn phases_of(contest: &Contest) -> Vec<(&str, [f64; 3])> {
    let rounds = || contest.rounds.iter().map(|round| &round.ours);
    let rooflines = rounds().filter_map(|ours| ours["roofline"].as_f64());
    let roofline = spread(rooflines.collect()).map_or(f64::NAN, |spread| spread.median);
    let mut found: Vec<(&str, [f64; 3])> = Vec::new();
    for phase in rounds()
        .filter_map(|ours| ours["phases"].as_array())
        .flatten()
    {
        let (Some(name), Some(seconds)) = (phase["name"].as_str(), phase["seconds"].as_f64())
        else {
            continue;
        };
        let at = found.iter().position(|(known, _)| *known == name);
        let at = at.unwrap_or_else(|| {
            found.push((name, [0.0, 0.0, roofline]));
            found.len() - 1
        });
        found[at].1[0] += seconds;
        found[at].1[1] += phase["flops"].as_f64().unwrap_or(0.0);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::Round;

    fn contest(workload: Workload, rounds: &[(Value, Value)]) -> Contest {
        let rounds = rounds.iter().cloned();
        Contest {
            workload,
            ours: json!({}),
            theirs: json!({}),
            rounds: rounds
                .map(|(ours, theirs)| Round { ours, theirs })
                .collect(),
        }
    }

    fn trained(seconds: f64, mib: u64) -> Value {
        json!({"comparisons": 12, "seconds": seconds, "peak_bytes": mib << 20})
    }

    fn contests() -> Vec<Contest> {
        let ours = json!({"batch_1": 30.0, "batch_8": 99.0, "stored_1": 60.0, "stored_8": null});
        let theirs = json!({"batch_1": 15.0, "batch_8": 100.0});
        vec![
            contest(
                Workload::Vanilla,
                &[
                    (trained(12.0, 500), trained(24.0, 1000)),
                    (trained(10.0, 600), trained(40.0, 1000)),
                    (trained(12.0, 600), trained(36.0, 1000)),
                ],
            ),
            contest(Workload::Pdpo, &[(trained(20.0, 800), trained(50.0, 1000))]),
            contest(Workload::Decode, &[(ours, theirs)]),
        ]
    }

    #[test]
    fn ratios_are_taken_round_by_round_and_the_worse_of_two_counts() {
        let all = json(&contests(), Map::new());
        assert_eq!(all["vanilla_ratio"], 3.0);
        assert_eq!(all["pdpo_ratio"], 2.5);
        assert_eq!(all["peak_memory_ratio"], 0.8);
        assert_eq!(all["decode_ratio"], 0.99);
        assert_eq!(all["matmul_ratio"], Value::Null);
        assert_eq!(
            all["measures"][0]["ratio"],
            json!({"median": 3.0, "low": 2.0, "high": 4.0})
        );
        assert_eq!(all["raw"][0]["rounds"][1]["ours"]["seconds"], 10.0);
    }

    #[test]
    fn the_table_has_a_line_per_figure() {
        let text = table(&contests());
        let line = "| vanilla DPO | comparisons/s | 1.00 | 0.33 | 3.00 (2.00 to 4.00) |";
        assert!(text.contains(line), "{text}");
        // What the file does not store has no line.
        let line = "ours with the file's own weights | tokens/s | 60 | 15 | 4.00 (4.00 to 4.00) |";
        assert!(text.contains(line), "{text}");
        assert_eq!(text.lines().count(), 2 + 7);
    }

    #[test]
    fn phases_are_added_up_over_the_rounds() {
        let round = |seconds: f64, flops: f64| {
            let mut ours = trained(2.0 * seconds, 500);
            ours["phases"] = json!([
                {"name": "forward", "seconds": seconds, "flops": flops},
                {"name": "optimiser", "seconds": 0.5, "flops": null},
            ]);
            ours["roofline"] = json!(200e9);
            (ours, trained(9.0, 500))
        };
        let rounds = [round(1.0, 60e9), round(3.0, 340e9)];
        let contests = [contest(Workload::Pdpo, &rounds)];
        let text = phases(&contests).unwrap();
        // 400 GFLOP in 4 of 8 seconds.
        assert!(
            text.contains("| pdpo, forward | 4.0 s | 50 % | 100 | 50 % |"),
            "{text}"
        );
        assert!(
            text.contains("| pdpo, optimiser | 1.0 s | 12 % |  |  |"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 4);
        assert_eq!(phases(&self::contests()), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        let found = spread(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!((found.median, found.low, found.high), (2.5, 1.0, 4.0));
        assert_eq!(spread(Vec::new()), None);
    }
}
