//! Generates the raw client and its tables from the documents in this package. Without the feature `generate`, it copies the
//! committed results from `generated/`.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[cfg(feature = "generate")]
#[path = "build/files.rs"]
mod files;

fn main() -> Result<(), Box<dyn Error>> {
    write(&PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?))
}

#[cfg(feature = "generate")]
fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let [lowered, corrected] = ["openapi/liveavatar-v1.json", "openapi/service.json"];
    for input in [lowered, corrected, "build.rs", "build"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let read = |path| Ok::<_, Box<dyn Error>>(serde_json::from_str(&fs::read_to_string(path)?)?);
    for (name, text) in files::files(&read(lowered)?, &read(corrected)?)? {
        fs::write(out.join(name), text)?;
    }
    Ok(())
}

#[cfg(not(feature = "generate"))]
fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=generated");
    for file in fs::read_dir("generated")? {
        let file = file?;
        fs::copy(file.path(), out.join(file.file_name()))?;
    }
    Ok(())
}
