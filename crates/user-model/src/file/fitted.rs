//! `fitted/`: users who were fitted to a few answers, each in a file of their own beside the table.
//!
//! Whoever opens a user model reads none of them, and a request reads the one that it is for: what it takes does not depend on how
//! many there are. The file of a user is called by the SHA-256 of the id, `fitted/ab/abcd....safetensors`:
//!
//! | tensor | type | shape |
//! |---|---|---|
//! | `row` | F32 | `[1, row_len]` |
//! | `told` | F32 | `[n, r]`, [`Belief::told`]; absent where nothing is believed |
//! | `mix` | F32 | `[1 + m, K]`, [`Mix::mean`] and below it [`Mix::told`]; absent with `told` |
//!
//! Its metadata say in JSON, under `user`, whose it is, what the row was fitted to, and by [`Belief::prior_sha256`] beside which trained
//! users the belief means something: where these have come, gone or changed, it is void.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::{read, remove, write_atomically};
use crate::{Belief, FileError, Fitted, Mix};

/// Name of the folder.
pub const FITTED_FOLDER: &str = "fitted";
/// How the names of its files end.
const ENDING: &str = "safetensors";
const USER: &str = "user";
const ROW: &str = "row";
const TOLD: &str = "told";
const MIX: &str = "mix";
/// Bytes of a file's names and shapes at most.
const LONGEST_HEADER: u64 = 1 << 20;

/// What is believed of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserBelief {
    /// Of their row.
    pub row: Belief,
    /// Of how they mix trained users.
    pub mix: Mix,
}

/// What is kept of a [`UserBelief`] beside the row, which is its mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptBelief {
    /// [`Belief::told`].
    told: Vec<Vec<f32>>,
    /// [`Mix::mean`] and [`Mix::told`].
    mix: Vec<Vec<f32>>,
}

impl KeptBelief {
    /// What to keep.
    pub fn of(belief: &UserBelief) -> Self {
        let mut mix = vec![belief.mix.mean().to_vec()];
        mix.extend(belief.mix.told());
        Self {
            told: belief.row.told(),
            mix,
        }
    }

    /// The whole again, of a user with this row; none where it is of another form than `prior`.
    pub fn after(&self, prior: &Belief, row: Vec<f32>) -> Option<UserBelief> {
        let [mean, told @ ..] = &self.mix[..] else {
            return None;
        };
        Some(UserBelief {
            row: prior.after(row, &self.told)?,
            mix: Mix::from_parts(mean.clone(), told.to_vec())?,
        })
    }
}

/// What is believed of a fitted user, and beside what it means something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatedBelief {
    /// [`Belief::prior_sha256`] of the trained users that it was made beside.
    pub prior_sha256: String,
    /// All else.
    pub kept: KeptBelief,
}

/// A row that was fitted to answers.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedRow {
    /// Offsets or weights, `[row_len]`.
    pub values: Vec<f32>,
    /// What it was fitted to.
    pub fitted: Fitted,
    /// How sure it is, where that is kept.
    pub belief: Option<DatedBelief>,
}

impl FittedRow {
    /// What is believed of the user beside the trained users of `prior`; none where nothing is kept, or beside others.
    pub fn belief_beside(&self, prior: &Belief) -> Option<UserBelief> {
        let dated = self.belief.as_ref();
        let dated = dated.filter(|dated| dated.prior_sha256 == prior.prior_sha256())?;
        dated.kept.after(prior, self.values.clone())
    }
}

/// What the metadata say.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    id: String,
    fitted: Fitted,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prior_sha256: Option<String>,
}

/// The fitted users beside a table; nobody where there is no folder.
#[derive(Debug, Clone, Default)]
pub struct FittedUsers {
    folder: Option<PathBuf>,
}

impl FittedUsers {
    /// Those beside the user model in `dir`, of which nothing is read.
    pub fn beside(dir: &Path) -> Self {
        Self {
            folder: Some(dir.join(FITTED_FOLDER)),
        }
    }

    /// The file of a user, whether or not it is there.
    fn file(&self, id: &str) -> Option<PathBuf> {
        let name = super::sha256(id.as_bytes());
        let folder = self.folder.as_ref()?.join(&name[..2]);
        Some(folder.join(name).with_extension(ENDING))
    }

