//! Continues a prompt.
//!
//! `cargo run --release --example generate -- PATH PROMPT` with a Hugging Face directory or a GGUF file. A model with a
//! chat template answers the prompt as a user's message. Without a path, the tiny random model of this crate's tests
//! continues three ids, which shows how everything is called and makes no sense.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write;
use std::path::Path;

use burn::tensor::Device;
use llm_backbone::Model;
use llm_backbone::generate::Request;
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::tokenizer::{Specials, StreamDecoder, Tokenizer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(path), Some(prompt)) => answer(path.as_ref(), &prompt),
        (None, _) => continue_ids(),
        (Some(_), None) => Err("usage: generate PATH PROMPT".into()),
    }
}

/// Text in, text out, as it comes.
fn answer(path: &Path, prompt: &str) -> Result<(), Box<dyn Error>> {
    let model = Model::open(path, &Device::flex())?;
    let tokenizer = Tokenizer::open(path)?;
    tokenizer.fits(model.config())?;
    let ids = prompt_ids(&tokenizer, prompt)?;
    let processor = LogitsProcessor::new(SamplingConfig {
        greedy: true,
        stop_ids: tokenizer.stop_ids(),
        ..Default::default()
    })?;
    let mut decoder = StreamDecoder::new(&tokenizer, true);
    let request = Request {
        prompt_key: prompt,
        ..Request::new(&ids, &processor)
    };
    model.generate(&[request], |_, id| {
        print!("{}", decoder.push(id).unwrap_or_default());
        let _ = std::io::stdout().flush();
    })?;
    println!("{}", decoder.finish()?);
    Ok(())
}

fn prompt_ids(tokenizer: &Tokenizer, prompt: &str) -> Result<Vec<u32>, Box<dyn Error>> {
    if let Some(chat) = tokenizer.chat() {
        // The template's special tokens are special; what the user typed is text.
        let quotes = tokenizer.quotes([prompt].into_iter())?;
        let prompt = tokenizer.quote(&quotes, prompt)?;
        let text = chat.render(&[("user", prompt)], true)?;
        return Ok(tokenizer.encode_as(&text, Specials::Unquoted(&quotes))?);
    }
    let bos = tokenizer.bos().filter(|_| tokenizer.adds_bos());
    let mut ids: Vec<u32> = bos.into_iter().collect();
    ids.extend(tokenizer.encode(prompt, false)?);
    Ok(ids)
}

fn continue_ids() -> Result<(), Box<dyn Error>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llama");
    let model = Model::open(path.as_ref(), &Device::flex())?;
    let processor = LogitsProcessor::new(SamplingConfig {
        max_new_tokens: 12,
        ..Default::default()
    })?;
    let prompt = [1, 20, 30];
    let ids = model.generate(&[Request::new(&prompt, &processor)], |_, _| {})?;
    println!("{prompt:?} -> {:?}", ids[0]);
    Ok(())
}
