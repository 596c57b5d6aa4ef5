//! The two files: exact round trips, one clear error for each kind of damage, never a panic.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use proptest::prelude::*;
use tempfile::TempDir;
use user_model::{
    ExportedUser, FileError, Init, MANIFEST_FILE, Moments, RowAdamW, RowBatch, RowGradients,
    UserModel, UserModelConfig, UserModelKind, UserRef, UserTable, load, save,
};

const TENSOR_FILE: &str = "user_model.safetensors";

const KINDS: [UserModelKind; 5] = [
    UserModelKind::Uniform,
    UserModelKind::Individual { generic: true },
    UserModelKind::Individual { generic: false },
    UserModelKind::Cluster { clusters: 3 },
    UserModelKind::Prefix { width: 5 },
];

/// One AdamW step of the rows of a batch.
fn step(table: &mut UserTable, batch: &RowBatch, gradient: &[f32]) {
    let mut gradients = RowGradients::new();
    gradients.add_values(batch, gradient).unwrap();
    table.step(&gradients, 0.1, &RowAdamW::default()).unwrap();
}

/// Three users, of whom the third and first (and the generic one, where it can) have been trained.
fn trained(kind: UserModelKind, tokens: usize) -> (UserModel, UserTable) {
    let mut config =
        UserModelConfig::new(kind, tokens, 3).with_shared_init(Init::Uniform { range: 0.5 });
    if kind == (UserModelKind::Individual { generic: false }) {
        config = config.with_row_init(user_model::RowInit::Zero);
    }
    let model = config.init(None, &Device::flex()).unwrap();
    let mut table = UserTable::new(config).unwrap();
    for id in ["zoe", "0", "anna"] {
        table.add(id);
    }
    for users in [
        [UserRef::id("anna"), UserRef::Generic],
        [UserRef::id("zoe"), UserRef::id("anna")],
    ] {
        let batch = table.batch(&users, &Device::flex()).unwrap();
        let numbers = batch.users().len() * table.config().row_len();
        let gradient: Vec<f32> = (0..numbers).map(|i| (i as f32).sin()).collect();
        step(&mut table, &batch, &gradient);
    }
    (model, table)
}

fn bits(model: &UserModel) -> Vec<u32> {
    let shared = model
        .shared()
        .map(|shared| shared.try_into_vec_as::<f32>().unwrap());
    shared
        .unwrap_or_default()
        .into_iter()
        .map(f32::to_bits)
        .collect()
}

fn files(dir: &Path) -> (Vec<u8>, Vec<u8>) {
    let read = |name| fs::read(dir.join(name)).unwrap();
    (read(TENSOR_FILE), read(MANIFEST_FILE))
}

#[test]
fn every_kind_survives_a_round_trip_to_the_bit() {
    for kind in KINDS {
        for tokens in [0, 2] {
            let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
            let (model, table) = trained(kind, tokens);
            save(first.path(), &model, &table, Moments::Keep).unwrap();
            let (model_2, table_2) = load(first.path(), &Device::flex()).unwrap();
            assert_eq!(model.config(), model_2.config());
            assert_eq!(bits(&model), bits(&model_2));
            assert_eq!(table.ids(), table_2.ids());
            assert_eq!(table.touched(), table_2.touched());
            // What is saved again is the same, moments and steps included.
            save(second.path(), &model_2, &table_2, Moments::Keep).unwrap();
            assert_eq!(files(first.path()), files(second.path()), "{kind:?}");
        }
    }
}

#[test]
fn training_goes_on_after_a_load_as_if_it_had_never_stopped() {
    let dir = TempDir::new().unwrap();
    let (model, mut straight) = trained(KINDS[3], 2);
    save(dir.path(), &model, &straight, Moments::Keep).unwrap();
    let (_, mut resumed) = load(dir.path(), &Device::flex()).unwrap();
    for table in [&mut straight, &mut resumed] {
        let users = ["anna", "0"].map(UserRef::id);
        let batch = table.batch(&users, &Device::flex()).unwrap();
        let gradient = [0.1, -0.2, 0.3, 0.4, 0.5, -0.6];
        step(table, &batch, &gradient);
    }
    for user in [
        UserRef::Generic,
        UserRef::id("anna"),
        UserRef::id("0"),
        UserRef::id("zoe"),
    ] {
        assert_eq!(straight.row(&user).unwrap(), resumed.row(&user).unwrap());
    }
}

