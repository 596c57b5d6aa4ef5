//! `prlhf users merge`: two ids of one person become one.

use std::path::Path;

use clap::Args;
use trainer::TrainError;
use trainer::forget::HeldUsers;
use trainer::user_model::{TableError, UserRef, UserTable};

use super::{warn_of_data, warn_of_lost};

/// Arguments of `prlhf users merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// The id that stays.
    pub id: String,
    /// The id that goes.
    pub gone: String,
    /// Whose row to keep. Default: that of the one with more answers where both are fitted, with more training steps where both are
    /// trained and the run has a checkpoint, which counts them; or of the only one whose row is not as it began.
    #[arg(long, value_name = "ID")]
    pub keep: Option<String>,
}

/// Makes two users one. A row is kept as it is, with what is believed of it: a mean of two would be neither's, since what a row does is not
/// linear in it.
pub fn run(dir: &Path, args: &MergeArgs) -> Result<String, TrainError> {
    let MergeArgs { id, gone, keep } = args;
    if id == gone {
        return Err(TableError::Twice { id: id.clone() }.into());
    }
    let mut users = HeldUsers::open(dir)?;
    for id in [id, gone] {
        users.table.user(id)?;
    }
    let of = match keep {
        Some(keep) if keep != id && keep != gone => return Err(not_two(keep)),
        Some(keep) => keep.clone(),
        None => more(&users, id, gone)?.to_owned(),
    };
    let both_fitted = [id, gone].iter().all(|id| !users.table.owns(id));
    let fitted = match users.table.owns(&of) {
        true => None,
        false => users.table.fitted().get(&of)?,
    };
    match &fitted {
        Some(row) => {
            users.table.fitted().set(id, row)?;
            for id in [id, gone] {
                if users.table.owns(id) {
                    users.table.remove(id)?;
                }
            }
        }
        None => keep_trained(&mut users, id, gone, &of)?,
    }
    let lost = users.save_without(gone, |table| merge_in_checkpoint(table, id, gone, &of))?;
    warn_of_lost(lost);
    warn_of_data(dir, gone);
    let other = if of == *id { gone } else { id };
    let (id, gone, other) = (
        printable::quoted(id),
        printable::quoted(gone),
        printable::quoted(other),
    );
    let of = printable::quoted(&of);
    let lost = match both_fitted {
        true => format!(
            "; the answers of {other} count no more: `users fit` with those of both makes one row of all"
        ),
        false => String::new(),
    };
    Ok(format!(
        "users {id} and {gone} are one, user {id}, with the row of {of}{lost}"
    ))
}

fn not_two(id: &str) -> TrainError {
    let user = UserRef::id(id);
    TableError::NotTwo { user }.into()
}

/// Gives the one that stays the table's row of one of the two; a fitted row of the other goes.
fn keep_trained(users: &mut HeldUsers, id: &str, gone: &str, of: &str) -> Result<(), TrainError> {
    if users.table.owns(gone) {
        users.table.add(id);
        users.table.merge(id, gone, of)?;
    }
    users.table.fitted().remove(id)?;
    Ok(())
}

/// The checkpoint may not know the one that stays.
fn merge_in_checkpoint(
    table: &mut UserTable,
    id: &str,
    gone: &str,
    of: &str,
) -> Result<(), TableError> {
    match table.contains(id) || of == gone {
        true => {
            table.add(id);
            table.merge(id, gone, of)
        }
        false => table.remove(gone),
    }
}

/// The one of two users who was learned from more.
fn more<'a>(users: &HeldUsers, a: &'a str, b: &'a str) -> Result<&'a str, TrainError> {
    let table = &users.table;
    let has_row = |id: &str| !table.owns(id) || table.is_touched(&UserRef::id(id));
    let fitted = |id: &str| match table.owns(id) {
        true => Ok(None),
        false => table.fitted().fitted(id),
    };
    let counts = match (fitted(a)?, fitted(b)?) {
        _ if !has_row(b) => return Ok(a),
        _ if !has_row(a) => return Ok(b),
        (Some(a), Some(b)) => Some((a.answers, b.answers)),
        (None, None) => {
            let checkpoint = users.of_checkpoint()?;
            checkpoint.and_then(|(_, table)| Some((table.steps(a)?, table.steps(b)?)))
        }
        _ => None,
    };
    match counts {
        Some((of_a, of_b)) if of_a > of_b => Ok(a),
        Some((of_a, of_b)) if of_a < of_b => Ok(b),
        counts => {
            let why = match counts {
                Some((count, _)) => format!("both were learned from as much ({count})"),
                None => "how much each was learned from cannot be compared".into(),
            };
            let (a, b) = (printable::quoted(a), printable::quoted(b));
            Err(TrainError::Usage(format!(
                "whose row is to be kept? {why}: give --keep {a} or --keep {b}"
            )))
        }
    }
}
