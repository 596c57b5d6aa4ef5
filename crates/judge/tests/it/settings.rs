//! From settings to a client.

use judge::{JudgeClient, JudgeConfig, JudgeError};

use crate::stub::{Stub, says};

#[test]
fn the_key_comes_from_the_variable_that_is_named() {
    let stub = Stub::start(|_, _| says("good"));
    // Cargo sets this one for every test; nobody sets the other.
    for (variable, header) in [
        ("CARGO_PKG_NAME", Some("Bearer judge".to_owned())),
        ("P_RLHF_NO_SUCH_KEY", None),
    ] {
        let config = JudgeConfig {
            key_env: Some(variable.into()),
            ..stub.config()
        };
        let client = JudgeClient::new(config).unwrap();
        client.ask(&[]).unwrap();
        assert_eq!(stub.requests().pop().unwrap().authorization, header);
    }
}

#[test]
fn settings_that_cannot_be_used_make_no_client() {
    let new = |config| JudgeClient::new(config).map(|_| ()).unwrap_err();
    assert!(matches!(
        new(JudgeConfig::default()),
        JudgeError::Config { key: "url", .. }
    ));
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = JudgeConfig {
        cache_dir: Some(file.path().join("cache")),
        ..JudgeConfig::new("http://localhost/v1", "m")
    };
    assert!(matches!(new(config), JudgeError::Cache { .. }));
    let config = JudgeConfig::new("http://localhost/v1", "m");
    let error = JudgeClient::with_key(config, Some("two words")).unwrap_err();
    assert!(!error.to_string().contains("two words"));
    // Before any work is done: cargo sets these two for every test.
    for (variable, is_key) in [("CARGO_PKG_NAME", true), ("CARGO_PKG_DESCRIPTION", false)] {
        let config = JudgeConfig {
            key_env: Some(variable.into()),
            ..JudgeConfig::new("http://localhost/v1", "m")
        };
        assert_eq!(config.validate_key().is_ok(), is_key, "{variable}");
    }
}