    /// Whether a user is among them.
    pub fn contains(&self, id: &str) -> bool {
        self.file(id).is_some_and(|file| file.is_file())
    }

    /// A user's row, with all that is kept beside it; none of others.
    ///
    /// # Errors
    /// [`FileError`] names the file and what is wrong.
    pub fn get(&self, id: &str) -> Result<Option<FittedRow>, FileError> {
        match self.file(id) {
            Some(path) if path.is_file() => Ok(Some(decode(&path, &read(&path)?, id)?)),
            _ => Ok(None),
        }
    }

    /// What a user's row was fitted to; none of others. Of the file the beginning is read.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn fitted(&self, id: &str) -> Result<Option<Fitted>, FileError> {
        match self.file(id) {
            Some(path) if path.is_file() => Ok(Some(about(&path)?.fitted)),
            _ => Ok(None),
        }
    }

    /// Keeps a user's row, in the place of the one before.
    ///
    /// # Errors
    /// [`FileError::Io`]; what was there is then as it was. [`FileError::Unsavable`] for users who are beside no folder.
    pub fn set(&self, id: &str, row: &FittedRow) -> Result<(), FileError> {
        let Some(path) = self.file(id) else {
            let why = "a fitted user is kept beside a user model on disk";
            return Err(FileError::Unsavable(why.into()));
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(FileError::io(folder))?;
        }
        write_atomically(&[(&path, &encode(id, row)?)])
    }

    /// Forgets a user; whether there was one.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn remove(&self, id: &str) -> Result<bool, FileError> {
        match self.file(id) {
            Some(path) if path.is_file() => {
                remove(&path)?;
                // Best effort: an empty folder tells nothing.
                let _ = path.parent().map(fs::remove_dir);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// All of them with what they were fitted to, by id. The beginnings of all files are read.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn all(&self) -> Result<Vec<(String, Fitted)>, FileError> {
        let mut all = Vec::new();
        for path in self.files()? {
            let about = about(&path)?;
            all.push((about.id, about.fitted));
        }
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        Ok(all)
    }

    /// How many; no file is read.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn count(&self) -> Result<usize, FileError> {
        Ok(self.files()?.len())
    }

    /// Forgets what was believed beside other trained users than those of this [`Belief::prior_sha256`]; the rows stay. Returns of
    /// how many.
    ///
    /// # Errors
    /// As [`get`](Self::get) and [`set`](Self::set).
    pub fn void_beliefs(&self, prior_sha256: Option<&str>) -> Result<usize, FileError> {
        let mut lost = 0;
        for path in self.files()? {
            // A damaged file holds nobody else up: whoever asks for that user is told.
            let Ok(About {
                id,
                prior_sha256: of,
                ..
            }) = about(&path)
            else {
                continue;
            };
            if of.is_none() || of.as_deref() == prior_sha256 {
                continue;
            }
            if let Some(row) = self.get(&id)? {
                self.set(
                    &id,
                    &FittedRow {
                        belief: None,
                        ..row
                    },
                )?;
                lost += 1;
            }
        }
        Ok(lost)
    }

    fn files(&self) -> Result<Vec<PathBuf>, FileError> {
        let Some(folder) = &self.folder else {
            return Ok(Vec::new());
        };
        let mut files = Vec::new();
        for folder in entries(folder)? {
            files.extend(entries(&folder)?);
        }
        let is_one = |path: &PathBuf| path.extension().is_some_and(|ending| ending == ENDING);
        files.retain(is_one);
        Ok(files)
    }
}

/// What is in a folder; nothing where there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(folder) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries.map_err(FileError::io(folder))?,
    };
    let paths = entries.map(|entry| Ok(entry.map_err(FileError::io(folder))?.path()));
    paths.collect()
}

