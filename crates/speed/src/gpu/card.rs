//! What `nvidia-smi` says of a GPU.

use std::fmt;
use std::process::Command;

/// An NVIDIA GPU.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// Its number.
    pub index: usize,
    /// As it is sold.
    pub name: String,
    /// Of the driver.
    pub driver: String,
    /// In units of 2^20 bytes.
    pub memory_mib: u64,
    /// All that `nvidia-smi` says without questions.
    pub report: String,
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            driver,
            memory_mib,
            ..
        } = self;
        write!(f, "{name}, driver {driver}, {memory_mib} MiB")
    }
}

impl Card {
    /// The GPU of a number.
    ///
    /// # Errors
    /// Why there is none.
    pub fn ask(index: &str) -> Result<Self, String> {
        let number = index
            .parse()
            .map_err(|_| format!("`{index}` is no number"))?;
        let answer = query(number, "name,driver_version,memory.total")?;
        Ok(Self {
            report: nvidia_smi(&[])?,
            ..Self::read(number, &answer)?
        })
    }

    fn read(index: usize, answer: &str) -> Result<Self, String> {
        let fields: Vec<&str> = answer.trim().split(", ").collect();
        let found = || format!("nvidia-smi said `{}`", answer.trim());
        let [name, driver, memory] = fields[..] else {
            return Err(found());
        };
        Ok(Self {
            index,
            name: name.to_owned(),
            driver: driver.to_owned(),
            memory_mib: memory.parse().map_err(|_| found())?,
            report: String::new(),
        })
    }
}

/// Memory in use on a GPU, of all programs, in units of 2^20 bytes; none where nobody tells.
pub fn used_mib(index: usize) -> Option<u64> {
    query(index, "memory.used").ok()?.trim().parse().ok()
}

fn query(index: usize, fields: &str) -> Result<String, String> {
    let fields = format!("--query-gpu={fields}");
    let index = index.to_string();
    nvidia_smi(&[&fields, "--format=csv,noheader,nounits", "-i", &index])
}

fn nvidia_smi(args: &[&str]) -> Result<String, String> {
    let output = Command::new("nvidia-smi").args(args).output();
    let output = output.map_err(|error| format!("nvidia-smi could not be started ({error})"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.success() {
        true => Ok(said),
        false => Err(format!("nvidia-smi failed: {}", said.trim())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_what_nvidia_smi_says() {
        let card = Card::read(1, "NVIDIA H200, 580.159, 143771\n").unwrap();
        assert_eq!(card.to_string(), "NVIDIA H200, driver 580.159, 143771 MiB");
        for wrong in ["", "No devices were found", "a, b, [N/A]"] {
            assert!(Card::read(0, wrong).is_err(), "{wrong}");
        }
    }
}
