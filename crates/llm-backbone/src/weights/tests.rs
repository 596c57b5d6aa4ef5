use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::gguf::test_file::Builder;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn small() -> Vec<(String, Vec<usize>, Vec<f32>)> {
    vec![
        ("b".to_owned(), vec![3], vec![1.0, -2.0, 0.5]),
        ("a".to_owned(), vec![2, 2], vec![0.0, 1.0, 2.0, 3.0]),
    ]
}

/// The file of `small`, written once: every write waits for the disk.
static SMALL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    write_safetensors(&path, small()).expect("a writable folder");
    std::fs::read(path).expect("the file")
});

#[test]
fn what_is_written_is_read_back() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    write_safetensors(&path, small()).expect("a writable folder");
    let file = SafetensorsFile::open(&path).expect("a good file");
    assert_eq!(file.names(), ["a", "b"]);
    assert_eq!(file.shape("a").expect("a"), [2, 2]);
    assert_eq!(file.storage("a").expect("a"), "F32");
    assert_eq!(file.read("b").expect("b"), [1.0, -2.0, 0.5]);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 1, "no temporary file stays");
}

#[test]
fn a_refused_write_leaves_the_old_file() {
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    write_safetensors(&path, small()).expect("a writable folder");
    let before = std::fs::read(&path).expect("the file");
    let wrong = [("a".to_owned(), vec![2, 2], vec![0.0])];
    let error = write_safetensors(&path, wrong)
        .expect_err("a wrong shape")
        .to_string();
    assert!(
        error.ends_with("tensor `a`: found 1 numbers, expected as many as the shape [2, 2] holds")
    );
    let twice = small().into_iter().chain(small());
    let error = write_safetensors(&path, twice)
        .expect_err("a name twice")
        .to_string();
    assert!(error.ends_with("tensor `b`: found it twice, expected every name once"));
    let failed = super::write::replace_file(&path, |temporary| {
        std::fs::write(temporary, "half").expect("a writable folder");
        Err(WeightError::io(
            temporary,
            std::io::ErrorKind::StorageFull.into(),
        ))
    });
    assert!(failed.is_err());
    assert_eq!(std::fs::read(&path).expect("the file"), before);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 1, "no temporary file stays");
}

#[cfg(unix)]
#[test]
fn what_is_written_may_be_read_by_whom_new_files_may() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let [ours, plain] = ["ours", "plain"].map(|name| folder.path().join(name));
    write_safetensors(&ours, small()).expect("a writable folder");
    std::fs::write(&plain, "").expect("a writable folder");
    let mode = |path| {
        std::fs::metadata(path)
            .expect("a file")
            .permissions()
            .mode()
    };
    assert_eq!(mode(&ours), mode(&plain));
}