fn encode(id: &str, row: &FittedRow) -> Result<Vec<u8>, FileError> {
    let unsavable = |e: safetensors::SafeTensorError| FileError::Unsavable(e.to_string());
    let about = About {
        id: id.to_owned(),
        fitted: row.fitted,
        prior_sha256: row.belief.as_ref().map(|dated| dated.prior_sha256.clone()),
    };
    let about = serde_json::to_string(&about).map_err(|e| FileError::Unsavable(e.to_string()))?;
    let own = [row.values.clone()];
    let mut matrices: Vec<(&str, &[Vec<f32>])> = vec![(ROW, &own)];
    if let Some(DatedBelief { kept, .. }) = &row.belief {
        matrices.extend([(TOLD, &kept.told[..]), (MIX, &kept.mix[..])]);
    }
    let bytes = |rows: &[Vec<f32>]| -> Vec<u8> {
        let numbers = rows.iter().flatten();
        numbers.flat_map(|x| x.to_le_bytes()).collect()
    };
    let buffers: Vec<Vec<u8>> = matrices.iter().map(|(_, rows)| bytes(rows)).collect();
    let mut views = Vec::new();
    for ((name, rows), bytes) in matrices.iter().zip(&buffers) {
        let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
        let view = TensorView::new(Dtype::F32, shape, bytes).map_err(unsavable)?;
        views.push((*name, view));
    }
    let about = HashMap::from([(USER.to_owned(), about)]);
    safetensors::serialize(views, Some(about)).map_err(unsavable)
}

fn decode(path: &Path, bytes: &[u8], id: &str) -> Result<FittedRow, FileError> {
    let broken = |source| FileError::Safetensors {
        path: path.to_owned(),
        source,
    };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let about = about_in(path, &metadata)?;
    if about.id != id {
        let (found, expected) = (printable::quoted(&about.id), printable::quoted(id));
        return Err(FileError::content(path, "id", found, expected));
    }
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let values = matrix(path, &tensors, ROW)?.into_iter().flatten().collect();
    let belief = match about.prior_sha256 {
        None => None,
        Some(prior_sha256) => Some(DatedBelief {
            prior_sha256,
            kept: KeptBelief {
                told: matrix(path, &tensors, TOLD)?,
                mix: matrix(path, &tensors, MIX)?,
            },
        }),
    };
    Ok(FittedRow {
        values,
        fitted: about.fitted,
        belief,
    })
}

/// What the beginning of a file says.
fn about(path: &Path) -> Result<About, FileError> {
    let mut file = File::open(path).map_err(FileError::io(path))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(FileError::io(path))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(FileError::content(path, "header", length, LONGEST_HEADER));
    }
    let mut header = Vec::new();
    let read = file.take(length).read_to_end(&mut header);
    read.map_err(FileError::io(path))?;
    let metadata = serde_json::from_slice(&header).map_err(FileError::json(path))?;
    about_in(path, &metadata)
}

fn about_in(path: &Path, metadata: &Metadata) -> Result<About, FileError> {
    let about = metadata.metadata().as_ref();
    match about.and_then(|about| about.get(USER)) {
        Some(text) => serde_json::from_str(text).map_err(FileError::json(path)),
        None => Err(FileError::content(path, USER, "missing", "whose row it is")),
    }
}

/// A matrix of finite numbers, by rows.
fn matrix(path: &Path, tensors: &SafeTensors, name: &str) -> Result<Vec<Vec<f32>>, FileError> {
    let wrong = |found: String| {
        let expected = "a matrix of finite F32 numbers";
        Err(FileError::content(path, name, found, expected))
    };
    let Ok(view) = tensors.tensor(name) else {
        return wrong("missing".into());
    };
    let ([rows, width], Dtype::F32) = (view.shape(), view.dtype()) else {
        return wrong(format!(
            "a {:?} tensor of shape {:?}",
            view.dtype(),
            view.shape()
        ));
    };
    if *width == 0 && *rows > 0 {
        return wrong(format!("{rows} rows of no numbers"));
    }
    let (numbers, _) = view.data().as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|x| f32::from_le_bytes(*x)).collect();
    if let Some(odd) = numbers.iter().find(|x| !x.is_finite()) {
        return wrong(format!("a matrix with {odd}"));
    }
    let rows = (0..*rows).map(|row| numbers[row * width..][..*width].to_vec());
    Ok(rows.collect())
}
