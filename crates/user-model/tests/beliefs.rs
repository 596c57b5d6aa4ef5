//! What is kept of fitted users: whole again after a round trip, void beside other trained users, read for one user at a time.

use std::convert::Infallible;
use std::fs;

use burn::tensor::Device;
use proptest::prelude::*;
use tempfile::TempDir;
use user_model::{
    BELIEFS_FILE, Belief, ExportedUser, Fitted, KeptBelief, KeptBeliefs, Margins, Mix, Moments,
    Question, TableError, UserBelief, UserModel, UserModelConfig, UserModelKind, UserRef,
    UserTable, load, load_belief, save_with_beliefs,
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
    let Ok(fit) = prior.fit(&[], |row| {
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

/// Emma beside the two, and what is believed of her.
fn with_emma() -> (UserModel, UserTable, KeptBeliefs, UserBelief) {
    let (model, mut table) = trained();
    let prior = table.belief().unwrap();
    let belief = answered(&prior);
    let row = belief.row.mean().to_vec();
    table.set_fitted(&UserRef::id("emma"), row, FITTED).unwrap();
    let mut beliefs = KeptBeliefs::default();
    beliefs.insert(prior.prior_sha256(), "emma", KeptBelief::of(&belief));
    (model, table, beliefs, belief)
}

#[test]
fn a_belief_is_whole_again_after_a_round_trip() {
    let dir = TempDir::new().unwrap();
    let (model, table, beliefs, belief) = with_emma();
    save_with_beliefs(dir.path(), &model, &table, Moments::Drop, &beliefs).unwrap();
    let (_, table) = load(dir.path(), &Device::flex()).unwrap();
    assert_eq!(table.fitted("emma"), Some(FITTED));
    assert_eq!(table.fitted("anna"), None);
    let found = load_belief(dir.path(), &table, "emma").unwrap().unwrap();
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
    assert!(load_belief(dir.path(), &table, "anna").unwrap().is_none());
    assert_eq!(KeptBeliefs::read(dir.path()).unwrap(), beliefs);
}

#[test]
fn fitted_users_say_nothing_of_what_users_are_like() {
    let (_, table, ..) = with_emma();
    let (_, others) = trained();
    let prior = |table: &UserTable| table.belief().unwrap().prior_sha256();
    assert_eq!(prior(&table), prior(&others));
}

#[test]
fn beside_other_trained_users_a_belief_is_void() {
    let dir = TempDir::new().unwrap();
    let (model, mut table, mut beliefs, _) = with_emma();
    let zoe = UserRef::id("zoe");
    table.set_row(&zoe, vec![0.0, 0.0, 1.0, 0.0]).unwrap();
    save_with_beliefs(dir.path(), &model, &table, Moments::Drop, &beliefs).unwrap();
    assert!(load_belief(dir.path(), &table, "emma").unwrap().is_none());
    assert_eq!(beliefs.clone().retain_of(&table), 1);
    table.remove("zoe").unwrap();
    assert_eq!(beliefs.retain_of(&table), 0);
    assert_eq!(beliefs.len(), 1);
    // A row that was set otherwise is not the one that was fitted.
    table.set_row(&UserRef::id("emma"), vec![1.0; 4]).unwrap();
    beliefs.retain_of(&table);
    assert!(beliefs.is_empty());
    save_with_beliefs(dir.path(), &model, &table, Moments::Drop, &beliefs).unwrap();
    assert!(!dir.path().join(BELIEFS_FILE).exists());
}

#[test]
fn an_import_beside_other_shared_tensors_is_refused() {
    let (model, table, ..) = with_emma();
    let emma = table.export_user("emma", &model).unwrap();
    assert_eq!(emma.fitted, Some(FITTED));
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
    for key in ["shared_sha256", "fitted"] {
        fields.remove(key);
    }
    let old: ExportedUser = serde_json::from_value(fields.into()).unwrap();
    elsewhere.import_user(old, &other).unwrap();
    assert_eq!(elsewhere.fitted("emma"), None);
}

#[test]
fn two_users_become_one_with_the_row_that_is_named() {
    let (_, table, ..) = with_emma();
    let row = |table: &UserTable, id: &str| table.row(&UserRef::id(id)).unwrap();
    for (of, fitted) in [("anna", None), ("emma", Some(FITTED))] {
        let mut table = table.clone();
        let expected = row(&table, of);
        table.merge("anna", "emma", of).unwrap();
        assert_eq!(row(&table, "anna"), expected);
        assert_eq!(table.fitted("anna"), fitted);
        assert_eq!((table.ids(), table.touched()), (vec!["anna", "ben"], 2));
    }
    let mut table = table;
    let error = table.merge("anna", "emma", "ben").unwrap_err();
    assert!(matches!(error, TableError::NotTwo { .. }));
    assert!(table.merge("anna", "anna", "anna").is_err());
    assert!(table.merge("anna", "emmy", "anna").is_err());
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
    assert!(UserTable::validate_new_id("Zo\u{eb} 2").is_ok());
}

proptest! {
    #[test]
    fn a_mangled_file_is_an_error_and_never_a_crash(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        keep in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let dir = TempDir::new().unwrap();
        let (model, table, beliefs, _) = with_emma();
        save_with_beliefs(dir.path(), &model, &table, Moments::Drop, &beliefs).unwrap();
        let path = dir.path().join(BELIEFS_FILE);
        let mut bytes = fs::read(&path).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(keep) = keep {
            bytes.truncate(keep.index(bytes.len()));
        }
        fs::write(&path, bytes).unwrap();
        for error in [
            load_belief(dir.path(), &table, "emma").err(),
            KeptBeliefs::read(dir.path()).err(),
        ].into_iter().flatten() {
            prop_assert!(error.to_string().contains(BELIEFS_FILE), "{}", error);
        }
    }
}
