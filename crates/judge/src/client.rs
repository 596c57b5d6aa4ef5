//! The client: cache, budget and repetitions around one endpoint.

use std::env;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::backoff::{self, Pause};
use crate::cache::{self, Cache};
use crate::chat::{self, Message};
use crate::config::{self, JudgeConfig};
use crate::error::JudgeError;
use crate::http::{Endpoint, Failure, Key};

/// What a judge said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Whether they were cut at the limit of tokens.
    pub cut: bool,
    /// Whether they come from the cache.
    pub cached: bool,
}

/// A judge that can be asked from any number of threads.
#[derive(Debug)]
pub struct JudgeClient {
    config: JudgeConfig,
    endpoint: Endpoint,
    cache: Option<Cache>,
    calls: AtomicU64,
    pause: Pause,
    first_delay: Duration,
    max_delay: Duration,
}

impl JudgeConfig {
    /// Looks at the key in the environment variable that is named, for whoever has work to do before the first question.
    ///
    /// # Errors
    /// [`JudgeError::Config`] for a key that cannot be sent; the message does not show it.
    pub fn validate_key(&self) -> Result<(), JudgeError> {
        self.key().map_or(Ok(()), |key| Key::new(&key).map(|_| ()))
    }

    fn key(&self) -> Option<String> {
        let key = self.key_env.as_ref().and_then(env::var_os);
        key.map(|key| key.to_string_lossy().into_owned())
    }
}

/// The longest wait that a server may ask for; beyond it, an evaluation had better be started again later.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

impl JudgeClient {
    /// A client with the key from the environment variable that the configuration names, if it is set.
    ///
    /// # Errors
    /// [`JudgeError::Config`] for a setting that cannot be used, [`JudgeError::Cache`] if the folder cannot be made.
    pub fn new(config: JudgeConfig) -> Result<Self, JudgeError> {
        let key = config.key();
        if key.is_none()
            && let Some(name) = &config.key_env
        {
            tracing::info!(
                "the environment variable {name} is not set: no key is sent to the judge"
            );
        }
        Self::with_key(config, key.as_deref())
    }

    /// A client with a key from elsewhere; the environment is not looked at.
    ///
    /// # Errors
    /// As [`JudgeClient::new`].
    pub fn with_key(config: JudgeConfig, key: Option<&str>) -> Result<Self, JudgeError> {
        config.validate()?;
        let key = key.map(Key::new).transpose()?.flatten();
        Ok(Self {
            endpoint: Endpoint::new(&config, key)?,
            cache: config.cache_dir.as_ref().map(Cache::open).transpose()?,
            calls: AtomicU64::new(0),
            pause: Pause::default(),
            first_delay: config::seconds("first_delay_s", config.first_delay_s)?,
            max_delay: config::seconds("max_delay_s", config.max_delay_s)?,
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &JudgeConfig {
        &self.config
    }

    /// The calls so far, repetitions too.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// The name of a question in the cache.
    pub(crate) fn key(&self, messages: &[Message]) -> String {
        cache::key(&self.config, messages)
    }

    /// The answer from the cache, if there is one.
    pub(crate) fn cached(&self, messages: &[Message]) -> Option<Answer> {
        self.cache.as_ref()?.get(&self.key(messages))
    }

    /// The judge's answer, from the cache if it is there. Blocks until it has come or the repetitions are used up. An answer without a word is
    /// not kept.
    ///
    /// # Errors
    /// [`JudgeError::Budget`], [`JudgeError::Refused`], [`JudgeError::Failing`], or [`JudgeError::Cache`] if the answer
    /// cannot be kept.
    pub fn ask(&self, messages: &[Message]) -> Result<Answer, JudgeError> {
        match self.cached(messages) {
            Some(answer) if has_words(&answer) => Ok(answer),
            _ => self.call(messages, has_words, &AtomicBool::new(false)),
        }
    }

    /// Asks the endpoint, whatever is in the cache, and keeps the answer if it `is_usable`: another one may be asked for again.
    pub(crate) fn call(
        &self,
        messages: &[Message],
        is_usable: impl Fn(&Answer) -> bool,
        called_off: &AtomicBool,
    ) -> Result<Answer, JudgeError> {
        let body = chat::request(&self.config, messages);
        let (text, cut) = self.repeat(&body, called_off)?;
        let cached = false;
        let answer = Answer { text, cut, cached };
        if let Some(cache) = self.cache.as_ref().filter(|_| is_usable(&answer)) {
            cache.put(&self.key(messages), &self.config.model, &answer)?;
        }
        Ok(answer)
    }

    fn repeat(&self, body: &str, called_off: &AtomicBool) -> Result<(String, bool), JudgeError> {
        let mut attempt = 0;
        let mut last = None;
        loop {
            if !self.pause.wait(called_off) {
                return Err(JudgeError::CalledOff);
            }
            self.count_call(last.take())?;
            let (what, after) = match self.endpoint.call(body) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Passing { what, after }) => (what, after),
            };
            tracing::debug!("judge, attempt {}: {what}", attempt + 1);
            let too_long = after.is_some_and(|after| after > LONGEST_PAUSE);
            if attempt == self.config.retries || too_long {
                return Err(self.failing(attempt + 1, what, after.filter(|_| too_long)));
            }
            let delay = backoff::delay(self.first_delay, self.max_delay, attempt, rand::random());
            let now = Instant::now();
            if let Some(after) = after {
                self.pause.extend(now + after);
            }
            if !backoff::sleep_until(now + delay.max(after.unwrap_or_default()), called_off) {
                return Err(JudgeError::CalledOff);
            }
            attempt += 1;
            last = Some(what);
        }
    }

    /// Counts one more call, if the budget allows it. `last` is why the call before was none.
    fn count_call(&self, last: Option<String>) -> Result<(), JudgeError> {
        let budget = self.config.budget.unwrap_or(u64::MAX);
        let more = |calls| (calls < budget).then_some(calls + 1);
        match self
            .calls
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
        {
            Ok(_) => Ok(()),
            Err(_) => Err(JudgeError::Budget {
                budget,
                left: 1,
                last,
            }),
        }
    }

    fn failing(&self, attempts: u32, what: String, pause: Option<Duration>) -> JudgeError {
        let last = match pause {
            Some(pause) => format!("{what} (and asks for a pause of {} s)", pause.as_secs()),
            None => what,
        };
        JudgeError::Failing {
            url: self.endpoint.shown(),
            attempts,
            last,
        }
    }
}

fn has_words(answer: &Answer) -> bool {
    !answer.text.trim().is_empty()
}
