//! Writes a demonstration report into the folder given as argument (default `demo-report`).
//!
//! Every number in it is made up: it shows what a report looks like, not what a model can do.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use bench::report::{
    self, Accuracy, ByGroup, Claim, CurvePoint, Data, Difference, Document, Environment, Estimate,
    Finding, MeanSe, Model, RatioBand, Report, Response, Sample, Setting, SplitCounts, System,
    Trainable, UserInfo, Yardstick,
};

const MINORITY: [usize; 3] = [4, 5, 6];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "demo-report".into()),
    );
    let report = demo();
    report::write(&dir, &report)?;
    show(&Document::of(&report).terminal());
    show(&format!("wrote {}\n", dir.join("report.html").display()));
    Ok(())
}

#[allow(clippy::print_stdout, reason = "an example talks to its reader")]
fn show(text: &str) {
    print!("{text}");
}

fn demo() -> Report {
    let vanilla = made_up("vanilla-dpo", [0.98, 0.03], [21.0, 21.0, 21.0], 0.66);
    let individual = made_up("pdpo-individual", [0.97, 0.95], [24.6, 2.4, 20.1], 0.65);
    let cluster = made_up("pdpo-cluster", [0.96, 0.92], [23.9, 3.8, 20.6], 0.64);
    Report {
        experiment: "tldr".into(),
        title: "TL;DR".into(),
        preset: "demo".into(),
        seed: 1,
        population_seed: Some(123),
        notice: Some("Demonstration: every number and every text on this page is made up.".into()),
        data: data(),
        model: Model {
            source: "SmolLM2-135M-Instruct".into(),
            parameters: 134_515_008,
            sft: Some("skipped: the instruction-tuned model is the reference".into()),
        },
        systems: vec![sft(), vanilla, individual, cluster],
        yardsticks: yardsticks(),
        claims: claims(),
        settings: [
            ("T_u", "10"),
            ("alpha", "0.5"),
            ("beta", "0.1"),
            ("LoRA rank", "8"),
            ("batch", "4"),
        ]
        .map(|(name, value)| Setting {
            name: name.into(),
            value: value.into(),
        })
        .into(),
        settings_note: vec![
            difference(
                "base model",
                "SmolLM2 135M",
                "GPT-J 6B",
                "minutes on two cores instead of days on a GPU",
            ),
            difference(
                "LoRA learning rate",
                "5e-4",
                "5e-5",
                "chosen on validation data; a small model needs larger steps",
            ),
        ],
        samples: samples(),
        environment: Environment {
            command: Some("cargo xtask repro tldr --preset small".into()),
            device: Some("flex".into()),
            threads: Some(2),
            seconds: Some(1083.0),
            ..Environment::default()
        },
        ..Report::default()
    }
}

fn data() -> Data {
    let user = |id: usize| UserInfo {
        id: id.to_string(),
        group: Some(
            if MINORITY.contains(&id) {
                "minority"
            } else {
                "majority"
            }
            .into(),
        ),
        train: 520 - 40 * id as u64,
        eval: 80 - 6 * id as u64,
    };
    let side = |name: &str, counts: [u64; 5]| SplitCounts {
        name: name.into(),
        total: counts[0],
        seen_majority: Some(counts[1]),
        seen_minority: Some(counts[2]),
        unseen_majority: Some(counts[3]),
        unseen_minority: Some(counts[4]),
        ..SplitCounts::default()
    };
    Data {
        source: "made-up comparisons".into(),
        train: 3000,
        validation: Some(300),
        eval: 470,
        workers: 10,
        split_by: Some("post".into()),
        splits: vec![
            side("train", [3000, 2140, 860, 0, 0]),
            side("eval", [790, 322, 148, 204, 116]),
        ],
        users: (1..=10).map(user).collect(),
        notes: vec!["The files hold no train records; they were split by post.".into()],
        ..Data::default()
    }
}

/// A trained system around the given accuracies (majority, minority) and lengths (majority, minority, generic).
fn made_up(name: &str, accuracy: [f64; 2], words: [f64; 3], generic: f64) -> System {
    let group = |id: usize| usize::from(MINORITY.contains(&id));
    let wave = |id: usize| ((id * 7 % 5) as f64 - 2.0) / 2.0;
    let accuracies = |g: usize| -> Vec<f64> {
        (1..=10)
            .filter(|id| group(*id) == g)
            .map(|id| (accuracy[g] + 0.02 * wave(id)).clamp(0.0, 1.0))
            .collect()
    };
    let (majority, minority) = (MeanSe::of(&accuracies(0)), MeanSe::of(&accuracies(1)));
    let top = 0.7 * accuracy[0] + 0.3 * accuracy[1];
    let own = name != "vanilla-dpo";
    let per_user = |value: &dyn Fn(usize) -> f64| -> BTreeMap<_, _> {
        (1..=10)
            .map(|id| (id.to_string(), Some(value(id))))
            .collect()
    };
    System {
        name: name.into(),
        accuracy: Accuracy {
            top: Some(top),
            generic: Some(generic),
            majority,
            minority,
            per_user: per_user(&|id| (accuracy[group(id)] + 0.02 * wave(id)).clamp(0.0, 1.0)),
            by_ratio: Some(ratio_bands(accuracy)),
            ..Accuracy::default()
        },
        words: ByGroup {
            majority: own.then_some(words[0]),
            minority: own.then_some(words[1]),
            generic: Some(words[2]),
            per_user: if own {
                per_user(&|id| words[group(id)] * (1.0 + 0.1 * wave(id)))
            } else {
                BTreeMap::new()
            },
        },
        empty_share: ByGroup {
            majority: own.then_some(0.0),
            minority: own.then_some(0.38),
            generic: Some(0.0),
            per_user: if own {
                per_user(&|id| 0.38 * group(id) as f64)
            } else {
                BTreeMap::new()
            },
        },
        trainable: Trainable {
            llm: Some(2_442_240),
            users: own.then_some(63_360),
        },
        steps: Some(600),
        seconds: Some(271.0),
        comparisons_per_second: Some(8.9),
        peak_rss_bytes: Some(2_147_483_648),
        kl_to_reference: Some(14.2),
        heldout_loss: Some(2.61),
        train_curve: (0..=12)
            .map(|i| curve_point(i, accuracy, generic))
            .collect(),
        ..System::default()
    }
}

