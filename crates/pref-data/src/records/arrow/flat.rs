//! As much of flatbuffers as the heads of Arrow's messages need. Whatever stands outside the bytes is nothing.

/// A table within a message's head.
#[derive(Clone, Copy)]
pub(super) struct Table<'b> {
    bytes: &'b [u8],
    at: usize,
    /// Where the table of its fields' places lies, and how long that is.
    fields: (usize, usize),
}

impl<'b> Table<'b> {
    /// The table that the head itself is.
    pub fn root(bytes: &'b [u8]) -> Option<Self> {
        Self::behind(bytes, 0)
    }

    /// The table that an offset leads to.
    fn behind(bytes: &'b [u8], offset: usize) -> Option<Self> {
        let at = follow(bytes, offset)?;
        let back = i32::from_le_bytes(array(bytes, at)?);
        let fields = i64::try_from(at).ok()?.checked_sub(i64::from(back))?;
        let fields = usize::try_from(fields).ok()?;
        let length = usize::from(u16::from_le_bytes(array(bytes, fields)?));
        Some(Self {
            bytes,
            at,
            fields: (fields, length),
        })
    }

    /// Where a field stands; none if it has its default.
    fn place(&self, field: usize) -> Option<usize> {
        let slot = 4 + 2 * field;
        let (start, length) = self.fields;
        if slot + 2 > length {
            return None;
        }
        let offset = usize::from(u16::from_le_bytes(array(self.bytes, start + slot)?));
        (offset > 0).then(|| self.at + offset)
    }

    pub fn byte(&self, field: usize) -> u8 {
        let place = self.place(field);
        place
            .and_then(|at| self.bytes.get(at))
            .copied()
            .unwrap_or(0)
    }

    pub fn short(&self, field: usize) -> i16 {
        let bytes = self.place(field).and_then(|at| array(self.bytes, at));
        bytes.map_or(0, i16::from_le_bytes)
    }

    pub fn int(&self, field: usize) -> i32 {
        let bytes = self.place(field).and_then(|at| array(self.bytes, at));
        bytes.map_or(0, i32::from_le_bytes)
    }

    pub fn long(&self, field: usize) -> i64 {
        let bytes = self.place(field).and_then(|at| array(self.bytes, at));
        bytes.map_or(0, i64::from_le_bytes)
    }

    pub fn table(&self, field: usize) -> Option<Self> {
        Self::behind(self.bytes, self.place(field)?)
    }

    pub fn text(&self, field: usize) -> Option<&'b str> {
        let (start, length) = self.vector(field)?;
        std::str::from_utf8(self.bytes.get(start..start.checked_add(length)?)?).ok()
    }

    /// The tables of a list.
    pub fn tables(&self, field: usize) -> impl Iterator<Item = Option<Self>> + use<'b> {
        let bytes = self.bytes;
        let (start, length) = self.vector(field).unwrap_or((0, 0));
        // No more than there are bytes for.
        let length = length.min(bytes.len() / 4);
        (0..length).map(move |n| Self::behind(bytes, start + 4 * n))
    }

    /// The items of a list of pairs of numbers.
    pub fn pairs(&self, field: usize) -> Vec<[i64; 2]> {
        let items = self.items(field, 16);
        let number = |item: &[u8], at| array(item, at).map_or(0, i64::from_le_bytes);
        items
            .map(|item| [number(item, 0), number(item, 8)])
            .collect()
    }

    /// The items of a list of numbers.
    pub fn longs(&self, field: usize) -> Vec<i64> {
        let items = self.items(field, 8);
        items
            .map(|item| array(item, 0).map_or(0, i64::from_le_bytes))
            .collect()
    }

    fn items(&self, field: usize, size: usize) -> impl Iterator<Item = &'b [u8]> {
        let (start, length) = self.vector(field).unwrap_or((0, 0));
        let end = length
            .checked_mul(size)
            .and_then(|size| start.checked_add(size));
        let bytes = end.and_then(|end| self.bytes.get(start..end));
        bytes.unwrap_or_default().chunks_exact(size)
    }

    /// Where a list begins, and how many items it has.
    fn vector(&self, field: usize) -> Option<(usize, usize)> {
        let at = follow(self.bytes, self.place(field)?)?;
        let length = u32::from_le_bytes(array(self.bytes, at)?);
        Some((at + 4, usize::try_from(length).ok()?))
    }
}

fn follow(bytes: &[u8], at: usize) -> Option<usize> {
    let offset = u32::from_le_bytes(array(bytes, at)?);
    at.checked_add(usize::try_from(offset).ok()?)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
