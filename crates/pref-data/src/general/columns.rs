//! Which column holds what: by our own names, by those of other tools, or by `[data.columns]`.

use serde::{Deserialize, Serialize};

use super::choice;
use crate::error::DataError;
use crate::records::Fields;

/// Columns by other names than our own. What is not named here is found by our name or one that other tools use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// What was answered.
    pub prompt: Option<String>,
    /// The preferred response.
    pub chosen: Option<String>,
    /// The other response.
    pub rejected: Option<String>,
    /// A response that was judged alone.
    pub completion: Option<String>,
    /// Whether its user liked it.
    pub label: Option<String>,
    /// Who judged.
    pub user: Option<String>,
    /// What the user says about herself.
    pub user_text: Option<String>,
    /// What splits keep together.
    pub source: Option<String>,
    /// A label of the user's kind.
    pub group: Option<String>,
}

/// Our name and those of other tools, in the order in which they are looked for.
const NAMES: [(&str, &[&str]); 9] = [
    ("prompt", &["question", "instruction", "query"]),
    (
        "chosen",
        &[
            "response_j",
            "chosen_response",
            "response_chosen",
            "preferred",
            "preferred_output",
        ],
    ),
    (
        "rejected",
        &[
            "response_k",
            "rejected_response",
            "response_rejected",
            "dispreferred",
            "non_preferred_output",
        ],
    ),
    ("completion", &["response", "output"]),
    ("label", &["kto_tag", "thumb", "thumbs_up", "liked"]),
    (
        "user",
        &[
            "user_id",
            "annotator",
            "annotator_id",
            "worker",
            "worker_id",
            "labeler",
            "labeler_id",
            "rater",
            "rater_id",
            UID,
        ],
    ),
    ("user_text", &[]),
    ("source", &[]),
    ("group", &[]),
];

/// A name of users in some data, and of records in others: the last to be taken.
const UID: &str = "uid";

/// Lists of messages that end before the response, where there is no prompt.
pub(super) const CONVERSATIONS: [&str; 3] = ["conversations", "conversation", "messages"];

/// Further columns that are read beside the others.
const BESIDE: [&str; 7] = [
    "tools",
    "chat_template_kwargs",
    "input",
    "system",
    "history",
    "response",
    "output",
];

impl Columns {
    fn mapped(&self, role: &str) -> Option<&str> {
        let column = match role {
            "prompt" => &self.prompt,
            "chosen" => &self.chosen,
            "rejected" => &self.rejected,
            "completion" => &self.completion,
            "label" => &self.label,
            "user" => &self.user,
            "user_text" => &self.user_text,
            "source" => &self.source,
            _ => &self.group,
        };
        column.as_deref()
    }

    /// Whether the configuration names this column for one of the roles.
    pub(super) fn is_mapped(&self, name: &str) -> bool {
        let mut roles = NAMES.iter();
        roles.any(|(role, _)| self.mapped(role) == Some(name))
    }

    /// Whether a column of this name may be read.
    pub(super) fn may_use(&self, name: &str) -> bool {
        let known = |(role, others): &(&str, &[&str])| {
            *role == name || others.contains(&name) || self.mapped(role) == Some(name)
        };
        let spelled = |(role, _): &(&str, &[&str])| is_spelling(role, name);
        NAMES.iter().any(known)
            || NAMES.iter().any(spelled)
            || CONVERSATIONS.contains(&name)
            || BESIDE.contains(&name)
            || choice::may_use(name)
    }

