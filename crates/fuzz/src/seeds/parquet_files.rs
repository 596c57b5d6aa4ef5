//! Parquet: texts in columns, and messages in lists.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

type Group<'a> = SerializedRowGroupWriter<'a, File>;
type Written = Result<(), Box<dyn Error>>;

const PLAIN: &str = "message m { required binary prompt (UTF8); required binary chosen (UTF8);
    required binary rejected (UTF8); optional int64 user; }";
const NESTED: &str =
    "message m { optional group prompt (LIST) { repeated group list { optional group element {
    optional binary content (UTF8); optional binary role (UTF8); } } }
    required binary chosen (UTF8); required binary rejected (UTF8); }";

/// `plain.parquet` and `nested.parquet`.
pub fn write(folder: &Path) -> Written {
    file(&folder.join("plain.parquet"), PLAIN, |group| {
        for values in [["p0", "p1", "p2"], ["c0", "c1", "c2"], ["r0", "r1", "r2"]] {
            texts(group, &values, None)?;
        }
        let mut column = group.next_column()?.ok_or("no column left")?;
        let writer = column.typed::<Int64Type>();
        writer.write_batch(&[12, 0], Some(&[1, 0, 1]), None)?;
        Ok(column.close()?)
    })?;
    file(&folder.join("nested.parquet"), NESTED, |group| {
        let levels: (&[i16], &[i16]) = (&[4, 4, 4, 4], &[0, 1, 0, 0]);
        texts(group, &["be kind", "hi", "you", "why"], Some(levels))?;
        texts(group, &["system", "user", "user", "user"], Some(levels))?;
        texts(group, &["c0", "c1", "c2"], None)?;
        texts(group, &["r0", "r1", "r2"], None)
    })
}

fn file(path: &Path, schema: &str, fill: impl FnOnce(&mut Group) -> Written) -> Written {
    let schema = Arc::new(parse_message_type(schema)?);
    let mut writer = SerializedFileWriter::new(File::create(path)?, schema, Arc::default())?;
    let mut group = writer.next_row_group()?;
    fill(&mut group)?;
    group.close()?;
    writer.close()?;
    Ok(())
}

/// A column with definition and repetition levels.
fn texts(group: &mut Group, values: &[&str], levels: Option<(&[i16], &[i16])>) -> Written {
    let values: Vec<ByteArray> = values.iter().map(|&text| ByteArray::from(text)).collect();
    let mut column = group.next_column()?.ok_or("no column left")?;
    let (definition, repetition) = levels.unzip();
    let writer = column.typed::<ByteArrayType>();
    writer.write_batch(&values, definition, repetition)?;
    Ok(column.close()?)
}
