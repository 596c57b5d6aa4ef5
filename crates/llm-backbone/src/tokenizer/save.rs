//! Writing a tokenizer the way `transformers` reads it.

use std::path::Path;

use serde_json::{Value, json};

use super::{Tokenizer, TokenizerError, failed, io_error};

impl Tokenizer {
    /// Writes `tokenizer.json` and `tokenizer_config.json` into a directory that exists.
    ///
    /// # Errors
    ///
    /// [`TokenizerError`] if a file cannot be written; what was there is then as it was.
    pub fn save(&self, folder: impl AsRef<Path>) -> Result<(), TokenizerError> {
        let folder = folder.as_ref();
        let tokenizer = self.inner.to_string(true).map_err(failed)?;
        write(&folder.join("tokenizer.json"), &tokenizer)?;
        write(
            &folder.join("tokenizer_config.json"),
            &format!("{:#}\n", self.config()),
        )
    }

    fn config(&self) -> Value {
        let text = |id: Option<u32>| id.and_then(|id| self.id_to_token(id));
        let mut config = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "add_bos_token": self.adds_bos,
            "bos_token": text(self.bos),
            "eos_token": text(self.eos),
            "clean_up_tokenization_spaces": false,
        });
        for (name, token) in &self.template_extras.tokens {
            config[name] = json!(token);
        }
        match (&self.chat_template, &self.template_extras.tool_use) {
            (None, _) => {}
            (Some(template), None) => config["chat_template"] = json!(template),
            (Some(template), Some(tool_use)) => {
                let named = |name: &str, template| json!({"name": name, "template": template});
                config["chat_template"] =
                    json!([named("default", template), named("tool_use", tool_use)]);
            }
        }
        config
    }
}

fn write(path: &Path, text: &str) -> Result<(), TokenizerError> {
    whole_file::replace(path, text).map_err(|source| io_error(path, source))
}
