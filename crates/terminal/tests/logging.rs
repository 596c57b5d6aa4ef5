//! A profile listens to spans, not to what libraries log. Apart, since a process has one subscriber.

use terminal::{Profile, logging};
use tracing_log::log;
use trainer::profile::TARGET;

#[test]
fn with_a_profile_records_of_libraries_end_where_log_lines_do() {
    // With `RUST_LOG` there may be others.
    if std::env::var_os("RUST_LOG").is_some() {
        return;
    }
    let profile = Profile::default();
    logging::init_with(Some(profile.clone()));
    assert_eq!(log::max_level(), log::LevelFilter::Info);
    tracing::trace_span!(target: TARGET, "loss").in_scope(|| ());
    assert!(profile.totals().contains_key("loss"));
}
