//! Reads the header, never trusting a count.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::layout::TensorInfo;
use super::value::{Array, Metadata, Numbers, Value};
use crate::weights::WeightError;
use cpu_kernels::TensorType;

/// Least bytes of one key-value pair: key length, one byte of value, its type.
const SMALLEST_PAIR: u64 = 8 + 4 + 1;
/// Least bytes of one tensor entry: name length, number of dimensions, one dimension, type, offset.
const SMALLEST_TENSOR: u64 = 8 + 4 + 8 + 4 + 8;
/// Most dimensions of a tensor in the format.
const MOST_DIMENSIONS: u32 = 4;

const TYPE_STRING: u32 = 8;
const TYPE_ARRAY: u32 = 9;

/// How many entries the header says follow.
pub(super) struct Counts {
    pub(super) keys: u64,
    pub(super) tensors: u64,
}

/// The fixed-size value types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    U64,
    I64,
    F64,
}

impl NumberType {
    fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Decodes `size()` little-endian bytes.
    pub(super) fn decode(self, bytes: &[u8]) -> Value {
        let mut wide = [0; 8];
        for (place, byte) in wide.iter_mut().zip(bytes) {
            *place = *byte;
        }
        let unsigned = u64::from_le_bytes(wide);
        match self {
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => Value::Unsigned(unsigned),
            Self::I8 => Value::Signed((unsigned as i8).into()),
            Self::I16 => Value::Signed((unsigned as i16).into()),
            Self::I32 => Value::Signed((unsigned as i32).into()),
            Self::I64 => Value::Signed(unsigned as i64),
            Self::F32 => Value::Float(f32::from_bits(unsigned as u32).into()),
            Self::F64 => Value::Float(f64::from_bits(unsigned)),
            Self::Bool => Value::Bool(unsigned != 0),
        }
    }
}

/// Reads forward through a file and knows how many bytes are left.
pub(super) struct HeaderReader {
    path: PathBuf,
    file: BufReader<File>,
    position: u64,
    len: u64,
}

impl HeaderReader {
    pub(super) fn new(path: &Path) -> Result<Self, WeightError> {
        let open = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok((file, len))
        };
        let (file, len) = open().map_err(|source| WeightError::io(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(1 << 16, file),
            position: 0,
            len,
        })
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Magic, version, and the two counts.
    pub(super) fn counts(&mut self) -> Result<Counts, WeightError> {
        let magic: [u8; 4] = self.array("magic")?;
        if &magic != b"GGUF" {
            let found = format!("bytes {magic:02x?}");
            return Err(WeightError::malformed(&self.path, "magic", found, "`GGUF`"));
        }
        let version = self.u32("version")?;
        if !(2..=3).contains(&version) {
            let found = if version.swap_bytes() <= 3 {
                "a big-endian file".to_owned()
            } else {
                version.to_string()
            };
            return Err(WeightError::malformed(
                &self.path,
                "version",
                found,
                "2 or 3, little-endian",
            ));
        }
        let tensors = self.u64("tensor count")?;
        let keys = self.u64("key count")?;
        self.validate_fits("key count", keys, SMALLEST_PAIR)?;
        self.validate_fits("tensor count", tensors, SMALLEST_TENSOR)?;
        Ok(Counts { keys, tensors })
    }

    pub(super) fn metadata(&mut self, count: u64) -> Result<Metadata, WeightError> {
        let mut metadata = Metadata::default();
        for index in 0..count {
            let key = self.string(&format!("key number {index}"))?;
            let item = format!("key `{key}`");
            let code = self.u32(&item)?;
            let value = self.value(&item, code)?;
            if !metadata.insert(key, value) {
                return Err(WeightError::malformed(
                    &self.path,
                    item,
                    "it twice",
                    "every key once",
                ));
            }
        }
        Ok(metadata)
    }

    fn value(&mut self, item: &str, code: u32) -> Result<Value, WeightError> {
        match code {
            TYPE_STRING => Ok(Value::String(self.string(item)?)),
            TYPE_ARRAY => Ok(Value::Array(self.list(item)?)),
            _ => {
                let kind = self.number_type(item, code)?;
                let mut bytes = [0; 8];
                let used = &mut bytes[..kind.size()];
                self.fill(item, used)?;
                Ok(kind.decode(used))
            }
        }
    }

