//! From files to comparisons and from comparisons to token ids.

use std::path::PathBuf;

use criterion::{Criterion, Throughput};
use trainer::llm_backbone::tokenizer::Tokenizer;
use trainer::pref_data::{Comparison, ReadOptions, general, tldr};
use trainer::tokenise::{Formatter, PromptConfig};

pub fn all(criterion: &mut Criterion) {
    let file = |name: &str| -> PathBuf {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        root.join("../../datasets/mini").join(name)
    };
    let mut group = criterion.benchmark_group("bytes");
    let bytes = |path: &PathBuf| Throughput::Bytes(path.metadata().expect("a file").len());
    let path = file("tldr.jsonl");
    group.throughput(bytes(&path));
    let load = || tldr::read(&[&path], ReadOptions::default()).and_then(|reader| reader.read_all());
    group.bench_function("TL;DR loader", |bencher| {
        bencher.iter(|| load().expect("records"))
    });
    let path = file("example.jsonl");
    group.throughput(bytes(&path));
    group.bench_function("general loader, JSON Lines", |bencher| {
        bencher.iter(|| {
            let reader = general::read(&[&path], ReadOptions::default());
            reader
                .and_then(|reader| reader.read_all())
                .expect("comparisons")
        });
    });
    group.finish();

    let (records, _) = load().expect("records");
    let comparisons: Vec<Comparison> = records
        .iter()
        .filter_map(|r| r.stated())
        .take(200)
        .collect();
    let texts = comparisons.iter().map(|c| c.chosen.as_str());
    let tokenizer = Tokenizer::train_bpe(texts, 2000, &["<s>", "</s>"]);
    let tokenizer = tokenizer
        .and_then(|t| t.with_eos("</s>"))
        .expect("a tokenizer");
    let formatter = Formatter::new(tokenizer, PromptConfig::default(), 10).expect("a formatter");
    let mut group = criterion.benchmark_group("comparisons");
    group.throughput(Throughput::Elements(comparisons.len() as u64));
    group.bench_function("tokenise", |bencher| {
        bencher.iter(|| {
            for comparison in &comparisons {
                formatter.pair(comparison).expect("token ids");
            }
        });
    });
}
