//! Cargo commands as data, so that tests can read them, and how they are run.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// The workspace's root folder.
pub fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// A cargo command in this workspace. A program is chosen with `--bin` or `--example`, and with `-p` only where it is to be built
/// without what others need (`bench`): all programs share one build of burn, libraries chosen with `-p` do not.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cargo {
    args: Vec<OsString>,
    /// A variable of the environment, and its value.
    variable: Option<(&'static str, &'static str)>,
}

/// Has glibc ask Linux for huge pages: a training step reads and writes gigabytes of activations.
const HUGE_PAGES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

impl Cargo {
    /// `cargo SUBCOMMAND --release`, for this workspace from any folder.
    pub fn release(subcommand: &str) -> Self {
        let manifest = root().join("Cargo.toml");
        Self::default()
            .arg(subcommand)
            .arg("--release")
            .arg("--manifest-path")
            .arg(manifest)
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Gives its program huge pages, where it runs on glibc. A setting of the user's own is left alone.
    pub fn with_huge_pages(mut self) -> Self {
        let (name, _) = HUGE_PAGES;
        if cfg!(all(target_os = "linux", target_env = "gnu")) && std::env::var_os(name).is_none() {
            self.variable = Some(HUGE_PAGES);
        }
        self
    }

    /// Runs it in the workspace's root and waits; whether it succeeded.
    pub fn succeeds(&self) -> io::Result<bool> {
        eprintln!("$ {self}");
        Ok(self.command().status()?.success())
    }

    /// Runs it in the workspace's root in this program's place, so that Ctrl-C and other signals reach it alone.
    #[cfg(unix)]
    pub fn take_over(&self) -> io::Result<ExitCode> {
        use std::os::unix::process::CommandExt;
        eprintln!("$ {self}");
        Err(self.command().exec())
    }

    /// Runs it in the workspace's root and waits. Ctrl-C is left to it.
    #[cfg(windows)]
    pub fn take_over(&self) -> io::Result<ExitCode> {
        eprintln!("$ {self}");
        ctrlc::set_handler(|| {}).map_err(io::Error::other)?;
        let status = self.command().status()?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(1)))
    }

    fn command(&self) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.args(&self.args).envs(self.variable);
        command.current_dir(root());
        command
    }
}

impl fmt::Display for Cargo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, value)) = self.variable {
            write!(f, "{name}={value} ")?;
        }
        f.write_str("cargo")?;
        for arg in &self.args {
            let arg = arg.to_string_lossy();
            if arg.is_empty() || arg.contains(char::is_whitespace) {
                write!(f, " '{arg}'")?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}
