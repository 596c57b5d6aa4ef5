//! The tokenizer files of a Hugging Face directory.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::guard::guarded;
use super::{Tokenizer, TokenizerError, file_error, io_error};
use crate::chat::Extras;
use crate::weights::{WeightError, refuse_pointer};

/// What helps where only the files of a slow tokenizer are there.
const CONVERT: &str = "make it in Python: `t = transformers.AutoTokenizer.from_pretrained(FOLDER)`, `t.save_pretrained(FOLDER)`";

/// What a folder without `tokenizer.json` has in its place.
fn no_tokenizer(folder: &Path) -> TokenizerError {
    let has = |name: &str| folder.join(name).is_file();
    let (found, next) = match () {
        () if has("tokenizer.model") => ("only sentencepiece's tokenizer.model", CONVERT),
        () if has("vocab.json") || has("vocab.txt") => {
            ("only the files of a slow tokenizer (vocab.json)", CONVERT)
        }
        () => (
            "no files of a tokenizer",
            "copy tokenizer.json and tokenizer_config.json from the model that this one was made of",
        ),
    };
    let found = format!("{found}, no tokenizer.json");
    WeightError::something_else(folder, found, next).into()
}

/// A JSON file that may be missing.
struct JsonFile {
    path: PathBuf,
    value: Value,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, and where they exist `tokenizer_config.json`, `special_tokens_map.json`,
    /// `generation_config.json` (for ids that it does not name, `config.json`) and `chat_template.jinja`.
    ///
    /// # Errors
    ///
    /// [`TokenizerError`] naming the file and the key.
    pub(crate) fn from_directory(folder: impl AsRef<Path>) -> Result<Self, TokenizerError> {
        let folder = folder.as_ref();
        let path = folder.join("tokenizer.json");
        let text = std::fs::read(&path).map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => no_tokenizer(folder),
            _ => io_error(&path, source),
        })?;
        refuse_pointer(&path, &text)?;
        let mut this = Self::from_json_text(&text, &path)?;
        let config = JsonFile::read(folder.join("tokenizer_config.json"))?;
        let map = JsonFile::read(folder.join("special_tokens_map.json"))?;
        let generation = JsonFile::read(folder.join("generation_config.json"))?;
        let model = JsonFile::read(folder.join("config.json"))?;
        let rows = model.value.get("vocab_size").and_then(Value::as_u64);
        let ids = |key: &str| match generation.ids(key, rows)? {
            none if none.is_empty() => model.ids(key, rows),
            ids => Ok(ids),
        };
        for (key, place) in [("bos_token", 0), ("eos_token", 1)] {
            let id = match (config.token(key)?, map.token(key)?) {
                (Some(token), _) => Some(this.named(&token, key, &config.path)?),
                (None, Some(token)) => Some(this.named(&token, key, &map.path)?),
                (None, None) => ids(&format!("{key}_id"))?.first().copied(),
            };
            let slot = if place == 0 {
                &mut this.bos
            } else {
                &mut this.eos
            };
            *slot = id;
        }
        this.more_stops.extend(ids("eos_token_id")?);
        this.adds_bos = match config.value.get("add_bos_token") {
            Some(Value::Bool(adds)) => *adds && this.bos.is_some(),
            _ => this.is_seen_to_add_bos(),
        };
        this.chat_template = chat_template(folder, &config)?;
        this.template_extras = extras(folder, [&config, &map])?;
        Ok(this)
    }

    /// The id of a token that a key of a file names.
    fn named(&self, token: &str, key: &str, file: &Path) -> Result<u32, TokenizerError> {
        self.token_to_id(token).ok_or_else(|| {
            let expected = format!(
                "one of the {} tokens of tokenizer.json: name one that there is, or take all files of the tokenizer from one model",
                self.vocab_size()
            );
            file_error(file, key, format!("`{token}`"), &expected)
        })
    }

    /// What `tokenizer.json` itself does, where the configuration is silent.
    fn is_seen_to_add_bos(&self) -> bool {
        let encoding = guarded(|| self.inner.encode_fast("a", true));
        match (encoding, self.bos) {
            (Ok(encoding), Some(bos)) => encoding.get_ids().first() == Some(&bos),
            _ => false,
        }
    }
}

