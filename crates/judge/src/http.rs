//! One call over HTTP, and what became of it.

use std::fmt;
use std::time::Duration;

use ureq::{Agent, AgentBuilder, Error, Response};

use crate::address::{self, shown_url};
use crate::backoff;
use crate::chat;
use crate::config::{self, JudgeConfig};
use crate::error::JudgeError;

/// A key that no debug output shows.
pub(crate) struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Key {
    /// The key, without space around it; `None` if nothing is left.
    ///
    /// # Errors
    /// [`JudgeError::Config`] if it cannot stand in a header; the message does not show it.
    pub fn new(text: &str) -> Result<Option<Self>, JudgeError> {
        let text = text.trim();
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(JudgeError::Config {
                key: "key_env",
                message: "found a key with space or signs outside ASCII, expected one without"
                    .into(),
            });
        }
        Ok((!text.is_empty()).then(|| Self(text.into())))
    }
}

/// Why a call brought no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server does not want the request.
    Refused(JudgeError),
    /// It may go better another time, after a wait that the server may have asked for.
    Passing {
        /// What happened.
        what: String,
        /// The wait that the server asked for.
        after: Option<Duration>,
    },
}

/// The endpoint, ready to be called from any number of threads.
pub(crate) struct Endpoint {
    agent: Agent,
    url: String,
    key: Option<Key>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint {}", self.shown())
    }
}

impl Endpoint {
    pub fn new(config: &JudgeConfig, key: Option<Key>) -> Result<Self, JudgeError> {
        let agent = AgentBuilder::new()
            .timeout(config::seconds("timeout_s", config.timeout_s)?)
            .max_idle_connections_per_host(config.concurrency)
            // A redirected request would lose its body or its key.
            .redirects(0)
            .user_agent(concat!("p-rlhf-judge/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            agent,
            url: config::endpoint(&config.url)?,
            key,
        })
    }

    /// The address for messages.
    pub fn shown(&self) -> String {
        shown_url(&self.url)
    }

    /// Sends a body and gives the answer's text and whether it was cut.
    pub fn call(&self, body: &str) -> Result<(String, bool), Failure> {
        let mut request = self
            .agent
            .post(&self.url)
            .set("Content-Type", "application/json");
        if let Some(Key(key)) = &self.key {
            request = request.set("Authorization", &format!("Bearer {key}"));
        }
        match request.send_string(body) {
            Ok(response) if response.status() < 300 => self.read(response),
            Ok(response) => Err(self.failed(response.status(), response)),
            Err(Error::Status(status, response)) => Err(self.failed(status, response)),
            Err(Error::Transport(error)) => {
                let detail = std::error::Error::source(&error).map(ToString::to_string);
                let detail = detail.or_else(|| error.message().map(str::to_owned));
                let detail = detail
                    .map(|detail| format!(": {detail}"))
                    .unwrap_or_default();
                Err(self.passing(format!("{}{detail}", error.kind()), None))
            }
        }
    }

    fn read(&self, response: Response) -> Result<(String, bool), Failure> {
        let body = response
            .into_string()
            .map_err(|error| self.passing(format!("the answer broke off: {error}"), None))?;
        let (text, cut) = chat::response(&body).map_err(|what| self.passing(what, None))?;
        Ok((self.hide_if(&text, |secret| !is_plain(secret)), cut))
    }

    fn failed(&self, status: u16, response: Response) -> Failure {
        let after = response
            .header("Retry-After")
            .and_then(backoff::retry_after);
        // Hidden before it is cut, so that no part of the key is left at the end.
        let body = match response.into_string() {
            Ok(body) => self.hide(&body),
            Err(error) => format!("its words cannot be read: {error}"),
        };
        let words = chat::complaint(&body);
        if matches!(status, 408 | 409 | 425 | 429 | 500..) {
            return self.passing(format!("status {status}: {words}"), after);
        }
        Failure::Refused(JudgeError::Refused {
            url: self.shown(),
            status,
            message: self.hide(&words),
        })
    }

    fn passing(&self, what: String, after: Option<Duration>) -> Failure {
        Failure::Passing {
            what: self.hide(&what),
            after,
        }
    }

    /// Some servers repeat a wrong key in their complaint.
    fn hide(&self, text: &str) -> String {
        self.hide_if(text, |_| true)
    }

    /// Hides the key, and of the address's secrets those that `is_meant`.
    fn hide_if(&self, text: &str, is_meant: impl Fn(&str) -> bool) -> String {
        let keys = self.key.iter().map(|Key(key)| key.clone());
        let secrets = address::secrets(&self.url).into_iter();
        keys.chain(secrets.filter(|secret| is_meant(secret)))
            .fold(text.to_owned(), |text, key| text.replace(&key, "(key)"))
    }
}

/// True for one word, which an answer may say of itself.
fn is_plain(text: &str) -> bool {
    text.chars().skip(1).all(|c| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_never_shown_and_must_fit_into_a_header() {
        let key = Key::new(" sk-1 \n").unwrap().unwrap();
        assert_eq!(key.0, "sk-1");
        assert!(!format!("{key:?}").contains("sk-1"));
        assert!(Key::new(" \n").unwrap().is_none());
        let error = Key::new("sk 1\nX: y").unwrap_err().to_string();
        assert!(!error.contains("sk"), "{error}");
    }
}
