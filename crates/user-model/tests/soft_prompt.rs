//! Soft prompts against hand calculations, their gradients, and the degenerate forms.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use user_model::{
    Init, RowAdamW, RowGradients, RowInit, TableError, UserModel, UserModelConfig, UserModelKind,
    UserRef, UserTable, Vocabulary,
};

const INDIVIDUAL: UserModelKind = UserModelKind::Individual { generic: true };

/// A model whose shared tensors hold 0, 1, 2, ... in order, and a table with users `a` and `b`.
/// (Vocabulary rows are drawn in random order, so the numbers are set through the file format.)
fn build(kind: UserModelKind, tokens: usize, width: usize) -> (UserModelConfig, UserTable) {
    let config = UserModelConfig::new(kind, tokens, width)
        .with_shared_init(Init::Uniform { range: 0.5 })
        .with_seed(7);
    let mut table = UserTable::new(config.clone()).unwrap();
    table.add("a");
    table.add("b");
    (config, table)
}

fn set_row(table: &mut UserTable, id: &str, row: Vec<f32>) {
    table.set_row(&UserRef::id(id), row).unwrap();
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-6, "{found:?}, expected {expected:?}");
    }
}

fn shared(model: &UserModel) -> Vec<f32> {
    values(model.shared().unwrap())
}

#[test]
fn an_individual_soft_prompt_is_the_generic_one_plus_the_offset() {
    let device = Device::flex();
    let (config, mut table) = build(INDIVIDUAL, 2, 3);
    let model = config.init(None, &device).unwrap();
    let offset = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    set_row(&mut table, "b", offset.to_vec());
    let users = [UserRef::id("b"), UserRef::Generic, UserRef::id("a")];
    let prompt = model.soft_prompt(&table.batch(&users, &device).unwrap());
    assert_eq!(prompt.dims(), [3, 2, 3]);
    let (prompt, e_0) = (values(prompt), shared(&model));
    let with_offset: Vec<f32> = e_0.iter().zip(offset).map(|(e, o)| e + o).collect();
    assert_close(&prompt[..6], &with_offset);
    assert_eq!(prompt[6..12], e_0[..], "the generic user has e_0");
    assert_eq!(prompt[12..], e_0[..], "an untouched offset is zero");
}

#[test]
fn a_cluster_soft_prompt_is_the_softmax_mixture() {
    let device = Device::flex();
    let (config, mut table) = build(UserModelKind::Cluster { clusters: 2 }, 1, 2);
    let model = config.init(None, &device).unwrap();
    // softmax(ln 3, 0) = (3/4, 1/4)
    set_row(&mut table, "a", vec![3f32.ln(), 0.0]);
    let prompt = model.soft_prompt(&table.batch(&[UserRef::id("a")], &device).unwrap());
    assert_eq!(prompt.dims(), [1, 1, 2]);
    let v = shared(&model);
    let expected = [0.75 * v[0] + 0.25 * v[2], 0.75 * v[1] + 0.25 * v[3]];
    assert_close(&values(prompt), &expected);
}

#[test]
fn without_e_0_the_generic_user_has_a_row_of_its_own() {
    let device = Device::flex().autodiff();
    let config = UserModelConfig::new(UserModelKind::Individual { generic: false }, 2, 2)
        .with_row_init(RowInit::Uniform { range: 0.5 });
    let mut table = UserTable::new(config.clone()).unwrap();
    table.add("a");
    let model = config.init(None, &device).unwrap();
    assert_eq!(model.num_params(), 0);
    let users = [UserRef::Generic, UserRef::id("a")];
    let rows = table.batch(&users, &device).unwrap();
    let prompt = model.soft_prompt(&rows);
    let expected = [table.row(&users[0]).unwrap(), table.row(&users[1]).unwrap()].concat();
    assert_eq!(values(prompt.clone()), expected);
    let mut gradients = RowGradients::new();
    gradients.add(&rows, &prompt.sum().backward()).unwrap();
    table.step(&gradients, 0.1, &RowAdamW::default()).unwrap();
    assert!(table.is_touched(&UserRef::Generic));
}

#[test]
fn without_a_vocabulary_rows_that_need_one_are_an_error() {
    let config = UserModelConfig::new(UserModelKind::Individual { generic: false }, 2, 2);
    let mut table = UserTable::new(config).unwrap();
    table.add("a");
    let error = table.row(&UserRef::id("a")).unwrap_err();
    assert!(matches!(error, TableError::Config(_)), "{error}");
    let data = TensorData::new(vec![1f32, 1.0, 2.0, 2.0, 3.0, 3.0], [3, 2]);
    let table = table.with_vocabulary(Vocabulary::new(Tensor::from_data(data, &Device::flex())));
    let row = table.row(&UserRef::id("a")).unwrap();
    assert!(row[0] == row[1] && row[2] == row[3] && row[0] != row[2]);
    assert_eq!(row, table.row(&UserRef::id("a")).unwrap());
}

