//! Writes the project's own small data sets into a folder:
//! `cargo run --release --example make_mini_data -- datasets/mini`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder: PathBuf = std::env::args_os()
        .nth(1)
        .ok_or("usage: make_mini_data FOLDER")?
        .into();
    for (path, text) in mini_data::files() {
        let path = folder.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let unfinished = path.with_extension("tmp");
        fs::write(&unfinished, text)?;
        fs::rename(&unfinished, &path)?;
    }
    Ok(())
}