#[test]
fn half_types_are_widened() {
    let folder = folder();
    let path = folder.path().join("half.safetensors");
    let header = r#"{"h":{"dtype":"F16","shape":[1],"data_offsets":[0,2]},
        "b":{"dtype":"BF16","shape":[1],"data_offsets":[2,4]},"i":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}"#;
    let mut bytes = Vec::from((header.len() as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend([0x00, 0x3e, 0xc0, 0x3f, 1, 0, 0, 0]);
    std::fs::write(&path, bytes).expect("a writable folder");
    let file = SafetensorsFile::open(&path).expect("a good file");
    assert_eq!(file.read("h").expect("h"), [1.5]);
    assert_eq!(file.read("b").expect("b"), [1.5]);
    let error = file.read("i").expect_err("integers").to_string();
    assert!(error.ends_with("tensor `i`: found type I32, supported are F64, F32, F16, BF16"));
}

#[test]
fn a_sharded_model_reads_like_one() {
    let (config, weights) = open(fixture("llama_sharded")).expect("a good model");
    assert_eq!(config.sizes().num_layers, 2);
    assert_eq!(weights.names().len(), 20);
    let shape = weights
        .shape("model.embed_tokens.weight")
        .expect("the embeddings");
    assert_eq!(shape, [config.vocab_size(), config.sizes().hidden_size]);
    let norm = weights.read("model.norm.weight").expect("the last norm");
    assert_eq!(norm.len(), config.sizes().hidden_size);
}

/// The two fixtures hold the same model; a PyTorch file names a tied head as well.
#[test]
fn a_pytorch_file_reads_like_safetensors() {
    let (config, weights) = open(fixture("llama_tied_bin")).expect("a good model");
    let (same, expected) = open(fixture("llama_tied")).expect("a good model");
    assert_eq!(config, same);
    let mut names = expected.names();
    names.insert(0, "lm_head.weight".to_owned());
    assert_eq!(weights.names(), names);
    let head = weights.read("lm_head.weight").expect("the head");
    assert_eq!(
        head,
        weights
            .read("model.embed_tokens.weight")
            .expect("the embeddings")
    );
    for name in expected.names() {
        let shape = |weights: &dyn WeightSource| weights.shape(&name).expect("a shape");
        assert_eq!(shape(weights.as_ref()), shape(expected.as_ref()), "{name}");
        let read = |weights: &dyn WeightSource| weights.read(&name).expect("numbers");
        assert_eq!(read(weights.as_ref()), read(expected.as_ref()), "{name}");
    }
}

#[test]
fn a_gguf_file_of_the_python_package_opens() {
    let (config, weights) = open(fixture("llama_gguf/model.gguf")).expect("a good model");
    for name in weights.names() {
        let count: usize = weights.shape(&name).expect("a shape").iter().product();
        assert_eq!(weights.read(&name).expect("numbers").len(), count, "{name}");
    }
    let shape = weights
        .shape("model.embed_tokens.weight")
        .expect("the embeddings");
    assert_eq!(shape, [config.vocab_size(), config.sizes().hidden_size]);
}

#[test]
fn a_shard_outside_the_folder_is_refused() {
    for file in [
        "../secret.safetensors",
        "/etc/passwd",
        "a/b.safetensors",
        "",
    ] {
        let folder = folder();
        let index = folder.path().join("model.safetensors.index.json");
        let text = serde_json::json!({"weight_map": {"a": file}}).to_string();
        std::fs::write(&index, text).expect("a writable folder");
        let Err(error) = Sharded::open(&index) else {
            panic!("{file} was accepted")
        };
        let expected =
            format!("weight_map: found the shard `{file}`, expected a file beside the index");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
}

#[test]
fn an_empty_folder_and_a_missing_path_say_what_is_wanted() {
    let folder = folder();
    let Err(error) = open(folder.path()) else {
        panic!("nothing is there")
    };
    assert!(
        error
            .to_string()
            .ends_with("found no model, expected `config.json` or one GGUF file")
    );
    let Err(error) = open(folder.path().join("none.gguf")) else {
        panic!("nothing is there")
    };
    assert!(error.to_string().contains("none.gguf: "), "{error}");
    std::fs::copy(
        fixture("llama/config.json"),
        folder.path().join("config.json"),
    )
    .expect("a copy");
    let Err(error) = open(folder.path()) else {
        panic!("there are no weights")
    };
    assert!(
        error
            .to_string()
            .contains("expected `model.safetensors` or `pytorch_model.bin`")
    );
}

/// What a folder of these files and contents is said to be.
fn said(files: &[(&str, &[u8])]) -> String {
    let folder = folder();
    for (name, content) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("a writable folder");
    }
    let Err(error) = open(folder.path()) else {
        panic!("{files:?} is a model")
    };
    error.to_string()
}

/// Files of a folder, and what is said of it.
type Folder<'a> = (&'a [(&'a str, &'a [u8])], &'a str);

#[test]
fn folders_are_said_to_be_what_they_are() {
    const CONFIG: (&str, &[u8]) = (
        "config.json",
        include_bytes!("../../tests/fixtures/llama/config.json"),
    );
    const ADAPTERS: &[u8] = br#"{"base_model_name_or_path": "org/base"}"#;
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n";
    let index = br#"{"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#;
    let cases: [Folder<'_>; 13] = [
        (
            &[("config.json", pointer)],
            "config.json: a pointer of Git LFS, not the file of 123456 bytes",
        ),
        (
            &[CONFIG, ("model.safetensors", pointer)],
            "model.safetensors: a pointer of Git LFS, not the file of 123456 bytes",
        ),
        (
            &[CONFIG, ("pytorch_model.bin", b"\n<!DOCTYPE html><html>")],
            "a web page, not a file of a model",
        ),
        (
            &[("model.gguf", pointer)],
            "model.gguf: a pointer of Git LFS",
        ),
        (
            &[("adapter_config.json", ADAPTERS)],
            "adapters for `org/base`, not a model; give the model that they",
        ),
        (
            &[CONFIG, ("adapter_config.json", ADAPTERS)],
            "adapters for `org/base`, not a model",
        ),
        (
            &[
                ("config.toml", b""),
                ("adapters/adapter_config.json", ADAPTERS),
            ],
            "the folder of a run, with adapters for `org/base`",
        ),
        (
            &[CONFIG, ("m.gguf", b"GGUF")],
            "a folder with a GGUF file beside a config.json; give that file itself",
        ),
        (
            &[("a.gguf", b"GGUF"), ("b.gguf", b"GGUF")],
            "a folder with 2 GGUF files; name one of them",
        ),
        (
            &[("model.safetensors", b"")],
            "weights without the config.json",
        ),
        (
            &[CONFIG, ("model-00001-of-00002.safetensors", b"")],
            "shards without their index",
        ),
        (
            &[CONFIG, ("model.safetensors.index.json", index)],
            "2 of the model's 2 shards are not there, such as one.safetensors",
        ),
        (
            &[("checkpoint-9/config.json", b"{}")],
            "name a folder inside of it, such as",
        ),
    ];
    for (files, expected) in cases {
        let error = said(files);
        assert!(error.contains(expected), "{error}");
    }
    let Err(error) = open(fixture("llama/model.safetensors")) else {
        panic!("a part of a model")
    };
    assert!(error.to_string().contains("give the folder, "), "{error}");
}

#[test]
fn a_folder_with_the_parts_of_a_split_file_is_told_as_one_part_is() {
    let folder = folder();
    for number in 0..2 {
        let part = Builder::new().u32("split.no", number).u32("split.count", 2);
        let name = format!("model-0000{}-of-00002.gguf", number + 1);
        std::fs::write(folder.path().join(name), part.build()).expect("a writable folder");
    }
    let Err(error) = open(folder.path()) else {
        panic!("a part of a model")
    };
    let expected = "model-00001-of-00002.gguf: part 1 of 2 of a GGUF file that was split";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn quantised_weights_are_named() {
    let folder = folder();
    std::fs::copy(
        fixture("llama/config.json"),
        folder.path().join("config.json"),
    )
    .expect("a copy");
    for (end, kind) in [
        (".weight.absmax", "bitsandbytes (4 bits)"),
        (".qweight", "GPTQ or AWQ"),
    ] {
        let tensors = [(
            format!("model.layers.0.mlp.up_proj{end}"),
            vec![1],
            vec![1.0],
        )];
        write_safetensors(folder.path().join("model.safetensors"), tensors).expect("a file");
        let Err(error) = open(folder.path()) else {
            panic!("{end} was accepted")
        };
        assert!(
            error
                .to_string()
                .contains(&format!("weights quantised by {kind}; use")),
            "{error}"
        );
    }
}

#[test]
fn a_number_that_is_none_is_named_when_a_model_is_loaded() {
    use burn::tensor::{DType, Device};
    let (config, source) = open(fixture("llama")).expect("a good model");
    let folder = folder();
    let path = folder.path().join("model.safetensors");
    let load = |name: &str, value: f32, dtype: DType| {
        let tensors = source.names().into_iter().map(|tensor| {
            let mut numbers = source.read(&tensor).expect("numbers");
            if tensor == name {
                numbers[7] = value;
            }
            let shape = source.shape(&tensor).expect("a shape");
            (tensor, shape, numbers)
        });
        write_safetensors(&path, tensors).expect("a writable folder");
        let file = SafetensorsFile::open(&path).expect("a good file");
        let model = crate::Model::load(&config, &file, dtype, &Device::flex());
        model.map(|_| ()).map_err(|error| error.to_string())
    };
    for name in ["model.layers.1.mlp.up_proj.weight", "model.norm.weight"] {
        for value in [f32::NAN, f32::NEG_INFINITY] {
            let error = load(name, value, DType::F32).expect_err("a broken weight");
            let expected = format!("tensor `{name}`: number 7 is {value}; the weights are broken");
            assert!(error.contains(&expected), "{error}");
        }
    }
    let name = "lm_head.weight";
    load(name, 70_000.0, DType::BF16).expect("a large weight");
    let error = load(name, 70_000.0, DType::F16).expect_err("beyond halves");
    assert!(
        error.contains("number 7 is 70000; 16-bit floats (f16) end at 65504"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn mangled_safetensors_never_panic(
        changes in proptest::collection::vec((0_usize..200, any::<u8>()), 1..6),
        cut in 0_usize..250,
    ) {
        let folder = folder();
        let path = folder.path().join("model.safetensors");
        let mut bytes = SMALL.clone();
        for (position, byte) in changes {
            let position = position % bytes.len();
            bytes[position] = byte;
        }
        bytes.truncate(cut.max(1));
        std::fs::write(&path, bytes).expect("a writable folder");
        if let Ok(file) = SafetensorsFile::open(&path) {
            for name in file.names() {
                let _ = file.read(&name);
            }
        }
    }

    #[test]
    fn mangled_pytorch_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = folder();
        let path = folder.path().join("pytorch_model.bin");
        let mut bytes = std::fs::read(fixture("llama_tied_bin/pytorch_model.bin")).expect("the file");
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, bytes).expect("a writable folder");
        if let Ok(file) = PytorchFile::open(&path) {
            for name in file.names() {
                let _ = file.read(&name);
            }
        }
    }
}