#[test]
fn gradients_reach_the_shared_tensor_and_the_rows_of_the_batch() {
    let device = Device::flex().autodiff();
    let (config, table) = build(INDIVIDUAL, 1, 2);
    let model = config.init(None, &device).unwrap();
    let users = [UserRef::id("b"), UserRef::Generic, UserRef::id("b")];
    let rows = table.batch(&users, &device).unwrap();
    let weights = Tensor::<3>::from_floats([[[1., 2.]], [[10., 20.]], [[100., 200.]]], &device);
    let loss = (model.soft_prompt(&rows) * weights).sum();
    let grads = loss.backward();
    let e_0 = model.shared().unwrap().grad(&grads).unwrap();
    assert_eq!(values(e_0), [111.0, 222.0]);
    let mut gradients = RowGradients::new();
    gradients.add(&rows, &grads).unwrap();
    let found: Vec<_> = gradients.iter().collect();
    assert_eq!(found, [(&UserRef::id("b"), &[101.0, 202.0][..])]);
    assert_eq!(gradients.squared_norm(), 101.0 * 101.0 + 202.0 * 202.0);
}

#[test]
fn cluster_gradients_equal_finite_differences() {
    let device = Device::flex().autodiff();
    let (config, mut table) = build(UserModelKind::Cluster { clusters: 3 }, 2, 2);
    let model = config.init(None, &device).unwrap();
    let user = [UserRef::id("a")];
    let start = vec![0.3, -0.2, 0.5];
    set_row(&mut table, "a", start.clone());
    let target = Tensor::<3>::from_floats([[[0.1, -0.4], [0.7, 0.2]]], &device);
    let loss = |table: &UserTable| {
        let rows = table.batch(&user, &device).unwrap();
        let loss = (model.soft_prompt(&rows) - target.clone()).square().sum();
        (rows, loss)
    };
    let (rows, value) = loss(&table);
    let mut gradients = RowGradients::new();
    gradients.add(&rows, &value.backward()).unwrap();
    let analytic = gradients.iter().next().unwrap().1.to_vec();
    for (k, slope) in analytic.into_iter().enumerate() {
        let at = |step: f32| {
            let mut table = table.clone();
            let mut row = start.clone();
            row[k] += step;
            set_row(&mut table, "a", row);
            loss(&table).1.into_scalar::<f32>()
        };
        let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
        assert!((slope - numeric).abs() < 2e-4, "{slope} {numeric}");
    }
}

#[test]
fn the_generic_user_alone_needs_no_rows() {
    let device = Device::flex().autodiff();
    let (config, table) = build(INDIVIDUAL, 2, 3);
    let model = config.init(None, &device).unwrap();
    let rows = table
        .batch(&[UserRef::Generic, UserRef::Generic], &device)
        .unwrap();
    assert!(rows.leaf.is_none());
    let prompt = model.soft_prompt(&rows);
    assert_eq!(
        values(prompt.clone()),
        [shared(&model), shared(&model)].concat()
    );
    let mut gradients = RowGradients::new();
    gradients.add(&rows, &prompt.sum().backward()).unwrap();
    assert!(gradients.is_empty());
}

#[test]
fn a_uniform_model_gives_everybody_the_same() {
    let device = Device::flex().autodiff();
    let (config, table) = build(UserModelKind::Uniform, 2, 3);
    let model = config.init(None, &device).unwrap();
    let rows = table
        .batch(&[UserRef::id("a"), UserRef::Generic], &device)
        .unwrap();
    let prompt = model.soft_prompt(&rows);
    assert_eq!(
        values(prompt.clone()),
        [shared(&model), shared(&model)].concat()
    );
    let grads = prompt.sum().backward();
    assert_eq!(
        values(model.shared().unwrap().grad(&grads).unwrap()),
        [2.0; 6]
    );
    assert!(matches!(
        table.row(&UserRef::id("a")),
        Err(TableError::NoRow { .. })
    ));
}

#[test]
fn with_no_user_tokens_the_soft_prompt_is_empty_and_can_be_joined() {
    let device = Device::flex().autodiff();
    let kinds = [
        UserModelKind::Uniform,
        INDIVIDUAL,
        UserModelKind::Cluster { clusters: 2 },
    ];
    for kind in kinds {
        let (config, table) = build(kind, 0, 3);
        let model = config.init(None, &device).unwrap();
        let rows = table
            .batch(&[UserRef::id("a"), UserRef::Generic], &device)
            .unwrap();
        let prompt = model.soft_prompt(&rows);
        assert_eq!(prompt.dims(), [2, 0, 3]);
        let text = Tensor::<3>::ones([2, 4, 3], &device).require_grad();
        let joined = Tensor::cat(vec![prompt, text.clone()], 1);
        assert_eq!(joined.dims(), [2, 4, 3]);
        let grads = joined.sum().backward();
        assert_eq!(values(text.grad(&grads).unwrap()), [1.0; 24]);
    }
}

#[test]
fn the_valid_model_gives_the_same_without_gradients() {
    let device = Device::flex().autodiff();
    for kind in [INDIVIDUAL, UserModelKind::Cluster { clusters: 2 }] {
        let (config, table) = build(kind, 2, 3);
        let model = config.init(None, &device).unwrap();
        let users = [UserRef::id("a"), UserRef::Generic];
        let train = model.soft_prompt(&table.batch(&users, &device).unwrap());
        let inner = device.clone().inner();
        let valid = model
            .valid()
            .soft_prompt(&table.batch(&users, &inner).unwrap());
        assert!(train.is_tracked() && !valid.is_autodiff());
        assert_eq!(values(train), values(valid));
    }
}
