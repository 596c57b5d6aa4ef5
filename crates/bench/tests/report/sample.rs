//! The report that the tests render.

use std::collections::BTreeMap;

use bench::report::{
    Accuracy, ByGroup, Claim, CurvePoint, Data, Estimate, MeanSe, Model, RatioBand, Report,
    Response, Sample, System, Trainable, UserInfo, Yardstick,
};

fn user(id: &str, group: &str) -> UserInfo {
    UserInfo {
        id: id.into(),
        group: Some(group.into()),
        train: 40,
        eval: 10,
    }
}

fn per_user(values: [f64; 3]) -> BTreeMap<String, Option<f64>> {
    ["1", "2", "10"]
        .into_iter()
        .map(String::from)
        .zip(values.map(Some))
        .collect()
}

fn mean_se(mean: f64, se: Option<f64>) -> MeanSe {
    MeanSe {
        mean: Some(mean),
        se,
    }
}

pub fn estimate([value, low, high]: [f64; 3], n: u64) -> Estimate {
    Estimate {
        value: Some(value),
        low: Some(low),
        high: Some(high),
        n,
    }
}

fn personalised() -> System {
    System {
        name: "pdpo-individual".into(),
        accuracy: Accuracy {
            top: Some(0.96),
            generic: Some(0.61),
            majority: mean_se(0.95, Some(0.05)),
            minority: mean_se(0.95, None),
            per_user: per_user([1.0, 0.9, 0.95]),
            by_ratio: Some(vec![RatioBand {
                lo: 1.2,
                hi: None,
                n: 20,
                top: estimate([0.9, 0.7, 0.97], 20),
                majority: estimate([0.9, 0.6, 0.98], 10),
                minority: estimate([0.9, 0.6, 0.98], 10),
            }]),
            ..Accuracy::default()
        },
        words: ByGroup {
            majority: Some(18.0),
            minority: Some(3.5),
            generic: Some(16.0),
            per_user: per_user([17.0, 19.0, 3.5]),
        },
        empty_share: ByGroup {
            minority: Some(0.4),
            per_user: per_user([0.0, 0.0, 0.4]),
            ..ByGroup::default()
        },
        trainable: Trainable {
            llm: Some(12_288),
            users: Some(5_120),
        },
        comparisons_per_second: Some(21.4),
        peak_rss_bytes: Some(432_013_312),
        train_curve: [(0, 0.5), (60, 0.96)]
            .map(|(step, top)| point(step, top))
            .to_vec(),
        ..System::default()
    }
}

fn point(step: u64, top: f64) -> CurvePoint {
    CurvePoint {
        step,
        top: Some(top),
        ..CurvePoint::default()
    }
}

pub fn small() -> Report {
    let sft = System {
        name: "sft".into(),
        words: ByGroup {
            generic: Some(11.0),
            ..ByGroup::default()
        },
        ..System::default()
    };
    Report {
        experiment: "tldr".into(),
        title: "TL;DR".into(),
        preset: "tiny".into(),
        seed: 1,
        data: Data {
            source: "mini".into(),
            train: 120,
            eval: 30,
            workers: 3,
            users: vec![
                user("1", "majority"),
                user("2", "majority"),
                user("10", "minority"),
            ],
            ..Data::default()
        },
        model: Model {
            source: "made in this run".into(),
            parameters: 262_144,
            sft: None,
        },
        systems: vec![sft, personalised()],
        yardsticks: [(
            "always-longer".to_owned(),
            Yardstick {
                top: Some(0.7),
                majority: Some(1.0),
                ..Yardstick::default()
            },
        )]
        .into(),
        claims: [(
            "e1".to_owned(),
            Claim {
                holds: Some(true),
                text: "3.5 words against 18.0".into(),
                ..Claim::default()
            },
        )]
        .into(),
        samples: vec![Sample {
            prompt: "Tell me | <script>alert('prompt')</script>".into(),
            responses: vec![
                Response {
                    system: "pdpo-individual".into(),
                    user: Some("10".into()),
                    text: String::new(),
                },
                Response {
                    system: "sft".into(),
                    user: None,
                    text: "<script>alert(1)</script> & \"more\"".into(),
                },
            ],
        }],
        ..Report::default()
    }
}