impl JsonFile {
    fn read(path: PathBuf) -> Result<Self, TokenizerError> {
        let value = match std::fs::read(&path) {
            Ok(bytes) => {
                refuse_pointer(&path, &bytes)?;
                serde_json::from_slice(&bytes)
                    .map_err(|error| file_error(&path, "JSON", error, "a JSON object"))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(source) => return Err(io_error(&path, source)),
        };
        Ok(Self { path, value })
    }

    /// A special token: a text, or an object with the text under `content`.
    fn token(&self, key: &str) -> Result<Option<String>, TokenizerError> {
        let value = self.value.get(key).unwrap_or(&Value::Null);
        match value.get("content").unwrap_or(value) {
            Value::Null => Ok(None),
            Value::String(token) => Ok(Some(token.clone())),
            other => Err(file_error(&self.path, key, other, "a token")),
        }
    }

    /// One id or a list of them, without those that none of the model's `rows` has (-1 among them).
    fn ids(&self, key: &str, rows: Option<u64>) -> Result<Vec<u32>, TokenizerError> {
        let value = self.value.get(key).unwrap_or(&Value::Null);
        let one = |value: &Value| value.as_i64().map(|id| u32::try_from(id).ok());
        let ids: Option<Vec<Option<u32>>> = match value {
            Value::Null => Some(Vec::new()),
            Value::Array(list) => list.iter().map(one).collect(),
            other => one(other).map(|id| vec![id]),
        };
        let wrong = || file_error(&self.path, key, value, "a token id or a list of them");
        let all = ids.ok_or_else(wrong)?;
        let has_row = |id: &u32| rows.is_none_or(|rows| u64::from(*id) < rows);
        let ids: Vec<u32> = all.iter().copied().flatten().filter(has_row).collect();
        if ids.len() < all.len() {
            let file = self.path.display();
            tracing::warn!("{file}: key `{key}`: {value} has ids of no token, which are left out");
        }
        Ok(ids)
    }
}

/// What a chat template may name or need beside its source: the template for tools, `tool_use` in a list of named ones or
/// in a folder, and special tokens.
fn extras(folder: &Path, [config, map]: [&JsonFile; 2]) -> Result<Extras, TokenizerError> {
    const TOKENS: [&str; 5] = [
        "unk_token",
        "sep_token",
        "pad_token",
        "cls_token",
        "mask_token",
    ];
    let path = folder.join("additional_chat_templates/tool_use.jinja");
    let listed = || {
        let list = config.value.get("chat_template")?.as_array()?;
        let tools = list.iter().find(|entry| entry["name"] == "tool_use")?;
        tools["template"].as_str().map(str::to_owned)
    };
    let own_file = folder.join("chat_template.jinja");
    let mut extras = Extras {
        file: Some(match own_file.is_file() {
            true => own_file,
            false => config.path.clone(),
        }),
        tool_use: text_file(&path)?.or_else(listed),
        tokens: Vec::new(),
    };
    for key in TOKENS {
        // One that is no token is of no use, and nobody may need it.
        let token = config.token(key).ok().flatten();
        let token = token.or_else(|| map.token(key).ok().flatten());
        extras.tokens.extend(token.map(|token| (key, token)));
    }
    Ok(extras)
}

/// The text of a file, if it exists.
fn text_file(path: &Path) -> Result<Option<String>, TokenizerError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            refuse_pointer(path, text.as_bytes())?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

/// `chat_template.jinja`, or the key `chat_template`: a text, or a list of named templates of which `default` is taken.
fn chat_template(folder: &Path, config: &JsonFile) -> Result<Option<String>, TokenizerError> {
    if let Some(text) = text_file(&folder.join("chat_template.jinja"))? {
        return Ok(Some(text));
    }
    let key = "chat_template";
    match config.value.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Array(list)) => {
            let default = list.iter().find(|entry| entry["name"] == "default");
            match default.and_then(|entry| entry["template"].as_str()) {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(file_error(
                    &config.path,
                    key,
                    "a list",
                    "one entry named `default`",
                )),
            }
        }
        Some(other) => Err(file_error(&config.path, key, other, "a text or a list")),
    }
}
