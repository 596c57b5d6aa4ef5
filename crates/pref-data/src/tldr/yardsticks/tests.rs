//! Table 3 and its yardsticks, from comparisons made to the published counts.

use crate::comparison::{Comparison, Prompt, UserId};
use crate::tldr::{Population, PopulationConfig, TldrStats, Workers};

/// Training counts of the ten workers, by rank.
const TRAIN: [usize; 10] = [5245, 2920, 2437, 2366, 2200, 2126, 1824, 1606, 1366, 1209];
/// Their evaluation counts.
const EVALUATION: [usize; 10] = [1175, 643, 381, 604, 586, 360, 321, 263, 177, 411];
const UNSEEN_MAJORITY: usize = 7237;
const UNSEEN_MINORITY: usize = 4136;

fn comparison(user: &str, prefers_longer: bool) -> Comparison {
    let (chosen, rejected) = if prefers_longer {
        ("longer", "short")
    } else {
        ("short", "longer")
    };
    Comparison {
        user: Some(user.into()),
        user_text: None,
        prompt: Prompt::Text("p".into()),
        chosen: chosen.into(),
        rejected: rejected.into(),
        source: "s".into(),
        template: Default::default(),
        place: Default::default(),
        group: None,
        thumb: None,
    }
}

fn of_ranks(counts: [usize; 10]) -> Vec<Comparison> {
    let one = |index: usize| comparison(&format!("w{}", index + 1), !(3..6).contains(&index));
    counts
        .iter()
        .enumerate()
        .flat_map(|(index, &count)| vec![one(index); count])
        .collect()
}

fn rounded(share: Option<f64>) -> f64 {
    (share.unwrap() * 10_000.0).round() / 100.0
}

#[test]
fn published_counts_give_the_published_percentages() {
    let train = of_ranks(TRAIN);
    let mut evaluation = of_ranks(EVALUATION);
    // Ranks 11 and 12 of the same draw: see below for their groups.
    evaluation.extend(vec![comparison("more", true); UNSEEN_MAJORITY]);
    evaluation.extend(vec![comparison("less", false); UNSEEN_MINORITY]);
    let id = |comparison: &Comparison| comparison.user.clone().unwrap();
    let train_ids: Vec<UserId> = train.iter().map(id).collect();
    let evaluation_ids: Vec<UserId> = evaluation.iter().map(id).collect();
    let workers = Workers::rank(&train_ids, &evaluation_ids, 10);
    let drawn = Population::draw(&workers, &PopulationConfig::default()).unwrap();
    assert_eq!(drawn.minority_ranks()[..3], [4, 5, 6]);
    let population = Population::from_minority_ranks(&workers, &[4, 5, 6, 12]).unwrap();

    let evaluation: Vec<&Comparison> = evaluation.iter().collect();
    let stats = TldrStats::of(&train, &evaluation, &workers, &population);
    assert_eq!((stats.workers.majority, stats.workers.minority), (7, 3));
    assert_eq!(
        (
            stats.train.majority,
            stats.train.minority,
            stats.train.total()
        ),
        (16_607, 6_692, 23_299)
    );
    assert_eq!(
        (
            stats.evaluation_seen.majority,
            stats.evaluation_seen.minority
        ),
        (3_371, 1_550)
    );
    assert_eq!(
        (
            stats.evaluation_unseen.majority,
            stats.evaluation_unseen.minority
        ),
        (7_237, 4_136)
    );
    assert_eq!(stats.evaluation(), 16_294);

    let longer = stats.yardsticks.always_longer;
    assert_eq!(
        (rounded(longer.top), rounded(longer.generic)),
        (68.50, 63.63)
    );
    assert_eq!(
        (rounded(longer.majority), rounded(longer.minority)),
        (100.0, 0.0)
    );
    let perfect = stats.yardsticks.perfect.unwrap();
    assert_eq!(
        (rounded(perfect.top), rounded(perfect.generic)),
        (100.0, 63.63)
    );
    assert_eq!(
        (rounded(perfect.majority), rounded(perfect.minority)),
        (100.0, 100.0)
    );

    let table = stats.to_string();
    for cell in [
        "16607 (71.28 %)",
        "6692 (28.72 %)",
        "3371 (68.50 %)",
        "3371 (20.69 %)",
        "4136 (25.38 %)",
    ] {
        assert!(table.contains(cell), "{cell} is not in\n{table}");
    }
}

#[test]
fn equal_lengths_count_as_right_for_both_groups() {
    let equal = Comparison {
        chosen: "ab".into(),
        rejected: "cd".into(),
        ..comparison("w2", true)
    };
    let train = [
        comparison("w1", true),
        comparison("w1", true),
        comparison("w2", false),
    ];
    let ids: Vec<UserId> = train
        .iter()
        .map(|comparison| comparison.user.clone().unwrap())
        .collect();
    let workers = Workers::rank(&ids, [], 2);
    let population = Population::from_minority_ranks(&workers, &[2]).unwrap();
    let stats = TldrStats::of(&train, &[&equal, &train[2]], &workers, &population);
    assert_eq!(stats.yardsticks.always_longer.minority, Some(0.5));
    assert_eq!(stats.yardsticks.always_longer.majority, None);
    assert_eq!(stats.yardsticks.perfect.unwrap().generic, None);
}
