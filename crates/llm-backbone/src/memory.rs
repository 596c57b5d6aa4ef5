//! Where frozen weights lie in memory.
//!
//! A decoded token reads every weight once, so memory sets the pace. Linux backs memory with pages of 4 KiB unless it is
//! asked for huge ones (2 MiB), and with small pages a processor spends part of its time on finding the next one. Frozen
//! weights never change, so they are kept together in large pieces of memory for which huge pages are asked.

use bytes::Bytes;

/// Memory of `len` bytes, zeros that `fill` writes over, in huge pages where the system has them. Given back when the last
/// clone goes.
pub(crate) fn keep(len: usize, fill: impl FnOnce(&mut [u8])) -> Bytes {
    #[cfg(target_os = "linux")]
    if let Some(mut piece) = huge::piece(len) {
        fill(&mut piece.as_mut()[..len]);
        return Bytes::from_owner(piece).slice(..len);
    }
    let mut piece = vec![0; len];
    fill(&mut piece);
    Bytes::from(piece)
}

#[cfg(target_os = "linux")]
mod huge {
    use std::sync::{Mutex, PoisonError};

    use mmap_rs::{MmapFlags, MmapMut, MmapOptions};

    /// Bytes asked for at a time: many huge pages, so that little is lost at both ends.
    const CHUNK: usize = 64 << 20;
    /// Smaller pieces stay with the allocator: each takes whole pages of 4 KiB here.
    const LEAST: usize = 64 << 10;

    /// What is left of the last chunk.
    static LEFT: Mutex<Left> = Mutex::new(Left::Nothing);

    enum Left {
        Nothing,
        Some(MmapMut),
        /// The kernel was built without huge pages.
        Refused,
    }

    /// Part of a chunk, which nothing else has.
    pub(super) struct Piece(MmapMut);

    impl AsRef<[u8]> for Piece {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice()
        }
    }

    impl AsMut<[u8]> for Piece {
        fn as_mut(&mut self) -> &mut [u8] {
            self.0.as_mut_slice()
        }
    }

    /// At least `len` bytes, aligned to a page; `None` for small pieces, and where there are no huge pages.
    pub(super) fn piece(len: usize) -> Option<Piece> {
        if len < LEAST {
            return None;
        }
        let len = len.next_multiple_of(MmapOptions::page_size());
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*left, Left::Refused) {
            return None;
        }
        if let Left::Some(chunk) = &mut *left
            && let Ok(piece) = chunk.split_to(len)
        {
            return Some(Piece(piece));
        }
        let Some(mut chunk) = map(len.max(CHUNK)) else {
            *left = Left::Refused;
            return None;
        };
        match chunk.split_off(len) {
            Ok(rest) => *left = Left::Some(rest),
            // The piece is a chunk of its own; what was left before stays.
            Err(_) => return Some(Piece(chunk)),
        }
        Some(Piece(chunk))
    }

    fn map(len: usize) -> Option<MmapMut> {
        let options = MmapOptions::new(len).ok()?;
        let options = options.with_flags(MmapFlags::TRANSPARENT_HUGE_PAGES);
        options.map_mut().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_size_keep_what_was_written() {
        let sizes = [0, 1, 5000, 65_536, 65_537, 1 << 20, 63 << 20, 65 << 20];
        let pieces = sizes.map(|len| keep(len, |place| write(place, len)));
        for (piece, len) in pieces.iter().zip(sizes) {
            let mut expected = vec![0; len];
            write(&mut expected, len);
            assert!(*piece == expected, "{len} bytes");
        }
    }

    #[test]
    fn a_piece_lives_as_long_as_its_last_clone() {
        let piece = keep(1 << 20, |place| place.fill(7));
        let clone = piece.clone();
        drop(piece);
        // New pieces neither take its place nor write into it.
        let others = [1, 2, 3].map(|byte| keep(1 << 20, |place| place.fill(byte)));
        assert!(clone.iter().all(|byte| *byte == 7));
        assert!(others.iter().zip(1..).all(|(other, byte)| other[0] == byte));
    }

    /// Bytes that differ from place to place and from size to size.
    fn write(place: &mut [u8], len: usize) {
        for (index, byte) in place.iter_mut().enumerate() {
            *byte = (index * 31 + len) as u8;
        }
    }
}
