//! `user_beliefs.safetensors`: what is believed of fitted users, beside the table that holds their rows.
//!
//! | tensor | type | shape |
//! |---|---|---|
//! | `told/ID` | F32 | `[n, r]`, [`Belief::told`]; the row itself, the mean, is in the table |
//! | `mix/ID` | F32 | `[1 + m, K]`, [`Mix::mean`] and below it [`Mix::told`] |
//!
//! The metadata name the prior that all of it belongs to, by [`Belief::prior_sha256`]: where trained users have come, gone or
//! changed, it means nothing any more. Each user's tensors are read by themselves, and nothing is read before it is asked for.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo, TensorView};
use serde::{Deserialize, Serialize};

use crate::{Belief, FileError, Mix, UserRef, UserTable};

/// Name of the file.
pub const BELIEFS_FILE: &str = "user_beliefs.safetensors";
const PRIOR: &str = "prior_sha256";
/// Bytes of names and shapes at most, as in every file of this format.
const LONGEST_HEADER: u64 = 100_000_000;

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

/// What is kept of all users of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeptBeliefs {
    /// [`Belief::prior_sha256`] of the prior that they belong to.
    prior_sha256: String,
    by_id: BTreeMap<String, KeptBelief>,
}

impl KeptBeliefs {
    /// Reads the whole file of a folder; nothing is kept where there is none.
    ///
    /// # Errors
    ///
    /// [`FileError`] names the file and what is wrong.
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        let Some(mut file) = Opened::new(dir)? else {
            return Ok(Self::default());
        };
        let ids: Vec<String> = file.ids().map(str::to_owned).collect();
        let mut by_id = BTreeMap::new();
        for id in ids {
            if let Some(kept) = file.kept(&id)? {
                by_id.insert(id, kept);
            }
        }
        Ok(Self {
            prior_sha256: file.prior_sha256,
            by_id,
        })
    }

    /// Keeps what is believed of a user beside the present prior; what belongs to another goes.
    pub fn insert(&mut self, prior_sha256: String, id: &str, kept: KeptBelief) {
        if self.prior_sha256 != prior_sha256 {
            self.by_id.clear();
            self.prior_sha256 = prior_sha256;
        }
        self.by_id.insert(id.to_owned(), kept);
    }

    /// What is kept of a user, with the hash of the prior it belongs to.
    pub fn get(&self, id: &str) -> Option<(&str, &KeptBelief)> {
        Some((&self.prior_sha256, self.by_id.get(id)?))
    }

    /// [`Belief::prior_sha256`] of the prior that all of it belongs to; empty where nothing was kept.
    pub fn prior_sha256(&self) -> &str {
        &self.prior_sha256
    }

    /// Takes out what is kept of a user.
    pub fn remove(&mut self, id: &str) -> Option<KeptBelief> {
        self.by_id.remove(id)
    }

    /// How many users.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// Leaves out whatever does not belong to a table: users who have gone, or whose rows are no longer those that were fitted,
    /// and everybody where trained users are others than they were; returns how many were left out for the latter reason.
    pub fn retain_of(&mut self, table: &UserTable) -> usize {
        self.by_id.retain(|id, _| table.fitted(id).is_some());
        let prior = table.belief().map(|prior| prior.prior_sha256());
        match prior.as_ref() == Some(&self.prior_sha256) {
            true => 0,
            false => std::mem::take(&mut self.by_id).len(),
        }
    }

    /// The bytes of the file; none where nothing is kept.
    ///
    /// # Errors
    ///
    /// [`FileError::Unsavable`].
    pub(super) fn encode(&self) -> Result<Option<Vec<u8>>, FileError> {
        if self.by_id.is_empty() {
            return Ok(None);
        }
        let unsavable = |e: safetensors::SafeTensorError| FileError::Unsavable(e.to_string());
        let mut buffers = Vec::new();
        for (id, kept) in &self.by_id {
            for (what, rows) in [(TOLD, &kept.told), (MIX, &kept.mix)] {
                let shape = vec![rows.len(), rows.first().map_or(0, Vec::len)];
                let bytes = rows.iter().flatten().flat_map(|x| x.to_le_bytes());
                buffers.push((format!("{what}{id}"), shape, bytes.collect::<Vec<u8>>()));
            }
        }
        let mut views = Vec::with_capacity(buffers.len());
        for (name, shape, bytes) in &buffers {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(unsavable)?;
            views.push((name, view));
        }
        let about = HashMap::from([(PRIOR.to_owned(), self.prior_sha256.clone())]);
        safetensors::serialize(views, Some(about))
            .map(Some)
            .map_err(unsavable)
    }
}

const TOLD: &str = "told/";
const MIX: &str = "mix/";

