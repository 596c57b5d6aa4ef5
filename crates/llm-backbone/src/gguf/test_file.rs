//! Builds GGUF files for tests, right and wrong ones.

use super::TensorType;

/// A GGUF file in the making.
pub(crate) struct Builder {
    version: u32,
    keys: Vec<u8>,
    key_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    data: Vec<u8>,
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            version: 3,
            keys: Vec::new(),
            key_count: 0,
            tensors: Vec::new(),
            tensor_count: 0,
            data: Vec::new(),
        }
    }

    pub(crate) fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// A key with a value of any type, as raw bytes.
    pub(crate) fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        text(&mut self.keys, key);
        self.keys.extend(kind.to_le_bytes());
        self.keys.extend(value);
        self.key_count += 1;
        self
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    pub(crate) fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    pub(crate) fn bool(self, key: &str, value: bool) -> Self {
        self.raw(key, 7, &[value.into()])
    }

    pub(crate) fn string(self, key: &str, value: &str) -> Self {
        let mut bytes = Vec::new();
        text(&mut bytes, value);
        self.raw(key, 8, &bytes)
    }

    pub(crate) fn strings<S: AsRef<str>>(self, key: &str, values: &[S]) -> Self {
        let mut bytes = Vec::from(8_u32.to_le_bytes());
        bytes.extend((values.len() as u64).to_le_bytes());
        for value in values {
            text(&mut bytes, value.as_ref());
        }
        self.raw(key, 9, &bytes)
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        self.list(
            key,
            5,
            values.len(),
            values.iter().flat_map(|v| v.to_le_bytes()),
        )
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        self.list(
            key,
            6,
            values.len(),
            values.iter().flat_map(|v| v.to_le_bytes()),
        )
    }

    fn list(self, key: &str, kind: u32, count: usize, values: impl Iterator<Item = u8>) -> Self {
        let mut bytes = Vec::from(kind.to_le_bytes());
        bytes.extend((count as u64).to_le_bytes());
        bytes.extend(values);
        self.raw(key, 9, &bytes)
    }

    /// A tensor entry without data: anything goes.
    pub(crate) fn entry(mut self, name: &str, sizes: &[u64], kind: u32, offset: u64) -> Self {
        text(&mut self.tensors, name);
        self.tensors.extend((sizes.len() as u32).to_le_bytes());
        for size in sizes {
            self.tensors.extend(size.to_le_bytes());
        }
        self.tensors.extend(kind.to_le_bytes());
        self.tensors.extend(offset.to_le_bytes());
        self.tensor_count += 1;
        self
    }

    /// A tensor of 32-bit numbers; `shape` has the outermost dimension first.
    pub(crate) fn tensor(self, name: &str, shape: &[usize], numbers: &[f32]) -> Self {
        let sizes: Vec<u64> = shape.iter().rev().map(|size| *size as u64).collect();
        let offset = self.data.len() as u64;
        let mut this = self.entry(name, &sizes, TensorType::F32.code(), offset);
        this.data
            .extend(numbers.iter().flat_map(|n| n.to_le_bytes()));
        this.data.resize(this.data.len().next_multiple_of(32), 0);
        this
    }

    pub(crate) fn build(self) -> Vec<u8> {
        let mut bytes = Vec::from(*b"GGUF");
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.key_count.to_le_bytes());
        bytes.extend(self.keys);
        bytes.extend(self.tensors);
        bytes.resize(bytes.len().next_multiple_of(32), 0);
        bytes.extend(self.data);
        bytes
    }

    /// Writes the file into `folder`.
    pub(crate) fn write(self, folder: &std::path::Path) -> std::path::PathBuf {
        let path = folder.join("model.gguf");
        std::fs::write(&path, self.build()).expect("a writable test folder");
        path
    }
}
