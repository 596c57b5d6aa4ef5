//! Who judges, and how it is asked.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use crate::address::{HIDDEN, shown_url};
use crate::error::JudgeError;

/// A judge and the manners of asking it. In a file, an unknown key is an error and `url` and `model` are required. It is written, and
/// shown for debugging, without the secrets of its `url` ([`shown_url`]).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeConfig {
    /// The endpoint, up to and with `/v1` or `/chat/completions`.
    #[serde(serialize_with = "without_secrets")]
    pub url: String,
    /// The model's name, as the endpoint calls it.
    pub model: String,
    /// The environment variable that holds the key. If it is not set, no key is sent, as local servers want it.
    pub key_env: Option<String>,
    /// Sampling temperature; 0 by default. `None` leaves it to the server, as some models demand.
    pub temperature: Option<f64>,
    /// The most tokens of an answer; 1024 by default, room to think before the verdict.
    pub max_tokens: u32,
    /// What the endpoint calls that limit.
    pub tokens_key: TokensKey,
    /// The most calls under way at any time; 4 by default.
    pub concurrency: usize,
    /// Seconds until a call is given up; 120 by default.
    pub timeout_s: f64,
    /// How often a failed call is repeated; 5 by default.
    pub retries: u32,
    /// Seconds before the first repetition, doubled for each further one; 1 by default.
    pub first_delay_s: f64,
    /// The longest wait between repetitions, in seconds, unless the server asks for a longer one; 60 by default.
    pub max_delay_s: f64,
    /// The most calls of one client, repetitions too. No limit by default.
    pub budget: Option<u64>,
    /// The folder where answers are kept. No cache by default.
    pub cache_dir: Option<PathBuf>,
}

/// The name of the request field for the most tokens of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokensKey {
    /// `max_tokens`, which nearly every server knows.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`, which newer hosted models ask for.
    MaxCompletionTokens,
}

impl TokensKey {
    /// The field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

fn without_secrets<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&shown_url(url))
}

impl fmt::Debug for JudgeConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        write!(f, "JudgeConfig {shown}")
    }
}

impl Default for JudgeConfig {
    /// No endpoint and no model: these two have to be set.
    fn default() -> Self {
        Self::new("", "")
    }
}

impl JudgeConfig {
    /// A judge with the default manners, no key and no cache.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key_env: None,
            temperature: Some(0.0),
            max_tokens: 1024,
            tokens_key: TokensKey::default(),
            concurrency: 4,
            timeout_s: 120.0,
            retries: 5,
            first_delay_s: 1.0,
            max_delay_s: 60.0,
            budget: None,
            cache_dir: None,
        }
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`JudgeError::Config`] with the first setting that cannot be used.
    pub fn validate(&self) -> Result<(), JudgeError> {
        endpoint(&self.url)?;
        if let Some(name) = &self.key_env
            && !is_variable(name)
        {
            // It may be the key.
            let message = "found no name of an environment variable, expected letters, digits and `_`: the key itself is in that variable";
            return refuse("key_env", message.into());
        }
        if self.model.trim().is_empty() {
            return refuse("model", "found nothing, expected a model's name".into());
        }
        if let Some(temperature) = self.temperature
            && !(temperature.is_finite() && temperature >= 0.0)
        {
            return refuse(
                "temperature",
                format!("found {temperature}, expected 0 or more"),
            );
        }
        if self.max_tokens == 0 {
            return refuse("max_tokens", "found 0, expected at least 1".into());
        }
        if self.concurrency == 0 {
            return refuse("concurrency", "found 0, expected at least 1".into());
        }
        seconds("timeout_s", self.timeout_s)?;
        if self.timeout_s == 0.0 {
            return refuse("timeout_s", "found 0, expected more".into());
        }
        seconds("first_delay_s", self.first_delay_s)?;
        seconds("max_delay_s", self.max_delay_s)?;
        Ok(())
    }
}

/// The longest time that a setting may name, in seconds: a day.
const LONGEST_S: f64 = 86_400.0;

/// True for what environment variables are called.
fn is_variable(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(is_letter)
}

fn refuse<T>(key: &'static str, message: String) -> Result<T, JudgeError> {
    Err(JudgeError::Config { key, message })
}

/// A setting in seconds as a duration.
pub(crate) fn seconds(key: &'static str, value: f64) -> Result<Duration, JudgeError> {
    if (0.0..=LONGEST_S).contains(&value) {
        Ok(Duration::from_secs_f64(value))
    } else {
        refuse(
            key,
            format!("found {value}, expected seconds from 0 to {LONGEST_S}"),
        )
    }
}

