//! Ids, and rows that exist once touched.

use super::*;
use crate::UserModelKind;

fn table() -> UserTable {
    let kind = UserModelKind::Cluster { clusters: 3 };
    let mut table = UserTable::new(UserModelConfig::new(kind, 2, 4)).unwrap();
    for id in ["worker-2", "0", "anna"] {
        assert!(table.add(id));
    }
    table
}

#[test]
fn ids_keep_their_order_and_are_added_once() {
    let mut table = table();
    assert!(!table.add("0"));
    table.remove("worker-2").unwrap();
    assert!(table.add("worker-2"));
    assert_eq!(table.ids(), ["0", "anna", "worker-2"]);
    assert_eq!((table.len(), table.touched()), (3, 0));
    assert!(table.contains("anna") && !table.contains("Anna"));
}

#[test]
fn an_unknown_id_is_an_error_with_near_matches() {
    let error = table().user("worker-1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "unknown user `worker-1`; known and similar: `worker-2`"
    );
    let users = [UserRef::Generic, UserRef::id("nobody at all")];
    let error = table().batch(&users, &Device::flex()).unwrap_err();
    assert_eq!(error.to_string(), "unknown user `nobody at all`");
    assert!(table().remove("bob").is_err());
    assert_eq!(
        table().batch(&[], &Device::flex()).unwrap_err(),
        TableError::EmptyBatch
    );
}

#[test]
fn an_id_is_not_blank() {
    let mut table = table();
    for blank in ["", " ", "\u{3000}\n"] {
        assert!(!table.add(blank) && !table.contains(blank));
        let id = blank.to_owned();
        assert_eq!(table.user(blank), Err(TableError::EmptyId { id }));
    }
    let error = table.user("").unwrap_err();
    assert_eq!(
        error.to_string(),
        "user ``: an id must not be empty or blank"
    );
}

#[test]
fn ids_are_told_apart_by_unicode_form_and_the_difference_is_shown() {
    let mut table = table();
    assert!(table.add("Zo\u{eb}") && table.add("x\ny"));
    let error = table.user("Zoe\u{308}").unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown user `Zoe\u{308}`; known and similar: `Zo\u{eb}` (U+00EB in place of U+0065 U+0308)"
    );
    assert!(table.add("Zoe\u{308}"));
    let error = table.user("x y").unwrap_err().to_string();
    assert_eq!(
        error,
        "unknown user `x y`; known and similar: `x\\ny` (U+000A in place of U+0020)"
    );
}

#[test]
fn a_batch_copies_each_row_once_and_touches_none() {
    let table = table();
    let users = ["anna", "0", "anna"].map(UserRef::id);
    let batch = table.batch(&users, &Device::flex().autodiff()).unwrap();
    assert_eq!(batch.users(), ["0", "anna"].map(UserRef::id));
    let leaf = batch.leaf.clone().unwrap();
    assert!(leaf.is_require_grad());
    let rows = leaf.try_into_vec_as::<f32>().unwrap();
    assert_eq!(rows[..3], table.row(&users[1]).unwrap());
    assert_eq!(rows[3..], table.row(&users[0]).unwrap());
    assert_eq!(batch.index.try_into_vec_as::<i64>().unwrap(), [1, 0, 1]);
    assert_eq!(table.touched(), 0);
}

#[test]
fn the_user_called_0_is_not_the_generic_user() {
    let table = table();
    let users = [UserRef::Generic, UserRef::id("0")];
    assert_ne!(table.row(&users[0]), table.row(&users[1]));
    let batch = table.batch(&users, &Device::flex()).unwrap();
    assert_eq!(batch.users(), users);
    assert!(!batch.leaf.unwrap().is_require_grad());
}

#[test]
fn a_million_known_users_have_no_rows() {
    let kind = UserModelKind::Individual { generic: true };
    let mut table = UserTable::new(UserModelConfig::new(kind, 10, 576)).unwrap();
    for i in 0..1_000_000 {
        table.add(i.to_string());
    }
    let users = [UserRef::id("999999"), UserRef::Generic];
    let batch = table.batch(&users, &Device::flex()).unwrap();
    assert_eq!(batch.leaf.unwrap().dims(), [1, 5760]);
    assert_eq!((table.len(), table.touched()), (1_000_000, 0));
}

#[test]
fn a_table_of_some_users_has_their_rows_and_no_others() {
    let mut table = table();
    let [anna, worker] = ["anna", "worker-2"].map(UserRef::id);
    table.set_row(&anna, vec![1.0, 2.0, 3.0]).unwrap();
    table
        .set_row(&UserRef::Generic, vec![4.0, 5.0, 6.0])
        .unwrap();
    table.set_row(&UserRef::id("0"), vec![7.0; 3]).unwrap();
    let some = table.of_users([&anna, &worker, &anna]).unwrap();
    assert_eq!(some.ids(), ["anna", "worker-2"]);
    for user in [&anna, &worker, &UserRef::Generic] {
        assert_eq!(some.row(user).unwrap(), table.row(user).unwrap());
    }
    assert_eq!(some.touched(), 2);
    assert!(table.of_users([&UserRef::id("bob")]).is_err());
}