#[test]
fn a_row_without_moments_among_others_stays_without() {
    let dir = TempDir::new().unwrap();
    let (model, mut table) = trained(KINDS[1], 2);
    let anna = table.export_user("anna", &model).unwrap();
    table.remove("anna").unwrap();
    table.import_user(anna, &model).unwrap();
    save(dir.path(), &model, &table, Moments::Keep).unwrap();
    let (_, mut loaded) = load(dir.path(), &Device::flex()).unwrap();
    // Her next step is a first one, the other's a second one.
    let users = ["anna", "zoe"].map(UserRef::id);
    for table in [&mut table, &mut loaded] {
        let batch = table.batch(&users, &Device::flex()).unwrap();
        step(table, &batch, &[0.3; 12]);
    }
    for user in &users {
        assert_eq!(loaded.row(user).unwrap(), table.row(user).unwrap());
    }
}

#[test]
fn an_adapter_without_moments_is_smaller_and_has_the_same_rows() {
    let (kept, dropped) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (model, table) = trained(KINDS[1], 2);
    save(kept.path(), &model, &table, Moments::Keep).unwrap();
    save(dropped.path(), &model, &table, Moments::Drop).unwrap();
    assert!(files(dropped.path()).0.len() < files(kept.path()).0.len());
    let (_, loaded) = load(dropped.path(), &Device::flex()).unwrap();
    let anna = UserRef::id("anna");
    assert_eq!(loaded.row(&anna).unwrap(), table.row(&anna).unwrap());
}

#[test]
fn an_exported_user_can_be_imported_elsewhere() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("anna.json");
    let (model, table) = trained(KINDS[1], 2);
    let exported = table.export_user("anna", &model).unwrap();
    exported.write(&path).unwrap();
    let anna = ExportedUser::read(&path).unwrap();
    let mut other = UserTable::new(table.config().clone()).unwrap();
    other.import_user(anna.clone(), &model).unwrap();
    let user = UserRef::id("anna");
    assert_eq!(other.row(&user).unwrap(), table.row(&user).unwrap());
    let again = other.import_user(anna.clone(), &model).unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");

    let (clusters, mut cluster) = trained(KINDS[3], 2);
    cluster.remove("anna").unwrap();
    let error = cluster.import_user(anna.clone(), &clusters).unwrap_err();
    assert!(error.to_string().contains("kind"), "{error}");
    let untouched = table.export_user("0", &model).unwrap();
    assert_eq!(untouched.row, None);
    other.import_user(untouched, &model).unwrap();
    assert_eq!((other.len(), other.touched()), (2, 1));
    assert!(
        table
            .export_user("ana", &model)
            .unwrap_err()
            .to_string()
            .contains("`anna`")
    );
}

/// The error of loading after `change` was made to the manifest's text, without its checksum.
fn error_after(change: impl Fn(String) -> String) -> String {
    let dir = TempDir::new().unwrap();
    let (model, table) = trained(KINDS[1], 2);
    save(dir.path(), &model, &table, Moments::Keep).unwrap();
    let path = dir.path().join(MANIFEST_FILE);
    fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
    load(dir.path(), &Device::flex()).unwrap_err().to_string()
}

#[test]
fn a_damaged_manifest_is_named_with_its_key() {
    let replaced = |from: &'static str, to: &'static str| {
        error_after(move |text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        })
    };
    let cases = [
        (
            replaced("\"version\": 1", "\"version\": 2"),
            "`version` is 2, expected 1",
        ),
        (replaced("\"0\"", "\"zoe\""), "`zoe` twice"),
        (
            replaced("\"generic_row\": false", "\"generic_row\": true"),
            "`generic_row`",
        ),
        (
            replaced("\"user_tokens\": 2", "\"user_tokens\": 4"),
            "`shared` is a F32 tensor of shape [1, 2, 3]",
        ),
        (replaced("\"seed\"", "\"sead\""), "sead"),
        (
            replaced("\"d_model\": 3", "\"d_model\": 18446744073709551615"),
            "user_tokens times d_model",
        ),
        (
            replaced("\"rows\": [", "\"rows\": [ 7,"),
            "positions below 3",
        ),
        (
            replaced("\"rows\": [", "\"rows\": [ 1,"),
            "`rows` is a F32 tensor of shape [2, 6]",
        ),
        (replaced("\"rows\": [", "\"rows\": [ 2,"), "2 twice"),
        (
            replaced("\"tensor_sha256\": \"", "\"tensor_sha256\": \"0"),
            "`sha256`",
        ),
        (error_after(|text| text[..text.len() / 2].to_owned()), "EOF"),
    ];
    for (error, needle) in cases {
        assert!(error.contains(needle), "{error:?} lacks {needle:?}");
        assert!(error.contains("user_model."), "{error:?} names no file");
    }
}

