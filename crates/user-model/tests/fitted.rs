//! Fitted users: whole again after a round trip, believed in beside their trained users alone, read for one user at a time.

use std::convert::Infallible;
use std::fs;

use burn::tensor::Device;
use proptest::prelude::*;
use tempfile::TempDir;
use user_model::{
    Belief, DatedBelief, ExportedUser, FITTED_FOLDER, Fitted, FittedRow, KeptBelief, Margins, Mix,
    Moments, Question, TableError, UserBelief, UserModel, UserModelConfig, UserModelKind, UserRef,
    UserTable, load, save,
};

const FITTED: Fitted = Fitted {
    answers: 2,
    evidence: 0.75,
};

/// Two trained users of four numbers each.
fn trained() -> (UserModel, UserTable) {
    let config = UserModelConfig::new(UserModelKind::Individual { generic: true }, 2, 2)
        .with_shared_init(user_model::Init::Uniform { range: 0.5 });
    let model = config.init(None, &Device::flex()).unwrap();
    let mut table = UserTable::new(config).unwrap();
    let rows = [
        ("anna", [2.0, 0.0, 0.0, 0.0]),
        ("ben", [0.0, 1.0, 0.0, 1.0]),
    ];
    for (id, row) in rows {
        table.set_row(&UserRef::id(id), row.to_vec()).unwrap();
    }
    (model, table)
}

/// What two answers make of a prior, with margins that are linear in the row.
fn answered(prior: &Belief) -> UserBelief {
    let gradients = [[1.0, 0.5, 0.0, 0.2], [-0.5, 1.0, 0.0, 0.0]];
    let dot = |g: &[f32; 4], row: &[f32]| -> f64 {
        g.iter().zip(row).map(|(&g, &x)| f64::from(g * x)).sum()
    };
    let Ok(fit) = prior.fit(1e-3, |row| {
        Ok::<_, Infallible>(Margins {
            values: gradients.iter().map(|g| dot(g, row)).collect(),
            gradients: gradients.iter().map(|g| g.to_vec()).collect(),
        })
    });
    UserBelief {
        row: fit.belief,
        mix: Mix::new(2).after(&[Question::new(0.0, &[2.0, 1.0])]),
    }
}

/// The two in a folder, and Emma beside them, with what is believed of her.
fn with_emma() -> (TempDir, UserModel, UserTable, UserBelief) {
    let dir = TempDir::new().unwrap();
    let (model, table) = trained();
    save(dir.path(), &model, &table, Moments::Drop).unwrap();
    let (_, table) = load(dir.path(), &Device::flex()).unwrap();
    let belief = answered(&table.belief().unwrap());
    table
        .fitted()
        .set("emma", &row_of(&table, &belief))
        .unwrap();
    (dir, model, table, belief)
}

fn row_of(table: &UserTable, belief: &UserBelief) -> FittedRow {
    FittedRow {
        values: belief.row.mean().to_vec(),
        fitted: FITTED,
        belief: Some(DatedBelief {
            prior_sha256: table.belief().unwrap().prior_sha256(),
            kept: KeptBelief::of(belief),
        }),
    }
}

fn believed(table: &UserTable, id: &str) -> Option<UserBelief> {
    let row = table.fitted().get(id).unwrap()?;
    row.belief_beside(&table.belief()?)
}

