//! What the compiler has no words for: tiles.
#![expect(unsafe_code, reason = "tiles exist in assembly alone")]

use std::arch::asm;
use std::sync::OnceLock;

use crate::BLOCK;

/// Rows of a tile, and its columns in f32.
pub(crate) const TILE: usize = 16;
/// Numbers of bf16 in a row of a tile: inner steps that a product of two tiles takes.
pub(crate) const DEPTH: usize = 32;
/// The kernel makes two tiles by two at a time.
const _: () = assert!(BLOCK == 2 * TILE && BLOCK == DEPTH);
/// Parts of an f32.
pub(crate) const PARTS: usize = 3;
/// bf16 numbers of a tile.
pub(crate) const NUMBERS: usize = TILE * DEPTH;

/// A packed step of [`DEPTH`] of a block: of each part two tiles. Rows of tiles are lines of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(crate) struct Step(pub(crate) [[u16; NUMBERS]; 2 * PARTS]);

impl Step {
    /// Zeros.
    pub(crate) const ZERO: Self = Self([[0; NUMBERS]; 2 * PARTS]);
}

/// `arch_prctl`'s request for a part of the state of a process, and the number of tile data among these parts.
const REQUEST: libc::c_long = 0x1023;
const TILE_DATA: libc::c_long = 18;

/// Whether the processor has what this crate uses, and the system lets this process use it.
pub(crate) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let vectors = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bf16");
        // Leaf 7: bit 22 is AMX-BF16, bit 24 AMX-TILE.
        let leaf = std::arch::x86_64::__cpuid_count(7, 0);
        let tiles = leaf.edx & (1 << 22) != 0 && leaf.edx & (1 << 24) != 0;
        // SAFETY: the call reads two numbers and changes what this process may use, nothing else.
        vectors && tiles && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
    })
}

/// Tiles as this thread has set them up; they are let go at the end of its life.
pub(crate) struct Tiles(());

/// Shapes of tiles, as `ldtilecfg` reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start: u8,
    reserved: [u8; 14],
    bytes_in_row: [u16; 16],
    rows: [u8; 16],
}

impl Tiles {
    /// Eight whole tiles. None where [`is_supported`] is false.
    pub(crate) fn new() -> Option<Self> {
        let mut shapes = Shapes {
            palette: 1,
            start: 0,
            reserved: [0; 14],
            bytes_in_row: [0; 16],
            rows: [0; 16],
        };
        shapes.bytes_in_row[..8].fill(64);
        shapes.rows[..8].fill(TILE as u8);
        is_supported().then(|| {
            // SAFETY: tiles are supported; the instruction reads the 64 bytes of `shapes`.
            unsafe {
                asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly))
            };
            Self(())
        })
    }

    /// A block of a product: `c = a b`, or `c + a b`, of packed steps of `a` and `b`, as many as there are in both; row `i` of `c` begins at
    /// `i * stride`.
    ///
    /// # Panics
    /// Where `c` is too short.
    pub(crate) fn multiply(
        &self,
        (a, b): (&[Step], &[Step]),
        c: &mut [f32],
        stride: usize,
        adds: bool,
    ) {
        assert!(c.len() >= (BLOCK - 1) * stride + BLOCK);
        // SAFETY: see `multiply_at`; `c` is long enough, and ours alone.
        unsafe { self.multiply_at((a, b), c.as_mut_ptr(), stride, adds) }
    }

    /// The same where `c` points to.
    ///
    /// # Safety
    /// Nobody else uses the `BLOCK` numbers of each of `BLOCK` rows, which begin `stride` numbers after each other.
    #[inline]
    pub(crate) unsafe fn multiply_at(
        &self,
        (a, b): (&[Step], &[Step]),
        c: *mut f32,
        stride: usize,
        adds: bool,
    ) {
        let steps = a.len().min(b.len());
        let stride = stride * size_of::<f32>();
        // SAFETY: `self` has set the tiles up; there are `steps` steps of so many tiles each in `a` and `b`, and the caller answers for `c`.
        unsafe {
            let lower = c.byte_add(TILE * stride);
            if adds {
                asm!(
                    "tileloadd tmm0, [{c} + {s}]",
                    "tileloadd tmm1, [{c} + {s} + 64]",
                    "tileloadd tmm2, [{l} + {s}]",
                    "tileloadd tmm3, [{l} + {s} + 64]",
                    c = in(reg) c, l = in(reg) lower, s = in(reg) stride, options(nostack, readonly)
                );
            } else {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    options(nostack, nomem)
                );
            }
            if steps > 0 {
                asm!(
                    "2:",
                    // h h
                    "tileloadd tmm4, [{a} + {w}]",
                    "tileloadd tmm6, [{b} + {w}]",
                    "tileloadd tmm7, [{b} + {w} + 1024]",
                    "tileloadd tmm5, [{a} + {w} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // h m
                    "tileloadd tmm6, [{b} + {w} + 2048]",
                    "tileloadd tmm7, [{b} + {w} + 3072]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // h l
                    "tileloadd tmm6, [{b} + {w} + 4096]",
                    "tileloadd tmm7, [{b} + {w} + 5120]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // m m
                    "tileloadd tmm4, [{a} + {w} + 2048]",
                    "tileloadd tmm6, [{b} + {w} + 2048]",
                    "tileloadd tmm7, [{b} + {w} + 3072]",
                    "tileloadd tmm5, [{a} + {w} + 3072]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // m h
                    "tileloadd tmm6, [{b} + {w}]",
                    "tileloadd tmm7, [{b} + {w} + 1024]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // l h
                    "tileloadd tmm4, [{a} + {w} + 4096]",
                    "tileloadd tmm5, [{a} + {w} + 5120]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {a}, 6144",
                    "add {b}, 6144",
                    "dec {n}",
                    "jnz 2b",
                    a = inout(reg) a.as_ptr() => _,
                    b = inout(reg) b.as_ptr() => _,
                    n = inout(reg) steps => _,
                    w = in(reg) 64usize,
                    options(nostack, readonly)
                );
            }
            asm!(
                "tilestored [{c} + {s}], tmm0",
                "tilestored [{c} + {s} + 64], tmm1",
                "tilestored [{l} + {s}], tmm2",
                "tilestored [{l} + {s} + 64], tmm3",
                c = in(reg) c, l = in(reg) lower, s = in(reg) stride, options(nostack)
            );
        }
    }
}

impl Drop for Tiles {
    fn drop(&mut self) {
        // SAFETY: tiles are supported, or there were none to drop.
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}