/// The address that is called: `/chat/completions` is added where it is missing.
pub(crate) fn endpoint(url: &str) -> Result<String, JudgeError> {
    let url = url.trim();
    let Some(rest) = ["http://", "https://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
    else {
        let found = if url.is_empty() {
            "nothing"
        } else {
            "no scheme"
        };
        return refuse(
            "url",
            format!("found {found}, expected http:// or https://"),
        );
    };
    if url.starts_with("https://") && !cfg!(feature = "tls") {
        let problem =
            "found https, expected http: this program was built without the feature `tls`";
        return refuse("url", problem.into());
    }
    if url.contains(|c: char| c == '#' || c.is_whitespace() || c.is_control()) {
        let message = "found white space or a `#`, expected an address without";
        return refuse("url", message.into());
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.is_empty() {
        return refuse("url", "found no host, expected one after ://".into());
    }
    if host.contains('@') {
        let message =
            "found a user or password, expected the key in the variable that `key_env` names";
        return refuse("url", message.into());
    }
    if url.contains(HIDDEN) {
        let message = "found an address without its key, as it is written into files, expected the whole address";
        return refuse("url", message.into());
    }
    if !is_place(host) {
        let message =
            "found a host or a port that there cannot be, expected ://HOST or ://HOST:PORT";
        return refuse("url", message.into());
    }
    let (path, query) = match url.split_once('?') {
        Some((path, query)) => (path, format!("?{query}")),
        None => (url, String::new()),
    };
    let path = path.trim_end_matches('/');
    let missing = if path.ends_with("/chat/completions") {
        ""
    } else {
        "/chat/completions"
    };
    Ok(format!("{path}{missing}{query}"))
}

/// True for a host, and a port behind it or none.
fn is_place(host: &str) -> bool {
    let (is_host, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            let is_letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_');
            (!name.is_empty() && name.chars().all(is_letter), port)
        }
    };
    let number = port.strip_prefix(':').map(str::parse::<u16>);
    let is_port = port.is_empty() || matches!(number, Some(Ok(1..)));
    is_host && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_chat_completions_is_added_where_it_is_missing() {
        for (given, called) in [
            ("http://a:1/v1", "http://a:1/v1/chat/completions"),
            ("http://a:1/v1/", "http://a:1/v1/chat/completions"),
            (
                "https://a/v1/chat/completions",
                "https://a/v1/chat/completions",
            ),
            ("https://a/v1?v=2", "https://a/v1/chat/completions?v=2"),
            (
                "http://[::1]:8000/v1",
                "http://[::1]:8000/v1/chat/completions",
            ),
        ] {
            assert_eq!(endpoint(given).unwrap(), called);
        }
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let with = |change: fn(&mut JudgeConfig)| {
            let mut config = JudgeConfig::new("http://a/v1", "m");
            change(&mut config);
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| ()), Ok(()));
        for (change, key) in [
            ((|c| c.url = String::new()) as fn(&mut JudgeConfig), "url"),
            (|c| c.url = "a/v1".into(), "url"),
            (|c| c.url = "http://me:secret@a/v1".into(), "url"),
            (|c| c.model = " ".into(), "model"),
            (|c| c.temperature = Some(-1.0), "temperature"),
            (|c| c.temperature = Some(f64::NAN), "temperature"),
            (|c| c.url = "http://a:99999/secret".into(), "url"),
            (|c| c.url = "http://a:0/v1".into(), "url"),
            (|c| c.url = "http://[::secret]/v1".into(), "url"),
            (|c| c.url = "http://a/v1#secret".into(), "url"),
            (|c| c.url = "http://a/v1 secret".into(), "url"),
            (|c| c.key_env = Some("sk-secret".into()), "key_env"),
            (|c| c.max_tokens = 0, "max_tokens"),
            (|c| c.concurrency = 0, "concurrency"),
            (|c| c.timeout_s = 0.0, "timeout_s"),
            (|c| c.timeout_s = f64::INFINITY, "timeout_s"),
            (|c| c.first_delay_s = -1.0, "first_delay_s"),
            (|c| c.max_delay_s = 1e9, "max_delay_s"),
        ] {
            let message = with(change).unwrap_err();
            assert!(message.contains(&format!("`{key}`")), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn a_key_in_the_address_is_not_written() {
        let config = JudgeConfig::new("https://a/v1?key=s3cr3t", "m");
        let written = toml::to_string(&config).unwrap();
        assert!(
            written.contains("url = \"https://a/v1?key=(hidden)\""),
            "{written}"
        );
        assert!(!format!("{config:?}").contains("s3cr3t"));
        let again: JudgeConfig = toml::from_str(&written).unwrap();
        assert_eq!(again.model, "m");
        let error = again.validate().unwrap_err().to_string();
        assert!(error.contains("without its key"), "{error}");
    }

    #[test]
    fn a_file_may_leave_out_all_but_url_and_model_and_has_no_unknown_key() {
        let read = |text: &str| toml::from_str::<JudgeConfig>(text);
        let config = read("url = 'http://a/v1'\nmodel = 'm'").unwrap();
        assert_eq!(config, JudgeConfig::new("http://a/v1", "m"));
        let error = read("url = 'http://a/v1'\nmodle = 'm'").unwrap_err();
        assert!(error.to_string().contains("modle"), "{error}");
    }
}