#[test]
fn a_fitted_user_is_whole_again_after_a_round_trip() {
    let (dir, _, _, belief) = with_emma();
    let (_, table) = load(dir.path(), &Device::flex()).unwrap();
    assert!(table.contains("emma") && !table.owns("emma"));
    assert_eq!(table.fitted().fitted("emma").unwrap(), Some(FITTED));
    assert_eq!(table.fitted().fitted("anna").unwrap(), None);
    assert_eq!(table.ids(), ["anna", "ben"]);
    let emma = table.user("emma").unwrap();
    assert_eq!(table.row(&emma).unwrap(), belief.row.mean());
    assert_eq!(table.batch(&[emma], &Device::flex()).unwrap().len(), 1);
    let found = believed(&table, "emma").unwrap();
    assert_eq!(found.mix, belief.mix);
    assert_eq!(found.row.mean(), belief.row.mean());
    // In the plane of the trained users it is as sure as it was, but for the hundredth that lies elsewhere.
    for gradient in [[1.0, 0.0, 0.0, 0.0], [0.3, 2.0, 0.0, 2.0]] {
        let (found, expected) = (
            found.row.variance(&gradient),
            belief.row.variance(&gradient),
        );
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
    assert!(believed(&table, "anna").is_none());
    assert!(table.fitted().remove("emma").unwrap());
    assert!(!table.contains("emma"));
    let files = fs::read_dir(dir.path().join(FITTED_FOLDER)).unwrap();
    assert_eq!(files.count(), 0);
}

#[test]
fn what_is_read_of_a_user_does_not_grow_with_the_others() {
    let (dir, _, table, belief) = with_emma();
    let own = |dir: &std::path::Path| -> Vec<u64> {
        let folders = fs::read_dir(dir.join(FITTED_FOLDER)).unwrap();
        let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        files
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect()
    };
    let [alone] = own(dir.path())[..] else {
        panic!("one file");
    };
    let tables = |dir: &std::path::Path| {
        let names = ["user_model.json", "user_model.safetensors"];
        names.map(|name| fs::read(dir.join(name)).unwrap())
    };
    let before = tables(dir.path());
    for number in 0..300 {
        let id = format!("u{number:03}");
        table.fitted().set(&id, &row_of(&table, &belief)).unwrap();
    }
    // What opens is as it was, and everybody has a file of their own.
    assert_eq!(tables(dir.path()), before);
    let sizes = own(dir.path());
    assert_eq!((sizes.len(), table.fitted().count().unwrap()), (301, 301));
    assert!(sizes.iter().all(|&size| size.abs_diff(alone) <= 8));
    // Whatever is wrong with one of them is nothing to another.
    for folder in fs::read_dir(dir.path().join(FITTED_FOLDER)).unwrap() {
        for file in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            if !String::from_utf8_lossy(&bytes).contains("emma") {
                fs::write(&path, b"broken").unwrap();
            }
        }
    }
    let (_, again) = load(dir.path(), &Device::flex()).unwrap();
    assert!(believed(&again, "emma").is_some());
    assert!(again.fitted().get("u007").is_err());
    assert!(again.row(&UserRef::id("u007")).is_err());
}

#[test]
fn fitted_users_say_nothing_of_what_users_are_like() {
    let (_dir, _, table, _) = with_emma();
    let (_, others) = trained();
    let prior = |table: &UserTable| table.belief().unwrap().prior_sha256();
    assert_eq!(prior(&table), prior(&others));
}

#[test]
fn beside_other_trained_users_a_belief_is_void() {
    let (_dir, _, mut table, _) = with_emma();
    let hash = |table: &UserTable| table.belief().unwrap().prior_sha256();
    assert_eq!(table.fitted().void_beliefs(Some(&hash(&table))).unwrap(), 0);
    let zoe = UserRef::id("zoe");
    table.set_row(&zoe, vec![0.0, 0.0, 1.0, 0.0]).unwrap();
    assert!(believed(&table, "emma").is_none());
    table.remove("zoe").unwrap();
    assert!(believed(&table, "emma").is_some());
    table.set_row(&zoe, vec![0.0, 0.0, 1.0, 0.0]).unwrap();
    assert_eq!(table.fitted().void_beliefs(Some(&hash(&table))).unwrap(), 1);
    table.remove("zoe").unwrap();
    assert!(believed(&table, "emma").is_none());
    // The row stays.
    assert_eq!(table.fitted().fitted("emma").unwrap(), Some(FITTED));
}

