//! Logs of the programs: standard error, level from `RUST_LOG`, `info` by default.

use tracing_subscriber::EnvFilter;

/// Installs the subscriber; does nothing if there is one.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .try_init();
}