    /// The column of a record that holds this; notes it where the name is another tool's.
    ///
    /// # Errors
    /// A column that the configuration names and the record does not have.
    pub(super) fn find<'c>(
        &'c self,
        fields: &'c Fields,
        role: &'static str,
    ) -> Result<Option<&'c str>, DataError> {
        let name = self.look(fields, role)?;
        if let Some(name) = name {
            self.note(fields, role, name);
        }
        Ok(name)
    }

    /// Notes that this column holds this, where the name is another tool's.
    pub(super) fn note(&self, fields: &Fields, role: &str, name: &str) {
        if name != role && self.mapped(role).is_none() {
            fields.note(format!("column `{name}` is taken for `{role}`"));
        }
    }

    /// As [`Self::find`], without the note. A column with a value comes before one without; where our own has none, only one of
    /// its name does, as `UserText` beside `user_text`.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub(super) fn look<'c>(
        &'c self,
        fields: &'c Fields,
        role: &'static str,
    ) -> Result<Option<&'c str>, DataError> {
        if let Some(name) = self.mapped(role) {
            return match fields.contains(name) {
                true => Ok(Some(name)),
                false => Err(fields.missing(name, &format!("the column for `{role}`"))),
            };
        }
        let known = || std::iter::once(role).chain(others(role));
        let is_filled = |name: &str| {
            let may = !fields.contains(role) || name.to_lowercase().starts_with(role);
            may && fields.get(name).is_some()
        };
        let filled = known().find(|name| is_filled(name));
        let spelled = || {
            let mut names = fields.names();
            names.find(|name| is_filled(name) && is_spelling(role, name))
        };
        let there = || known().find(|name| fields.contains(name));
        Ok(filled.or_else(spelled).or_else(there))
    }
}

impl Columns {
    /// Who judged. Our own column `user` comes first. Where it is absent or null, any other that is known to name a user does, if
    /// all of them that have a value say the same (`uid` only where it is alone: it may be the record's); so null means nobody only
    /// where no column names somebody.
    ///
    /// # Errors
    /// A column that the configuration names and the record does not have; a name that is none; two columns that disagree.
    pub(super) fn user(&self, fields: &Fields) -> Result<Option<String>, DataError> {
        const USER: &str = "user";
        if self.user.is_some() {
            return match self.find(fields, USER)? {
                Some(column) => fields.optional_name(column),
                None => Ok(None),
            };
        }
        let own = fields.optional_name(USER)?;
        let known = others(USER).map(|name| -> &str { name });
        let known = known.filter(|name| fields.get(name).is_some());
        let is_other = |name: &&str| {
            let is_known = *name == USER || others(USER).any(|other| other == *name);
            !is_known && is_spelling(USER, name) && fields.get(name).is_some()
        };
        let names = known.chain(fields.names().filter(is_other));
        let mut names: Vec<&str> = names.collect();
        if own.is_some() || names.len() > 1 {
            names.retain(|name| !name.eq_ignore_ascii_case(UID));
        }
        if own.is_some() {
            for name in names {
                if fields.optional_name(name).ok() != Some(own.clone()) {
                    fields.note(format!(
                        "column `{name}` beside `user` names another, and is not used"
                    ));
                }
            }
            return Ok(own);
        }
        let mut found: Option<(&str, String)> = None;
        for name in names {
            let Some(user) = fields.optional_name(name)? else {
                continue;
            };
            match &found {
                None => found = Some((name, user)),
                Some((first, other)) if *other != user => {
                    let expected = format!(
                        "the same as in `{first}`, where it is {other:?}, or `[data.columns]` with `user = \"{first}\"`"
                    );
                    return Err(fields.wrong(name, &expected));
                }
                Some(_) => {}
            }
        }
        Ok(found.map(|(name, user)| {
            fields.note(format!("column `{name}` is taken for `user`"));
            user
        }))
    }
}

/// The names of other tools.
fn others(role: &str) -> impl Iterator<Item = &'static str> {
    let known = NAMES.iter().find(|(name, _)| *name == role);
    known.into_iter().flat_map(|(_, others)| *others).copied()
}

/// Whether this is a known name in another spelling: `User`, `userId`, `User_ID`. For what would be lost in silence alone.
fn is_spelling(role: &str, name: &str) -> bool {
    if !["user", "user_text"].contains(&role) {
        return false;
    }
    let is_same = |known: &str| letters(known).eq(letters(name));
    is_same(role) || others(role).any(is_same)
}

/// The letters of a name in lower case, without what parts its words.
fn letters(name: &str) -> impl Iterator<Item = char> {
    let parted = name.trim().chars().filter(|c| !['_', '-', ' '].contains(c));
    parted.flat_map(char::to_lowercase)
}
