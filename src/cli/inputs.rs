//! Which files a command works on: files as they are named, folders walked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::imaging;
use crate::report::Failure;

use super::Usage;

/// One picture to work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Where it lies.
    pub path: PathBuf,
    /// Name of what is written about it: the path relative to the argument, or the file's own name.
    pub name: PathBuf,
}

/// Every picture that the arguments name, in their order; a folder without one is a failure of its own.
pub fn collect(arguments: &[PathBuf]) -> Vec<Result<Input, Failure>> {
    arguments.iter().flat_map(|argument| one(argument)).collect()
}

fn one(argument: &Path) -> Vec<Result<Input, Failure>> {
    if !argument.is_dir() {
        let name = argument.file_name().map_or_else(|| argument.to_owned(), PathBuf::from);
        return vec![Ok(Input {
            path: argument.to_owned(),
            name,
        })];
    }
    let files = imaging::candidates(argument);
    if files.is_empty() {
        let file = argument.display().to_string();
        let error = format!("{file}: no picture in this folder");
        return vec![Err(Failure { file, error })];
    }
    let relative = |path: PathBuf| {
        let name = path.strip_prefix(argument).unwrap_or(&path).to_owned();
        Ok(Input { path, name })
    };
    files.into_iter().map(relative).collect()
}

/// `NAME` with an ending such as `.mask.png`, in a folder.
pub fn output_path(folder: &Path, name: &Path, ending: &str) -> PathBuf {
    let mut file = folder.join(name).into_os_string();
    file.push(ending);
    PathBuf::from(file)
}

/// Refuses inputs whose outputs would have one name.
///
/// # Errors
/// A [`Usage`] that names both.
pub fn check_names(inputs: &[&Input]) -> anyhow::Result<()> {
    let mut seen: HashMap<&Path, &Path> = HashMap::new();
    for input in inputs {
        if let Some(other) = seen.insert(&input.name, &input.path) {
            let (one, two) = (other.display(), input.path.display());
            let name = input.name.display();
            let sentence = format!("{one} and {two} would be written under the same name, {name}; give them apart");
            return Err(Usage(sentence).into());
        }
    }
    Ok(())
}
