//! A real trained model of 260,000 parameters gives its documented text, character for character.
//!
//! The file is llama2.c's version 0, read by this test alone: seven integers, then f32 tensors in a fixed order. Its
//! rotary embedding turns adjacent pairs, so query and key rows are put into the half-split order of Hugging Face.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device};
use llm_backbone::Model;
use llm_backbone::config::{ModelConfig, Sizes};
use llm_backbone::generate::Request;
use llm_backbone::sampling::{LogitsProcessor, SamplingConfig};
use llm_backbone::weights::{WeightError, WeightSource};
use support::{logits, sequence, shared_data, values};

const BOS: u32 = 1;

/// The tensors of a llama2.c file under their Hugging Face names.
struct Llama2c {
    path: PathBuf,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl WeightSource for Llama2c {
    fn path(&self) -> &Path {
        &self.path
    }

    fn names(&self) -> Vec<String> {
        self.tensors.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Result<Vec<usize>, WeightError> {
        self.tensor(name).map(|(shape, _)| shape.clone())
    }

    fn storage(&self, name: &str) -> Result<String, WeightError> {
        self.tensor(name).map(|_| "F32".into())
    }

    fn read(&self, name: &str) -> Result<Vec<f32>, WeightError> {
        self.tensor(name).map(|(_, values)| values.clone())
    }
}

impl Llama2c {
    fn tensor(&self, name: &str) -> Result<&(Vec<usize>, Vec<f32>), WeightError> {
        self.tensors.get(name).ok_or_else(|| WeightError::Missing {
            file: self.path.clone(),
            name: name.to_owned(),
            there: self.names(),
        })
    }

    /// Splits the next tensor off `rest`, one per layer where it is a layer's.
    fn take(&mut self, rest: &mut &[f32], layers: Option<usize>, name: &str, shape: &[usize]) {
        let size = shape.iter().product();
        for layer in 0..layers.unwrap_or(1) {
            let (values, tail) = rest.split_at(size);
            *rest = tail;
            let full = match layers {
                Some(_) => format!("model.layers.{layer}.{name}.weight"),
                None => format!("model.{name}.weight"),
            };
            self.tensors.insert(full, (shape.to_vec(), values.to_vec()));
        }
    }

    /// Adjacent pairs to halves: row `2 i` of a head becomes row `i`, row `2 i + 1` becomes row `i + head_dim / 2`.
    fn split_halves(&mut self, head_dim: usize) {
        for (name, (shape, values)) in &mut self.tensors {
            if !name.contains("q_proj") && !name.contains("k_proj") {
                continue;
            }
            let columns = shape[1];
            let row = |r: usize| {
                let (head, i) = (r / head_dim, r % head_dim);
                let half = head_dim / 2;
                let from = head * head_dim + if i < half { 2 * i } else { 2 * (i - half) + 1 };
                &values[from * columns..][..columns]
            };
            *values = (0..shape[0]).flat_map(|r| row(r).to_vec()).collect();
        }
    }
}

fn read(path: &Path) -> (ModelConfig, Llama2c) {
    let bytes = std::fs::read(path).expect("a readable file");
    let (header, body) = bytes.split_at(28);
    let [d, hidden, layers, heads, kv_heads, vocab, context] =
        std::array::from_fn(|i| int(&header[4 * i..]));
    let head_dim = d / heads;
    let numbers: Vec<f32> = body
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")))
        .collect();
    let mut file = Llama2c {
        path: path.into(),
        tensors: BTreeMap::new(),
    };
    let mut rest = &numbers[..];
    file.take(&mut rest, None, "embed_tokens", &[vocab, d]);
    let per_layer: [(&str, &[usize]); 9] = [
        ("input_layernorm", &[d]),
        ("self_attn.q_proj", &[d, d]),
        ("self_attn.k_proj", &[kv_heads * head_dim, d]),
        ("self_attn.v_proj", &[kv_heads * head_dim, d]),
        ("self_attn.o_proj", &[d, d]),
        ("post_attention_layernorm", &[d]),
        ("mlp.gate_proj", &[hidden, d]),
        ("mlp.down_proj", &[d, hidden]),
        ("mlp.up_proj", &[hidden, d]),
    ];
    for (name, shape) in per_layer {
        file.take(&mut rest, Some(layers), name, shape);
    }
    file.take(&mut rest, None, "norm", &[d]);
    assert_eq!(
        rest.len(),
        context * head_dim,
        "only rotary tables are left"
    );
    file.split_halves(head_dim);
    let config = ModelConfig::from_scratch(
        Sizes {
            vocab_size: vocab,
            hidden_size: d,
            num_layers: layers,
            num_heads: heads,
            num_kv_heads: kv_heads,
            head_dim,
            max_positions: context,
            ties_embeddings: true,
            bos_token_id: Some(BOS),
            eos_token_ids: vec![2],
        },
        hidden,
    );
    (config, file)
}

fn int(bytes: &[u8]) -> usize {
    i32::from_le_bytes(bytes[..4].try_into().expect("four bytes")) as usize
}

/// Per token its bytes, from llama2.c's tokenizer file: an integer, then per token score, length, bytes.
fn vocabulary(path: &Path, size: usize) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("a readable file");
    let mut rest = &bytes[4..];
    let mut tokens = Vec::new();
    for _ in 0..size {
        let length = int(&rest[4..]);
        tokens.push(rest[8..8 + length].to_vec());
        rest = &rest[8 + length..];
    }
    assert!(rest.is_empty());
    tokens
}

/// llama2.c's `decode`: no space after BOS, `<0x41>` is a byte.
fn decode(vocabulary: &[Vec<u8>], ids: &[u32]) -> String {
    let mut text = Vec::new();
    for (i, &id) in ids.iter().enumerate() {
        let mut piece = &vocabulary[id as usize][..];
        if i == 0 && piece.first() == Some(&b' ') {
            piece = &piece[1..];
        }
        match piece {
            [b'<', b'0', b'x', high, low, b'>'] => {
                let digits = String::from_utf8(vec![*high, *low]).expect("ASCII");
                text.push(u8::from_str_radix(&digits, 16).expect("hexadecimal"));
            }
            plain => text.extend(plain),
        }
    }
    String::from_utf8(text).expect("UTF-8")
}

fn open() -> Option<(Model, PathBuf)> {
    let folder = shared_data("stories260k")?;
    let (config, weights) = read(&folder.join("stories260K.bin"));
    let model = Model::load(&config, &weights, DType::F32, &Device::flex()).expect("a good file");
    Some((model, folder))
}

#[test]
fn the_five_highest_logits_after_bos_are_the_documented_ones() {
    let Some((model, _)) = open() else { return };
    let found = values(logits(
        &model,
        sequence(&[BOS], &model.device()),
        (0, 1),
        None,
    ));
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|&a, &b| found[b].total_cmp(&found[a]));
    assert_eq!(order[..5], [403, 385, 410, 317, 407]);
    let expected = [17.0235, 15.4062, 13.1083, 12.7692, 12.4181];
    for (&id, expected) in order.iter().zip(expected) {
        let error = (found[id] - expected).abs();
        assert!(error < 1e-4, "{id}: {} is not {expected}", found[id]);
    }
}

#[test]
fn greedy_generation_tells_the_documented_story() {
    let Some((model, folder)) = open() else {
        return;
    };
    let processor = LogitsProcessor::new(SamplingConfig {
        greedy: true,
        max_new_tokens: 256,
        stop_ids: vec![BOS],
        ..Default::default()
    })
    .expect("good settings");
    let ids = model
        .generate(&[Request::new(&[BOS], &processor)], |_, _| {})
        .expect("a text");
    let vocabulary = vocabulary(&folder.join("tok512.bin"), 512);
    let notes = std::fs::read_to_string(folder.join("stories260K.md")).expect("the notes");
    let (_, after) = notes.split_once("-t 0.0\n").expect("the greedy command");
    let (story, _) = after.split_once("\n```").expect("the end of the text");
    assert!(story.starts_with("Once upon a time, there was a little girl named Lily."));
    assert_eq!(decode(&vocabulary, &ids[0]), story);
}