fn ratio_bands(accuracy: [f64; 2]) -> Vec<RatioBand> {
    let bands = [(1.0, Some(1.2), 40), (1.2, Some(2.0), 70), (2.0, None, 60)];
    let share = |p: f64, n: u64| Estimate::proportion((p * n as f64).round(), n);
    bands
        .map(|(lo, hi, n)| RatioBand {
            lo,
            hi,
            n,
            top: share(0.7 * accuracy[0] + 0.3 * accuracy[1], n),
            majority: share(accuracy[0], n * 7 / 10),
            minority: share(accuracy[1], n * 3 / 10),
        })
        .into()
}

fn curve_point(i: u64, accuracy: [f64; 2], generic: f64) -> CurvePoint {
    let towards = |goal: f64| Some(goal + (0.5 - goal) * (-0.45 * i as f64).exp());
    CurvePoint {
        step: 50 * i,
        loss: Some(0.693 * (-0.1 * i as f64).exp()),
        top: towards(0.7 * accuracy[0] + 0.3 * accuracy[1]),
        generic: towards(generic),
        majority: towards(accuracy[0]),
        minority: towards(accuracy[1]),
        ends_majority: Some(1e-5),
        ends_minority: Some(1e-5 * (8.0 * accuracy[1] * (i as f64 / 12.0).min(1.0)).exp()),
        ends_generic: Some(2e-5),
    }
}

fn sft() -> System {
    System {
        name: "sft".into(),
        words: ByGroup {
            generic: Some(14.2),
            ..ByGroup::default()
        },
        empty_share: ByGroup {
            generic: Some(0.0),
            ..ByGroup::default()
        },
        kl_to_reference: Some(0.0),
        heldout_loss: Some(2.55),
        ..System::default()
    }
}

fn yardsticks() -> BTreeMap<String, Yardstick> {
    let yardstick = |[top, generic, majority, minority]: [f64; 4]| Yardstick {
        top: Some(top),
        generic: Some(generic),
        majority: Some(majority),
        minority: Some(minority),
    };
    [
        ("always-longer", [0.685, 0.638, 1.0, 0.0]),
        ("perfect", [1.0, 0.638, 1.0, 1.0]),
    ]
    .map(|(name, values)| (name.to_owned(), yardstick(values)))
    .into()
}

fn claims() -> BTreeMap<String, Claim> {
    let short = "Minority users get shorter and shorter responses. P-DPO individual: median 2.00 words [1.00, 2.00], 0.08 of the \
                 majority's [0.04, 0.09]; empty 38 % [25, 50] of the minority's, 0 % [0, 0] of the majority's (in the direction: yes; \
                 as in the paper: undecided).";
    let generic = "On unseen workers the generic user is as accurate as vanilla DPO, within 5 points (95 % interval of the difference): \
                   P-DPO individual -1.0 points [-6.3, +4.2] (undecided).";
    let claim = |holds, grade: Option<&str>, text: &str| Claim {
        holds,
        grade: grade.map(String::from),
        findings: vec![Finding::default()],
        text: text.into(),
    };
    [
        (
            "e1".into(),
            claim(Some(true), Some("in the direction"), short),
        ),
        ("e2".into(), claim(None, None, generic)),
    ]
    .into()
}

fn difference(setting: &str, here: &str, paper: &str, reason: &str) -> Difference {
    Difference {
        setting: setting.into(),
        here: here.into(),
        paper: paper.into(),
        reason: reason.into(),
    }
}

fn samples() -> Vec<Sample> {
    let response = |system: &str, user: Option<&str>, text: &str| Response {
        system: system.into(),
        user: user.map(String::from),
        text: text.into(),
    };
    let long = "My neighbour's rooster crows at four every morning. I asked her twice to move the coop, she laughed, and now I \
                wonder whether I should talk to the council or buy earplugs.";
    vec![Sample {
        prompt: "SUBREDDIT: r/advice\nTITLE: The rooster next door\nPOST: A made-up post about a rooster that crows at four \
                 every morning, and about a neighbour who finds that funny.\nTL;DR:"
            .into(),
        responses: vec![
            response("sft", None, "My neighbour's rooster wakes me up at four and she does not care."),
            response("vanilla-dpo", None, long),
            response("pdpo-individual", Some("1"), long),
            response("pdpo-individual", Some("4"), "Rooster."),
            response("pdpo-individual", Some("5"), ""),
            response("pdpo-individual", None, "A rooster crows at four every morning and the neighbour laughs about it."),
            response("pdpo-cluster", Some("1"), long),
            response("pdpo-cluster", Some("4"), "Loud rooster <next door>."),
        ],
    }]
}
