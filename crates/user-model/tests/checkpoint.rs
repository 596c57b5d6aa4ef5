//! Checkpoints write the rows that changed, and read back to the bit.

use std::fs;
use std::ops::Range;
use std::path::Path;

use burn::tensor::Device;
use tempfile::TempDir;
use user_model::{
    Init, RowAdamW, TENSOR_FILE, UserModel, UserModelConfig, UserModelKind, UserRef, UserTable,
    load_checkpoint, save_checkpoint,
};

const USERS: usize = 50;

fn model_and_table() -> (UserModel, UserTable) {
    let kind = UserModelKind::Individual { generic: true };
    let config = UserModelConfig::new(kind, 2, 8).with_shared_init(Init::Uniform { range: 0.5 });
    let model = config.init(None, &Device::flex()).unwrap();
    let mut table = UserTable::new(config).unwrap();
    for user in 0..USERS {
        table.add(format!("user {user}"));
    }
    (model, table)
}

/// One AdamW step of some users' rows.
fn train(table: &mut UserTable, users: impl IntoIterator<Item = usize>) {
    let users: Vec<UserRef> = users
        .into_iter()
        .map(|user| UserRef::id(format!("user {user}")))
        .collect();
    let batch = table.batch(&users, &Device::flex()).unwrap();
    let numbers = batch.users().len() * table.config().row_len();
    let gradient: Vec<f32> = (0..numbers).map(|i| (i as f32).sin()).collect();
    let adamw = RowAdamW::default();
    table
        .apply_gradients(&batch, &gradient, 0.1, &adamw)
        .unwrap();
}

/// Saves over the checkpoint in `dir`, as a trainer does: beside it, then renamed.
fn save(dir: &Path, model: &UserModel, table: &mut UserTable) {
    let new = dir.with_extension("new");
    fs::create_dir(&new).unwrap();
    let saved = save_checkpoint(&new, Some(dir), model, table).unwrap();
    let _ = fs::remove_dir_all(dir);
    fs::rename(new, dir).unwrap();
    table.mark_saved(saved);
}

/// A table after one step of `users`, with its first checkpoint in the folder's `checkpoint`.
fn saved_after_training(users: Range<usize>) -> (TempDir, UserModel, UserTable) {
    let folder = TempDir::new().unwrap();
    let (model, mut table) = model_and_table();
    train(&mut table, users);
    save(&folder.path().join("checkpoint"), &model, &mut table);
    (folder, model, table)
}

fn load(dir: &Path) -> UserTable {
    load_checkpoint(dir, &Device::flex()).unwrap().1
}

/// Rows are equal, and stay so over another step: their moments are equal too.
fn assert_equal(a: &UserTable, b: &UserTable) {
    let (mut a, mut b) = (a.clone(), b.clone());
    for _ in 0..2 {
        assert_eq!(a.touched(), b.touched());
        for user in 0..USERS {
            let user = UserRef::id(format!("user {user}"));
            assert_eq!(a.row(&user).unwrap(), b.row(&user).unwrap());
        }
        train(&mut a, 0..USERS);
        train(&mut b, 0..USERS);
    }
}

fn changes(dir: &Path) -> Vec<u64> {
    (1..)
        .map_while(|n| fs::metadata(dir.join(format!("user_model.changes-{n}.safetensors"))).ok())
        .map(|file| file.len())
        .collect()
}

#[test]
fn a_checkpoint_writes_only_the_rows_that_changed() {
    let (folder, model, mut table) = saved_after_training(0..40);
    let dir = folder.path().join("checkpoint");
    let whole = fs::metadata(dir.join(TENSOR_FILE)).unwrap();
    assert!(changes(&dir).is_empty());

    train(&mut table, [3, 45]);
    save(&dir, &model, &mut table);
    train(&mut table, [3]);
    save(&dir, &model, &mut table);
    let sizes = changes(&dir);
    assert_eq!(sizes.len(), 2);
    assert!(sizes.iter().all(|size| size * 8 < whole.len()), "{sizes:?}");
    let kept = fs::metadata(dir.join(TENSOR_FILE)).unwrap();
    assert_eq!(kept.modified().unwrap(), whole.modified().unwrap());
    assert_equal(&load(&dir), &table);
}

#[test]
fn a_table_that_was_loaded_goes_on_with_its_checkpoint() {
    let (folder, model, mut table) = saved_after_training(0..40);
    let dir = folder.path().join("checkpoint");
    train(&mut table, [1]);
    save(&dir, &model, &mut table);

    let mut table = load(&dir);
    train(&mut table, [2]);
    save(&dir, &model, &mut table);
    assert_eq!(changes(&dir).len(), 2);
    assert_equal(&load(&dir), &table);
}

#[test]
fn it_is_whole_again_when_the_changes_hold_as_much_or_ids_changed() {
    let (folder, model, mut table) = saved_after_training(0..4);
    let dir = folder.path().join("checkpoint");
    for expected in [1, 0, 1] {
        train(&mut table, 0..4);
        save(&dir, &model, &mut table);
        assert_eq!(changes(&dir).len(), expected);
        assert_equal(&load(&dir), &table);
    }
    table.add("newcomer");
    save(&dir, &model, &mut table);
    assert!(changes(&dir).is_empty());
    assert!(load(&dir).contains("newcomer"));
}

#[test]
fn files_of_another_table_are_not_linked() {
    let (folder, model, mut table) = saved_after_training(0..40);
    let dir = folder.path().join("checkpoint");
    let (_, mut other) = model_and_table();
    train(&mut other, 5..45);
    save(&dir, &model, &mut other);

    train(&mut table, [1]);
    save(&dir, &model, &mut table);
    assert!(changes(&dir).is_empty());
    assert_equal(&load(&dir), &table);
}

#[test]
fn a_damaged_file_of_changes_is_named() {
    let (folder, model, mut table) = saved_after_training(0..40);
    let dir = folder.path().join("checkpoint");
    train(&mut table, [1]);
    save(&dir, &model, &mut table);
    let path = dir.join("user_model.changes-1.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, bytes).unwrap();
    let error = load_checkpoint(&dir, &Device::flex())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("user_model.changes-1.safetensors: `sha256` is"),
        "{error}"
    );
}
