//! The row-wise optimiser against burn's AdamW, and what makes it lazy.

use burn::module::{Module, Param};
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use user_model::{
    Init, RowAdamW, RowBatch, RowGradients, RowInit, TableError, UserModelConfig, UserModelKind,
    UserRef, UserTable,
};

const WIDTH: usize = 4;
const USERS: [&str; 3] = ["a", "b", "c"];

#[derive(Module, Debug)]
struct Dense {
    rows: Param<Tensor<2>>,
}

fn table() -> UserTable {
    let config = UserModelConfig::new(UserModelKind::Individual { generic: true }, 1, WIDTH)
        .with_shared_init(Init::Zeros)
        .with_row_init(RowInit::Uniform { range: 1.0 });
    let mut table = UserTable::new(config).unwrap();
    for id in USERS {
        table.add(id);
    }
    table
}

/// A whole step from one batch's gradients, at a rate of 0.1.
fn apply(table: &mut UserTable, batch: &RowBatch, values: &[f32]) -> Result<(), TableError> {
    let mut gradients = RowGradients::new();
    gradients.add_values(batch, values)?;
    table.step(&gradients, 0.1, &RowAdamW::default())
}

fn rows(table: &UserTable) -> Vec<f32> {
    let row = |id: &str| table.row(&UserRef::id(id)).unwrap();
    USERS.iter().flat_map(|id| row(id)).collect()
}

/// A quartic with a different bowl for each number, so that gradients vary over the steps.
fn loss(rows: Tensor<2>) -> Tensor<1> {
    let device = rows.device();
    let targets: Vec<f32> = (0..12).map(|i| (i as f32) * 0.4 - 2.0).collect();
    let targets = Tensor::<2>::from_data(TensorData::new(targets, [3, WIDTH]), &device);
    (rows - targets).powi_scalar(4).sum()
}

fn assert_equals_burn(adamw: RowAdamW, lr: impl Fn(usize) -> f64) {
    let device = Device::flex().autodiff();
    let mut table = table();
    let data = TensorData::new(rows(&table), [3, WIDTH]);
    let mut dense = Dense {
        rows: Param::from_data(data, &device),
    };
    let mut optimiser = AdamWConfig::new()
        .with_beta_1(adamw.beta_1)
        .with_beta_2(adamw.beta_2)
        .with_epsilon(adamw.epsilon)
        .with_weight_decay(adamw.weight_decay)
        .init();
    for step in 0..50 {
        let grads = loss(dense.rows.val()).backward();
        let grads = GradientsParams::from_grads(grads, &dense);
        dense = optimiser.step(lr(step), dense, grads);

        let batch = table.batch(&USERS.map(UserRef::id), &device).unwrap();
        let grads = loss(batch.leaf.clone().unwrap()).backward();
        let mut gradients = RowGradients::new();
        gradients.add(&batch, &grads).unwrap();
        table.step(&gradients, lr(step), &adamw).unwrap();
    }
    let dense = dense.rows.val().try_into_vec_as::<f32>().unwrap();
    for (ours, burns) in rows(&table).into_iter().zip(dense) {
        assert!((ours - burns).abs() < 1e-6, "{ours} {burns}");
    }
}

#[test]
fn on_full_batches_it_equals_dense_adamw() {
    assert_equals_burn(RowAdamW::default(), |_| 1e-2);
    let decaying = RowAdamW {
        beta_1: 0.8,
        beta_2: 0.95,
        epsilon: 1e-5,
        weight_decay: 0.1,
    };
    assert_equals_burn(decaying, |step| 1e-2 / (1.0 + step as f64));
}

#[test]
fn only_the_rows_of_the_batch_move_and_each_counts_its_own_steps() {
    let device = Device::flex();
    let adamw = RowAdamW {
        weight_decay: 0.1,
        ..RowAdamW::default()
    };
    let (mut lazy, mut alone) = (table(), table());
    let step = |table: &mut UserTable, id: &str, gradient: f32| {
        let batch = table.batch(&[UserRef::id(id)], &device).unwrap();
        let mut gradients = RowGradients::new();
        gradients.add_values(&batch, &[gradient; WIDTH]).unwrap();
        table.step(&gradients, 1e-2, &adamw).unwrap();
    };
    let before = rows(&lazy);
    for _ in 0..5 {
        step(&mut lazy, "a", 1.0);
    }
    assert_eq!(rows(&lazy)[WIDTH..], before[WIDTH..]);
    assert_eq!(lazy.touched(), 1);
    // A first step of `b` after five of `a` is the same as a first step of `b` alone.
    step(&mut lazy, "b", 0.5);
    step(&mut alone, "b", 0.5);
    let b = UserRef::id("b");
    assert_eq!(lazy.row(&b).unwrap(), alone.row(&b).unwrap());
}

#[test]
fn micro_batches_add_up_per_user() {
    let device = Device::flex();
    let table = table();
    let batch = |ids: &[&str]| {
        let users: Vec<UserRef> = ids.iter().map(|id| UserRef::id(*id)).collect();
        table.batch(&users, &device).unwrap()
    };
    let mut gradients = RowGradients::new();
    let ab = [[1.0; WIDTH], [2.0; WIDTH]].concat();
    gradients.add_values(&batch(&["a", "b", "a"]), &ab).unwrap();
    gradients
        .add_values(&batch(&["b"]), &[10.0; WIDTH])
        .unwrap();
    gradients.scale(0.5);
    let found: Vec<_> = gradients.iter().collect();
    let expected = [
        (&UserRef::id("a"), &[0.5f32; WIDTH][..]),
        (&UserRef::id("b"), &[6.0; WIDTH][..]),
    ];
    assert_eq!(found, expected);
    assert_eq!(gradients.squared_norm(), 4.0 * 0.25 + 4.0 * 36.0);
}

#[test]
fn a_bad_gradient_is_an_error_and_moves_nothing() {
    let device = Device::flex();
    let mut table = table();
    let batch = table.batch(&USERS.map(UserRef::id), &device).unwrap();
    let before = rows(&table);
    let mut values = vec![1.0; 12];
    let short = apply(&mut table, &batch, &values[1..]);
    assert!(matches!(short, Err(TableError::Length { found: 11, .. })));
    values[9] = f32::NAN;
    let error = apply(&mut table, &batch, &values).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("user `c`") && error.contains("NaN"),
        "{error}"
    );
    table.remove("b").unwrap();
    let gone = apply(&mut table, &batch, &[1.0; 12]);
    assert!(matches!(gone, Err(TableError::UnknownUser { .. })));
    table.add("b");
    assert_eq!((rows(&table), table.touched()), (before, 0));
}
