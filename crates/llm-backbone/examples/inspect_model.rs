//! Prints what a model's files say: shape, tensors, tokenizer.
//!
//! `cargo run --release --example inspect_model -- PATH` with a Hugging Face directory or a GGUF file. Without a path it
//! inspects the tiny model of this crate's tests.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::PathBuf;

use llm_backbone::tokenizer::Tokenizer;
use llm_backbone::weights::{self, WeightSource};

/// Tensors listed by name; the rest is counted.
const SHOWN: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os()
        .nth(1)
        .map_or_else(test_model, PathBuf::from);
    let (config, weights) = weights::open(&path)?;
    println!("{:#}", config.to_hf_json());
    print_tensors(weights.as_ref())?;
    match Tokenizer::open(&path) {
        Ok(tokenizer) => {
            tokenizer.fits(&config)?;
            print_tokenizer(&tokenizer)?;
        }
        Err(error) => println!("\nno tokenizer: {error}"),
    }
    Ok(())
}

fn test_model() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/llama"))
}

fn print_tensors(weights: &dyn WeightSource) -> Result<(), Box<dyn Error>> {
    let names = weights.names();
    let mut parameters = 0;
    println!("\n{} tensors in {}", names.len(), weights.path().display());
    for (index, name) in names.iter().enumerate() {
        let shape = weights.shape(name)?;
        parameters += shape.iter().product::<usize>();
        if index < SHOWN {
            println!("  {name} {shape:?} {}", weights.storage(name)?);
        }
    }
    println!("  {parameters} parameters");
    Ok(())
}

fn print_tokenizer(tokenizer: &Tokenizer) -> Result<(), Box<dyn Error>> {
    println!("\n{tokenizer:?}, stops at {:?}", tokenizer.stop_ids());
    let ids = tokenizer.encode("The capital of France is", true)?;
    println!("\"The capital of France is\" -> {ids:?}");
    if let Some(chat) = tokenizer.chat() {
        println!("\n{}", chat.render(&[("user", "Hi")], true)?);
    }
    Ok(())
}
