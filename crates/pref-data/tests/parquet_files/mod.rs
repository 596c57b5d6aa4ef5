//! Small Parquet files, written with the low-level writer.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

type Group<'a> = SerializedRowGroupWriter<'a, File>;

fn texts(
    group: &mut Group,
    values: &[&str],
    definition: Option<&[i16]>,
    repetition: Option<&[i16]>,
) {
    let values: Vec<ByteArray> = values.iter().map(|&text| ByteArray::from(text)).collect();
    let mut column = group.next_column().unwrap().unwrap();
    let writer = column.typed::<ByteArrayType>();
    writer.write_batch(&values, definition, repetition).unwrap();
    column.close().unwrap();
}

fn write(path: &Path, schema: &str, fill: impl FnOnce(&mut Group)) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut writer =
        SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    fill(&mut group);
    group.close().unwrap();
    writer.close().unwrap();
}

/// Three rows of text; users 12, null, 0; the last prompt is a JSON list of messages.
pub fn write_plain(path: &Path) {
    let schema = "message m { optional binary prompt (UTF8); required binary chosen (UTF8);
        required binary rejected (UTF8); optional int64 user; required binary extra (UTF8); }";
    write(path, schema, |group| {
        let messages = r#"[{"role":"user","content":"hi"}]"#;
        texts(group, &["p0", "p1", messages], Some(&[1, 1, 1]), None);
        texts(group, &["c0", "c1", "c2"], None, None);
        texts(group, &["r0", "r1", "r2"], None, None);
        let mut column = group.next_column().unwrap().unwrap();
        column
            .typed::<Int64Type>()
            .write_batch(&[12, 0], Some(&[1, 0, 1]), None)
            .unwrap();
        column.close().unwrap();
        texts(group, &["", "", ""], None, None);
    });
}

/// One row; its user is a day farther from 1970 than a calendar goes.
pub fn write_date(path: &Path) {
    let schema = "message m { required binary prompt (UTF8); required binary chosen (UTF8);
        required binary rejected (UTF8); required int32 user (DATE); }";
    write(path, schema, |group| {
        for value in ["p0", "c0", "r0"] {
            texts(group, &[value], None, None);
        }
        let mut column = group.next_column().unwrap().unwrap();
        let writer = column.typed::<Int32Type>();
        writer.write_batch(&[i32::MAX], None, None).unwrap();
        column.close().unwrap();
    });
}

/// Two rows whose prompts are lists of structs, of two messages and of one.
pub fn write_nested(path: &Path) {
    let schema =
        "message m { optional group prompt (LIST) { repeated group list { optional group element {
        optional binary content (UTF8); optional binary role (UTF8); } } }
        required binary chosen (UTF8); required binary rejected (UTF8); }";
    write(path, schema, |group| {
        texts(
            group,
            &["be kind", "hi", "you"],
            Some(&[4, 4, 4]),
            Some(&[0, 1, 0]),
        );
        texts(
            group,
            &["system", "user", "user"],
            Some(&[4, 4, 4]),
            Some(&[0, 1, 0]),
        );
        texts(group, &["c0", "c1"], None, None);
        texts(group, &["r0", "r1"], None, None);
    });
}
