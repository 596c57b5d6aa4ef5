//! What the users' rows add to a step, and that it does not grow with the number of users: the rows of a batch, and an
//! AdamW step of them. SmolLM2's width, 10 soft tokens, 10 clusters.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use trainer::burn::tensor::Device;
use trainer::user_model::{
    RowAdamW, RowGradients, UserModelConfig, UserModelKind, UserRef, UserTable,
};

use crate::model;

const BATCH: usize = 4;
const USER_TOKENS: usize = 10;
const CLUSTERS: usize = 10;
const MANY: usize = 1_000_000;

pub fn all(criterion: &mut Criterion) {
    let individual = UserModelKind::Individual { generic: true };
    let cluster = UserModelKind::Cluster { clusters: CLUSTERS };
    let mut group = criterion.benchmark_group("users' rows of a step");
    for (name, kind, known, touched) in [
        ("individual, 10 users", individual, 10, 10),
        (
            "individual, 1,000,000 known, 10,000 touched",
            individual,
            MANY,
            10_000,
        ),
        ("cluster, 10 users", cluster, 10, 10),
        ("cluster, 1,000,000 rows", cluster, MANY, MANY),
    ] {
        let mut table = table(kind, known, touched);
        let mut turn = 0;
        group.bench_function(name, |bencher| {
            let users = || {
                turn += BATCH;
                (0..BATCH)
                    .map(|i| id((turn + i) * 7919 % touched))
                    .collect()
            };
            bencher.iter_batched(
                users,
                |users: Vec<UserRef>| step(&mut table, &users),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

/// A table of `known` users, the first `touched` of which have moved.
fn table(kind: UserModelKind, known: usize, touched: usize) -> UserTable {
    let config = UserModelConfig::new(kind, USER_TOKENS, model::WIDTH);
    let mut table = UserTable::new(config).expect("a table");
    for number in 0..known {
        table.add(number.to_string());
    }
    for start in (0..touched).step_by(1000) {
        let users: Vec<UserRef> = (start..touched.min(start + 1000)).map(id).collect();
        step(&mut table, &users);
    }
    assert_eq!(table.touched(), touched);
    table
}

fn step(table: &mut UserTable, users: &[UserRef]) {
    let batch = table.batch(users, &Device::flex()).expect("known users");
    let values = vec![1e-3; batch.users().len() * table.config().row_len()];
    let mut gradients = RowGradients::new();
    gradients.add_values(&batch, &values).expect("as many");
    let moved = table.step(&gradients, 1e-3, &RowAdamW::default());
    moved.expect("finite gradients");
    black_box(batch);
}

fn id(number: usize) -> UserRef {
    UserRef::id(number.to_string())
}
