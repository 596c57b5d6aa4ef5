//! The processor that a run is on, for whoever reads its figures.

use std::fmt;
use std::path::Path;
use std::thread;

use serde::Serialize;

/// A processor as programs see it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Machine {
    /// Its name; none where the system does not tell.
    pub processor: Option<String>,
    /// Logical cores that this process may use.
    pub cores: usize,
    /// The data caches of the first core, from the nearest on; none where the system does not tell.
    pub caches: Vec<Cache>,
    /// The instruction sets that matrix products are made with.
    pub instructions: Vec<&'static str>,
}

/// A cache.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cache {
    /// `L1d`, `L2`, `L3`.
    pub name: String,
    /// Its size in bytes; cores may share it.
    pub bytes: u64,
}

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let flags = of_cpuinfo("flags").unwrap_or_default();
        let mut instructions = detected();
        instructions.extend(tiles(&flags));
        Self {
            processor: processor(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            caches: caches(Path::new("/sys/devices/system/cpu/cpu0/cache")),
            instructions,
        }
    }
}

impl fmt::Display for Machine {
    /// Such as `AMD EPYC, 2 logical cores, L1d 32 KiB, L2 1 MiB, avx2, fma`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.processor.as_deref().unwrap_or("unknown"))?;
        let s = if self.cores == 1 { "" } else { "s" };
        write!(f, ", {} logical core{s}", self.cores)?;
        for Cache { name, bytes } in &self.caches {
            match bytes >> 10 {
                kib if kib >= 1024 && kib % 1024 == 0 => write!(f, ", {name} {} MiB", kib >> 10)?,
                kib => write!(f, ", {name} {kib} KiB")?,
            }
        }
        for name in &self.instructions {
            write!(f, ", {name}")?;
        }
        Ok(())
    }
}

/// The name of the processor; none where the system does not tell.
pub fn processor() -> Option<String> {
    of_cpuinfo("model name")
}

/// What `/proc/cpuinfo` says under a key of the first core.
fn of_cpuinfo(key: &str) -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let mut pairs = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = pairs.find(|(name, _)| name.trim() == key)?;
    Some(value.trim().to_string())
}

/// The data caches in a folder of sysfs (`cpu0/cache`: `index0/level`, `type`, `size`), from the nearest on.
fn caches(folder: &Path) -> Vec<Cache> {
    let cache = |index: usize| {
        let folder = folder.join(format!("index{index}"));
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
        let (level, kind, size) = (read("level")?, read("type")?, read("size")?);
        let data = if kind.trim() == "Data" { "d" } else { "" };
        let kib: u64 = size.trim().strip_suffix('K')?.parse().ok()?;
        let cache = Cache {
            name: format!("L{}{data}", level.trim()),
            bytes: kib << 10,
        };
        Some((kind.trim() != "Instruction").then_some(cache))
    };
    (0..).map_while(cache).flatten().collect()
}

#[cfg(target_arch = "x86_64")]
fn detected() -> Vec<&'static str> {
    let found = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    let there = found.into_iter().filter(|(_, found)| *found);
    there.map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Vec<&'static str> {
    match std::arch::is_aarch64_feature_detected!("neon") {
        true => vec!["neon"],
        false => Vec::new(),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Vec<&'static str> {
    Vec::new()
}

/// The tile unit among the flags of Linux, which says nothing of it where programs may not use it.
fn tiles(flags: &str) -> Vec<&'static str> {
    let named = [("amx_tile", "amx-tile"), ("amx_bf16", "amx-bf16")];
    let there = named
        .into_iter()
        .filter(|(flag, _)| flags.split(' ').any(|f| f == *flag));
    there.map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_told_in_one_line() {
        let cache = |name: &str, kib: u64| Cache {
            name: name.into(),
            bytes: kib << 10,
        };
        let machine = Machine {
            processor: Some("AMD EPYC".into()),
            cores: 2,
            caches: vec![cache("L1d", 32), cache("L2", 1024), cache("L3", 33_792)],
            instructions: vec!["avx2", "fma"],
        };
        let line = "AMD EPYC, 2 logical cores, L1d 32 KiB, L2 1 MiB, L3 33 MiB, avx2, fma";
        assert_eq!(machine.to_string(), line);
        let unknown = Machine {
            cores: 1,
            ..Machine::default()
        };
        assert_eq!(unknown.to_string(), "unknown, 1 logical core");
        assert!(Machine::here().cores >= 1);
    }

    #[test]
    fn caches_are_those_of_data_in_the_order_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let found = [
            ("1", "Data", "48K"),
            ("1", "Instruction", "32K"),
            ("2", "Unified", "2048K"),
        ];
        for (index, (level, kind, size)) in found.into_iter().enumerate() {
            let at = folder.path().join(format!("index{index}"));
            std::fs::create_dir(&at).unwrap();
            for (name, value) in [("level", level), ("type", kind), ("size", size)] {
                std::fs::write(at.join(name), format!("{value}\n")).unwrap();
            }
        }
        let cache = |name: &str, kib: u64| Cache {
            name: name.into(),
            bytes: kib << 10,
        };
        let expected = [cache("L1d", 48), cache("L2", 2048)];
        assert_eq!(caches(folder.path()), expected);
        assert_eq!(caches(&folder.path().join("none")), []);
    }

    #[test]
    fn the_tile_unit_is_known_by_the_flags_of_linux() {
        assert_eq!(
            tiles("fpu amx_bf16 avx512f amx_tile amx_int8"),
            ["amx-tile", "amx-bf16"]
        );
        assert!(tiles("fpu amx_tiles").is_empty());
    }
}
