//! Where frozen weights lie in memory.
//!
//! A decoded token reads every weight once, so memory sets the pace. Most Linux systems back memory with pages of 4 KiB
//! unless huge ones (2 MiB) are asked for (`/sys/kernel/mm/transparent_hugepage/enabled` says `madvise`), and with small
//! pages a processor spends part of its time on finding the next one. Frozen weights never change, so they are kept
//! together in large pieces of memory for which huge pages are asked.

use bytes::Bytes;

/// A copy of `len` bytes, written by `fill` over zeros, in memory for which huge pages are asked. Given back when the last
/// clone goes. `None` off Linux, for less than 64 KiB, and where the system refuses: keep what there is, then.
pub(crate) fn kept(len: usize, fill: impl FnOnce(&mut [u8])) -> Option<Bytes> {
    #[cfg(target_os = "linux")]
    return huge::piece(len).map(|mut piece| {
        fill(&mut piece.as_mut()[..len]);
        Bytes::from_owner(piece).slice(..len)
    });
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (len, fill);
        None
    }
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
        /// Memory was refused once, most likely by a kernel without huge pages. It is not asked again: mmap-rs keeps the
        /// addresses of a map whose flags are refused.
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

    /// At least `len` bytes, aligned to a page; `None` for small pieces, and where memory was refused.
    pub(super) fn piece(len: usize) -> Option<Piece> {
        if len < LEAST {
            return None;
        }
        let len = len.next_multiple_of(MmapOptions::page_size());
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*left, Left::Refused) {
            return None;
        }
        // Refused until memory was had.
        let (mut chunk, before) = match std::mem::replace(&mut *left, Left::Refused) {
            Left::Some(chunk) if chunk.size() >= len => (chunk, Left::Nothing),
            before => (map(len.max(CHUNK))?, before),
        };
        *left = match chunk.size() > len {
            // The split is at a page inside the chunk, so that it cannot fail.
            true => chunk.split_off(len).map_or(before, Left::Some),
            false => before,
        };
        Some(Piece(chunk))
    }

    fn map(len: usize) -> Option<MmapMut> {
        let options = MmapOptions::new(len).ok()?;
        let options = options.with_flags(MmapFlags::TRANSPARENT_HUGE_PAGES);
        options.map_mut().ok()
    }

    #[cfg(test)]
    pub(super) const SIZES: [usize; 3] = [LEAST, CHUNK, CHUNK / 4];
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_size_keep_what_was_written() {
        let [least, chunk, quarter] = huge::SIZES;
        assert!(kept(least - 1, |_| ()).is_none());
        // Four quarters use a chunk up.
        let quarters = [quarter; 6];
        let sizes = [least, least + 1, 1 << 20, chunk - 1, chunk, chunk + 1];
        let sizes: Vec<usize> = quarters.into_iter().chain(sizes).collect();
        let pieces: Vec<Option<Bytes>> = sizes
            .iter()
            .map(|&len| kept(len, |place| write(place, len)))
            .collect();
        for (piece, &len) in pieces.iter().zip(&sizes) {
            let mut expected = vec![0; len];
            write(&mut expected, len);
            // A kernel without huge pages refuses all of them.
            assert!(
                piece.as_ref().is_none_or(|piece| *piece == expected),
                "{len}"
            );
            assert_eq!(piece.is_none(), pieces[0].is_none());
        }
    }

    /// `hg` among the flags of a mapping says that it may have huge pages.
    #[test]
    fn huge_pages_are_asked_for() {
        let Some(piece) = kept(1 << 20, |place| place.fill(7)) else {
            return; // A kernel without huge pages.
        };
        let address = piece.as_ptr() as usize;
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("Linux");
        let mut inside = false;
        for line in maps.lines() {
            let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
            if let Some((from, to)) = first.split_once('-') {
                let bound = |text| usize::from_str_radix(text, 16).expect("an address");
                inside = (bound(from)..bound(to)).contains(&address);
            } else if inside && first == "VmFlags:" {
                assert!(rest.split_whitespace().any(|flag| flag == "hg"), "{rest}");
                return;
            }
        }
        panic!("no mapping holds {address:x}");
    }

    /// Bytes that differ from place to place and from size to size.
    fn write(place: &mut [u8], len: usize) {
        for (index, byte) in place.iter_mut().enumerate() {
            *byte = (index * 31 + len) as u8;
        }
    }
}
