//! What may happen to a run, and when.

use std::fmt;
use std::time::Duration;

/// What happens to a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// A signal, as `kill` calls it, after a while.
    Signal(&'static str, Duration),
    /// A file may not grow beyond so many blocks of half a kibibyte (or a whole one: shells differ), as on a disk that fills up.
    FullDisk(u64),
}

/// What processes are asked to end with, and what they cannot hear.
const SIGNALS: [&str; 5] = ["KILL", "KILL", "TERM", "INT", "HUP"];
/// The largest limit of a file, in blocks.
const BLOCKS: u64 = 256;

impl Fault {
    /// Some fault within so many seconds.
    pub fn new(random: &mut Random, seconds: f64) -> Self {
        if random.below(4) == 0 {
            return Self::FullDisk(1 + random.below(BLOCKS));
        }
        let signal = SIGNALS[random.below(SIGNALS.len() as u64) as usize];
        let share = random.below(1000) as f64 / 1000.0;
        Self::Signal(signal, Duration::from_secs_f64(share * seconds))
    }

    /// A kill or a full disk within so many seconds, at whose end a report is written.
    pub fn of_report(random: &mut Random, seconds: f64) -> Self {
        if random.below(3) == 0 {
            return Self::FullDisk(1 + random.below(BLOCKS));
        }
        let share = 0.5 + random.below(1000) as f64 / 2000.0;
        Self::Signal("KILL", Duration::from_secs_f64(share * seconds))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing"),
            Self::Signal(name, after) => write!(f, "{name} after {:.2} s", after.as_secs_f64()),
            Self::FullDisk(blocks) => write!(f, "files of {blocks} blocks at most"),
        }
    }
}

/// Numbers from a seed (SplitMix64).
pub struct Random(u64);

impl Random {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_faults_again_and_all_kinds_of_them() {
        let of = |seed| {
            let mut random = Random::new(seed);
            (0..100)
                .map(|_| Fault::new(&mut random, 2.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
        for name in SIGNALS {
            let is_it = |f: &Fault| matches!(f, Fault::Signal(signal, _) if *signal == name);
            assert!(of(3).iter().any(is_it), "{name}");
        }
        assert!(of(3).iter().any(|f| matches!(f, Fault::FullDisk(_))));
    }
}
