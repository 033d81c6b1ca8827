//! Files that appear whole or not at all: written under a temporary name in their folder, then renamed. Knows no
//! format.

use std::io::{self, Write};
use std::path::Path;

use tempfile::NamedTempFile;

/// Writes a file; nothing is left under `path` that was not there before if that fails.
///
/// # Errors
/// If the folder is not there or the file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    keep(file, path)
}

/// Begins a file that [`keep`] will name `path`; it is removed if it is dropped before.
///
/// # Errors
/// If the folder is not there or nothing can be written into it.
pub fn create(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(".recovnet-");
    // As any new file: the umask decides who may read it.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder.unwrap_or(Path::new(".")))
}

/// Gives a file its name, once its bytes are on the disk.
///
/// # Errors
/// If they cannot be written (some file systems report a full disk only here), or the file not be renamed.
pub fn keep(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