/// What is believed of a fitted user, of which nothing else is read. None where nothing is kept of them, or where that belongs to
/// other trained users than the table's.
///
/// # Errors
///
/// [`FileError`] names the file and what is wrong.
pub fn load_belief(
    dir: &Path,
    table: &UserTable,
    id: &str,
) -> Result<Option<UserBelief>, FileError> {
    let (Some(_), Some(prior)) = (table.fitted(id), table.belief()) else {
        return Ok(None);
    };
    let Some(mut file) = Opened::new(dir)? else {
        return Ok(None);
    };
    let Some(kept) = file.kept(id)? else {
        return Ok(None);
    };
    if file.prior_sha256 != prior.prior_sha256() {
        tracing::warn!(
            "{}: made beside other trained users, and passed over",
            dir.join(BELIEFS_FILE).display()
        );
        return Ok(None);
    }
    let row = table.row(&UserRef::id(id)).unwrap_or_default();
    match kept.after(&prior, row) {
        Some(belief) => Ok(Some(belief)),
        None => Err(FileError::content(
            &dir.join(BELIEFS_FILE),
            format!("{TOLD}{id}"),
            "of another form",
            "one direction a row, in as many numbers as trained users differ in",
        )),
    }
}

/// The file, of which names and shapes are read.
struct Opened {
    path: std::path::PathBuf,
    file: File,
    /// Where the numbers begin.
    start: u64,
    tensors: HashMap<String, TensorInfo>,
    prior_sha256: String,
}

impl Opened {
    fn new(dir: &Path) -> Result<Option<Self>, FileError> {
        let path = dir.join(BELIEFS_FILE);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(FileError::io(&path))?,
        };
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(FileError::io(&path))?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER {
            return Err(FileError::content(&path, "header", length, LONGEST_HEADER));
        }
        let mut header = Vec::new();
        let mut start = Read::by_ref(&mut file).take(length);
        start
            .read_to_end(&mut header)
            .map_err(FileError::io(&path))?;
        let header: Metadata = serde_json::from_slice(&header).map_err(FileError::json(&path))?;
        let about = header.metadata().as_ref();
        let prior_sha256 = about.and_then(|about| about.get(PRIOR)).cloned();
        let tensors = header.tensors().into_iter();
        Ok(Some(Self {
            file,
            start: 8 + length,
            tensors: tensors.map(|(name, info)| (name, info.clone())).collect(),
            prior_sha256: prior_sha256.unwrap_or_default(),
            path,
        }))
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.tensors
            .keys()
            .filter_map(|name| name.strip_prefix(TOLD))
    }

    fn kept(&mut self, id: &str) -> Result<Option<KeptBelief>, FileError> {
        let told = self.rows(&format!("{TOLD}{id}"))?;
        let mix = self.rows(&format!("{MIX}{id}"))?;
        Ok(told.zip(mix).map(|(told, mix)| KeptBelief { told, mix }))
    }

    /// A matrix of finite numbers, by rows.
    fn rows(&mut self, name: &str) -> Result<Option<Vec<Vec<f32>>>, FileError> {
        let Some(info) = self.tensors.get(name) else {
            return Ok(None);
        };
        let wrong = |found: String| {
            Err(FileError::content(
                &self.path,
                name,
                found,
                "a matrix of finite F32 numbers",
            ))
        };
        let ([rows, width], Dtype::F32) = (&info.shape[..], info.dtype) else {
            return wrong(format!(
                "a {:?} tensor of shape {:?}",
                info.dtype, info.shape
            ));
        };
        let (rows, width) = (*rows, *width);
        let (from, to) = info.data_offsets;
        let length = rows
            .checked_mul(width)
            .and_then(|count| count.checked_mul(4));
        if length.is_none() || to.checked_sub(from) != length {
            return wrong(format!(
                "of {from} to {to} bytes, for {rows} rows of {width}"
            ));
        }
        let at = self.start + from as u64;
        self.file
            .seek(SeekFrom::Start(at))
            .map_err(FileError::io(&self.path))?;
        let mut bytes = Vec::new();
        let mut taken = Read::by_ref(&mut self.file).take((to - from) as u64);
        taken
            .read_to_end(&mut bytes)
            .map_err(FileError::io(&self.path))?;
        if bytes.len() != to - from {
            return wrong(format!("cut after {} of {} bytes", bytes.len(), to - from));
        }
        let (numbers, _) = bytes.as_chunks::<4>();
        let numbers: Vec<f32> = numbers.iter().map(|x| f32::from_le_bytes(*x)).collect();
        if let Some(odd) = numbers.iter().find(|x| !x.is_finite()) {
            return wrong(format!("a matrix with {odd}"));
        }
        let rows = (0..rows).map(|row| numbers[row * width..][..width].to_vec());
        Ok(Some(rows.collect()))
    }
}
