//! Where frozen weights lie in memory.
//!
//! A decoded token reads every weight once, so memory sets the pace. Most Linux systems back memory with pages of 4 KiB
//! unless huge ones (2 MiB) are asked for (`/sys/kernel/mm/transparent_hugepage/enabled` says `madvise`), and with small
//! pages a processor spends part of its time on finding the next one. Frozen weights never change, so many of them are
//! kept in one large piece of memory for which huge pages are asked.

use bytes::Bytes;

/// Pieces of memory of `lens` bytes, each written by `fill` over zeros, one behind the other in memory for which huge pages
/// are asked, and which is given back when the last of them goes. Each starts at a multiple of 64 bytes. `None` off Linux,
/// for no more than 64 KiB in all, and where the system refuses: keep what there is, then.
pub fn side_by_side(lens: &[usize], fill: impl FnMut(usize, &mut [u8])) -> Option<Vec<Bytes>> {
    #[cfg(target_os = "linux")]
    return huge::pieces(lens, fill);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (lens, fill);
        None
    }
}

#[cfg(target_os = "linux")]
mod huge {
    use bytes::Bytes;
    use memmap2::{Advice, MmapMut};

    /// Less stays with the allocator.
    const LEAST: usize = 64 << 10;
    /// As vectors and lines of the cache like it.
    const ALIGNMENT: usize = 64;

    pub(super) fn pieces(
        lens: &[usize],
        mut fill: impl FnMut(usize, &mut [u8]),
    ) -> Option<Vec<Bytes>> {
        let mut end = 0;
        let ranges: Vec<_> = lens
            .iter()
            .map(|len| {
                let start = end;
                end += len.next_multiple_of(ALIGNMENT);
                start..start + len
            })
            .collect();
        if end <= LEAST {
            return None;
        }
        let mut map = MmapMut::map_anon(end).ok()?;
        map.advise(Advice::HugePage).ok()?;
        for (i, range) in ranges.iter().enumerate() {
            fill(i, &mut map[range.clone()]);
        }
        let all = Bytes::from_owner(map);
        Some(ranges.into_iter().map(|range| all.slice(range)).collect())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_every_size_keep_what_was_written() {
        let lens = [0, 1, 64, 65, 100_000, 1 << 20, (4 << 20) + 1];
        let Some(pieces) = side_by_side(&lens, write) else {
            return; // A kernel without huge pages.
        };
        for (i, (piece, len)) in pieces.iter().zip(lens).enumerate() {
            let mut expected = vec![0; len];
            write(i, &mut expected);
            assert_eq!(*piece, expected, "{len}");
            assert!(len == 0 || piece.as_ptr().addr().is_multiple_of(64));
        }
        assert!(side_by_side(&[60 << 10, 4 << 10], write).is_none());
    }

    /// `hg` among the flags of a mapping says that it may have huge pages.
    #[test]
    fn huge_pages_are_asked_for() {
        let Some(pieces) = side_by_side(&[1 << 20], |_, place| place.fill(7)) else {
            return; // A kernel without huge pages.
        };
        let address = pieces[0].as_ptr().addr();
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

    /// Bytes that differ from place to place and from piece to piece.
    fn write(piece: usize, place: &mut [u8]) {
        for (index, byte) in place.iter_mut().enumerate() {
            *byte = (index * 31 + piece) as u8;
        }
    }
}