    fn list(&mut self, item: &str) -> Result<Array, WeightError> {
        let code = self.u32(item)?;
        let count = self.u64(item)?;
        if code == TYPE_STRING {
            self.validate_fits(item, count, 8)?;
            let strings: Result<Vec<_>, _> = (0..count).map(|_| self.string(item)).collect();
            return Ok(Array::Strings(strings?));
        }
        if code == TYPE_ARRAY {
            return Err(WeightError::malformed(
                &self.path,
                item,
                "a list of lists",
                "a flat list",
            ));
        }
        let kind = self.number_type(item, code)?;
        self.validate_fits(item, count, kind.size() as u64)?;
        let mut bytes = vec![0; count as usize * kind.size()];
        self.fill(item, &mut bytes)?;
        Ok(Array::Numbers(Numbers { kind, bytes }))
    }

    fn number_type(&self, item: &str, code: u32) -> Result<NumberType, WeightError> {
        NumberType::from_code(code).ok_or_else(|| {
            let found = format!("value type {code}");
            WeightError::malformed(&self.path, item, found, "a value type of 0 to 12")
        })
    }

    /// The tensor list; positions are still relative to the data section.
    pub(super) fn tensors(&mut self, count: u64) -> Result<Vec<TensorInfo>, WeightError> {
        (0..count).map(|index| self.tensor(index)).collect()
    }

    fn tensor(&mut self, index: u64) -> Result<TensorInfo, WeightError> {
        let name = self.string(&format!("tensor number {index}"))?;
        let item = format!("tensor `{name}`");
        let dimensions = self.u32(&item)?;
        if !(1..=MOST_DIMENSIONS).contains(&dimensions) {
            let found = format!("{dimensions} dimensions");
            let expected = format!("1 to {MOST_DIMENSIONS}");
            return Err(WeightError::malformed(&self.path, item, found, expected));
        }
        let sizes: Result<Vec<u64>, _> = (0..dimensions).map(|_| self.u64(&item)).collect();
        let code = self.u32(&item)?;
        let offset = self.u64(&item)?;
        let kind = TensorType::from_code(code).ok_or_else(|| {
            let found = match TensorType::name_of(code) {
                Some(name) => format!("tensor type {name}"),
                None => format!("tensor type {code}"),
            };
            WeightError::unsupported(&self.path, &item, found, TensorType::supported())
        })?;
        TensorInfo::new(&self.path, name, &sizes?, kind, offset)
    }

    fn string(&mut self, item: &str) -> Result<String, WeightError> {
        let len = self.u64(item)?;
        self.validate_fits(item, len, 1)?;
        let mut bytes = vec![0; len as usize];
        self.fill(item, &mut bytes)?;
        String::from_utf8(bytes).map_err(|error| {
            let found = format!("a wrong byte at {}", error.utf8_error().valid_up_to());
            WeightError::malformed(&self.path, item, found, "UTF-8 text")
        })
    }

    /// Refuses a count whose entries could not all be in the rest of the file.
    fn validate_fits(&self, item: &str, count: u64, size: u64) -> Result<(), WeightError> {
        let left = self.len.saturating_sub(self.position);
        match count.checked_mul(size) {
            Some(needed) if needed <= left => Ok(()),
            _ => Err(WeightError::malformed(
                &self.path,
                item,
                format!("a count of {count}"),
                format!("at most {} in the {left} bytes that are left", left / size),
            )),
        }
    }

    fn u32(&mut self, item: &str) -> Result<u32, WeightError> {
        self.array(item).map(u32::from_le_bytes)
    }

    fn u64(&mut self, item: &str) -> Result<u64, WeightError> {
        self.array(item).map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self, item: &str) -> Result<[u8; N], WeightError> {
        let mut bytes = [0; N];
        self.fill(item, &mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, item: &str, bytes: &mut [u8]) -> Result<(), WeightError> {
        let needed = bytes.len() as u64;
        if needed > self.len.saturating_sub(self.position) {
            let expected = self.position.saturating_add(needed);
            return Err(WeightError::truncated(&self.path, item, self.len, expected));
        }
        self.file
            .read_exact(bytes)
            .map_err(|source| WeightError::io(&self.path, source))?;
        self.position += needed;
        Ok(())
    }
}
