//! `.proto` files on disk: which name each has, and where its imports are looked up.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use bulkhead_grpc::Schema;

/// Compiles files whose imports are in `folders`; none: in the folders of the files.
///
/// # Errors
/// If a file is in none of the folders, cannot be read, or does not compile.
pub(super) fn read(files: &[PathBuf], folders: &[PathBuf]) -> anyhow::Result<Schema> {
    ensure!(!files.is_empty(), "no .proto file is given");
    let folders: Vec<PathBuf> = match folders {
        [] => files.iter().map(|file| parent(file)).collect(),
        folders => folders.to_vec(),
    };
    let mut names = Vec::new();
    for file in files {
        let (folder, name) = locate(file, &folders)?;
        // Whether it can be read is better said by its path than by its name as an import.
        let path = folder.join(&name);
        std::fs::metadata(&path).with_context(|| format!("read `{}`", path.display()))?;
        names.push(name);
    }
    let open = move |name: &str| {
        folders.iter().find_map(|folder| std::fs::read_to_string(folder.join(name)).ok())
    };
    Ok(Schema::from_proto_sources(&names, open)?)
}

fn parent(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or_else(|| Path::new(".")).to_owned()
}

/// The folder of a file, and its name as an import would give it.
fn locate<'a>(file: &Path, folders: &'a [PathBuf]) -> anyhow::Result<(&'a Path, String)> {
    let within = |folder: &'a PathBuf| {
        let bare = file.parent() == Some(Path::new("")) && folder == Path::new(".");
        let name = if bare { file } else { file.strip_prefix(folder).ok()? };
        Some((folder.as_path(), name.to_path_buf()))
    };
    let below = |folder: &'a PathBuf| {
        let found = file.is_relative() && folder.join(file).is_file();
        found.then(|| (folder.as_path(), file.to_path_buf()))
    };
    let found = folders.iter().find_map(within).or_else(|| folders.iter().find_map(below));
    let (folder, name) = found.with_context(|| {
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        format!("`{}` is in none of the folders {}", file.display(), folders.join(", "))
    })?;
    let name = name.to_str().context("names of .proto files must be UTF-8")?;
    Ok((folder, name.to_owned()))
}