#[test]
fn a_damaged_tensor_file_is_named() {
    let dir = TempDir::new().unwrap();
    let (model, table) = trained(KINDS[3], 2);
    save(dir.path(), &model, &table, Moments::Keep).unwrap();
    let path = dir.path().join(TENSOR_FILE);
    let bytes = fs::read(&path).unwrap();
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        load(dir.path(), &Device::flex()).unwrap_err()
    };
    for cut in [0, 7, 8, 100, bytes.len() - 1] {
        let error = error(&bytes[..cut]);
        assert!(matches!(error, FileError::Safetensors { .. }), "{error}");
        assert!(error.to_string().contains(TENSOR_FILE));
    }
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(error(&flipped).to_string().contains("`sha256`"));
    let name = b"second_moments";
    let renamed = bytes
        .windows(name.len())
        .position(|window| window == name)
        .unwrap();
    let mut unknown = bytes.clone();
    unknown[renamed] = b'x';
    assert!(
        error(&unknown)
            .to_string()
            .contains("`second_moments` is missing")
    );
    fs::remove_file(&path).unwrap();
    let missing = load(dir.path(), &Device::flex()).unwrap_err();
    assert!(matches!(missing, FileError::Io { .. }), "{missing}");
}

#[test]
fn a_save_that_fails_leaves_what_stood_there() {
    let dir = TempDir::new().unwrap();
    let (model, table) = trained(KINDS[1], 2);
    save(dir.path(), &model, &table, Moments::Keep).unwrap();
    let before = files(dir.path());
    let (_, other) = trained(KINDS[3], 2);
    let error = save(dir.path(), &model, &other, Moments::Keep).unwrap_err();
    assert!(matches!(error, FileError::Unsavable(_)), "{error}");
    assert_eq!(files(dir.path()), before);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "no temporary files"
    );
    let nowhere = dir.path().join("nowhere");
    assert!(matches!(
        save(&nowhere, &model, &table, Moments::Keep),
        Err(FileError::Io { .. })
    ));
}

/// Writes mangled files and loads them: any result will do, but a panic.
fn load_mangled(name: &str, strip_checksum: bool, mangle: impl Fn(&mut Vec<u8>)) {
    let dir = TempDir::new().unwrap();
    let (model, table) = trained(KINDS[3], 2);
    save(dir.path(), &model, &table, Moments::Keep).unwrap();
    if strip_checksum {
        let path = dir.path().join(MANIFEST_FILE);
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        manifest.as_object_mut().unwrap().remove("tensor_sha256");
        fs::write(&path, manifest.to_string()).unwrap();
    }
    let path = dir.path().join(name);
    let mut bytes = fs::read(&path).unwrap();
    mangle(&mut bytes);
    fs::write(&path, bytes).unwrap();
    if let Ok((model, table)) = load(dir.path(), &Device::flex()) {
        let users: Vec<UserRef> = table.ids().into_iter().map(UserRef::id).collect();
        if let Ok(batch) = table.batch(&users, &Device::flex()) {
            model.soft_prompt(&batch);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn mangled_files_never_panic(
        tensors: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        header_edits in prop::collection::vec((0usize..420, prop::sample::select(b"0123456789[]{}:,\"".to_vec())), 0..4),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let name = if tensors { TENSOR_FILE } else { MANIFEST_FILE };
        load_mangled(name, true, |bytes| {
            for (at, byte) in &edits {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            for (at, byte) in &header_edits {
                let at = at % bytes.len();
                bytes[at] = *byte;
            }
            if let Some(keep) = keep {
                bytes.truncate(keep.index(bytes.len()));
            }
        });
    }

    #[test]
    fn exported_rows_survive_json_to_the_bit(row in prop::collection::vec(any::<i32>(), 6)) {
        let row: Vec<f32> = row
            .into_iter()
            .map(|bits| f32::from_bits(bits as u32))
            .map(|number| if number.is_finite() { number } else { 0.1 })
            .collect();
        let user = ExportedUser {
            id: "a".into(),
            kind: KINDS[1],
            user_tokens: 2,
            d_model: 3,
            row: Some(row.clone()),
            shared_sha256: None,
            fitted: None,
            belief: None,
        };
        let text = serde_json::to_string(&user).unwrap();
        let back: ExportedUser = serde_json::from_str(&text).unwrap();
        let bits = |row: &[f32]| row.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back.row.unwrap()), bits(&row));
    }
}