#[test]
fn an_import_beside_other_shared_tensors_is_refused() {
    let (_dir, model, table, _) = with_emma();
    let emma = table.export_user("emma", &model).unwrap();
    assert_eq!(emma.fitted, Some(FITTED));
    assert!(emma.belief.is_some());
    let config = table.config().clone().with_seed(9);
    let other = config.init(None, &Device::flex()).unwrap();
    let mut elsewhere = UserTable::new(config).unwrap();
    let error = elsewhere.import_user(emma.clone(), &other).unwrap_err();
    assert!(matches!(error, TableError::OtherShared { .. }));
    for hash in [&model, &other].map(|model| model.shared_sha256().unwrap()) {
        assert!(error.to_string().contains(&hash), "{error}");
    }
    // A file of an earlier version does not say.
    let text = serde_json::to_value(&emma).unwrap();
    let mut fields = text.as_object().unwrap().clone();
    for key in ["shared_sha256", "fitted", "belief"] {
        fields.remove(key);
    }
    let old: ExportedUser = serde_json::from_value(fields.into()).unwrap();
    assert_eq!(elsewhere.import_user(old, &other).unwrap(), None);
    assert!(elsewhere.owns("emma"));
    // Who is fitted is for whoever keeps fitted users.
    let mut other = UserTable::new(table.config().clone()).unwrap();
    let row = other.import_user(emma, &model).unwrap().unwrap();
    assert_eq!(Some(row), table.fitted().get("emma").unwrap());
    assert!(!other.contains("emma"));
}

#[test]
fn two_users_become_one_with_the_row_that_is_named() {
    let (_, table) = trained();
    let row = |table: &UserTable, id: &str| table.row(&UserRef::id(id)).unwrap();
    for of in ["anna", "ben"] {
        let mut table = table.clone();
        let expected = row(&table, of);
        table.merge("anna", "ben", of).unwrap();
        assert_eq!(row(&table, "anna"), expected);
        assert_eq!((table.ids(), table.touched()), (vec!["anna"], 1));
    }
    let mut table = table;
    table.add("zoe");
    let error = table.merge("anna", "zoe", "ben").unwrap_err();
    assert!(matches!(error, TableError::NotTwo { .. }));
    assert!(table.merge("anna", "anna", "anna").is_err());
    assert!(table.merge("anna", "zo", "anna").is_err());
    assert_eq!(table.len(), 3);
}

#[test]
fn a_new_id_has_no_control_character() {
    let error = UserTable::validate_new_id("x\ny").unwrap_err().to_string();
    assert_eq!(
        error,
        "user `x\\ny`: an id must not hold a control character, and this one holds U+000A"
    );
    assert!(UserTable::validate_new_id(" ").is_err());
    assert!(UserTable::validate_new_id(&"x".repeat(512)).is_ok());
    let error = UserTable::validate_new_id(&"x".repeat(513)).unwrap_err();
    let expected =
        "user `xxxxxxxxxxxxxxxxxxxx`...: an id is at most 512 bytes long, and this one has 513";
    assert_eq!(error.to_string(), expected);
    assert!(UserTable::validate_new_id("Zo\u{eb} 2").is_ok());
}

proptest! {
    #[test]
    fn a_mangled_file_is_an_error_and_never_a_crash(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (dir, _, table, _) = with_emma();
        let [folder] = &paths(&dir.path().join(FITTED_FOLDER))[..] else { panic!("one folder") };
        let [path] = &paths(folder)[..] else { panic!("one file") };
        let mut bytes = fs::read(path).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        fs::write(path, bytes).unwrap();
        let name = path.file_name().unwrap().to_string_lossy();
        for error in [
            table.fitted().get("emma").err(),
            table.fitted().fitted("emma").err(),
            table.fitted().all().err(),
        ].into_iter().flatten() {
            prop_assert!(error.to_string().contains(&*name), "{}", error);
        }
        if let Ok(Some(row)) = table.fitted().get("emma") {
            row.belief_beside(&table.belief().unwrap());
        }
    }
}

fn paths(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
