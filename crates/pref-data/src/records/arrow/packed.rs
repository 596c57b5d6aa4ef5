//! Compressed buffers of a batch: eight bytes of length, then what becomes as many bytes; a length of -1 stands before bytes as
//! they are.

use std::io::Read;

use lz4_flex::frame::FrameDecoder;

use super::flat::Table;

/// How the buffers of a batch are compressed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packing {
    Lz4,
    Zstd,
}

const DAMAGED: &str = "a compressed buffer that is damaged";

impl Packing {
    /// Of the table `RecordBatch` in Arrow's `Message.fbs`; none if it is not compressed.
    pub fn of(batch: &Table) -> Result<Option<Self>, String> {
        let Some(compression) = batch.table(3) else {
            return Ok(None);
        };
        match (compression.byte(0), compression.byte(1)) {
            (0, 0) => Ok(Some(Self::Lz4)),
            (1, 0) => Ok(Some(Self::Zstd)),
            (codec, _) => Err(format!(
                "batches compressed in another way (number {codec}); write the file with lz4 or zstd, or as Parquet"
            )),
        }
    }

    /// Puts what a buffer holds behind `bytes`, of which there may be so many more.
    pub fn unpack(self, packed: &[u8], bytes: &mut Vec<u8>, left: &mut u64) -> Result<(), String> {
        if packed.is_empty() {
            return Ok(());
        }
        let (size, packed) = packed.split_first_chunk::<8>().ok_or(DAMAGED)?;
        let (size, as_it_is) = match i64::from_le_bytes(*size) {
            -1 => (packed.len() as u64, true),
            size => (u64::try_from(size).map_err(|_| DAMAGED)?, false),
        };
        *left = left
            .checked_sub(size)
            .ok_or("a batch that unpacks to more than 512 MiB and 20 times the file's size")?;
        let input: Box<dyn Read + '_> = match self {
            _ if as_it_is => Box::new(packed),
            Self::Lz4 => Box::new(FrameDecoder::new(packed)),
            Self::Zstd => Box::new(zstd::Decoder::new(packed).map_err(|error| error.to_string())?),
        };
        let before = bytes.len() as u64;
        let read = input.take(size).read_to_end(bytes);
        read.map_err(|error| format!("{DAMAGED} ({error})"))?;
        match bytes.len() as u64 - before == size {
            true => Ok(()),
            false => Err(DAMAGED.into()),
        }
    }
}
