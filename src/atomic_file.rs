//! Files that appear whole or not at all: written under a temporary name in their folder, then renamed. Knows no
//! format.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// What the names of files begin with until they have their own.
const PREFIX: &str = ".recovnet-";
/// Characters that follow it (`tempfile`'s default).
const RANDOM_CHARACTERS: usize = 6;

/// Whether a file has a name that [`create`] gives: of a process that was killed, if nobody is writing it.
pub fn is_unfinished(name: &OsStr) -> bool {
    let rest = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    rest.is_some_and(|rest| rest.len() == RANDOM_CHARACTERS && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Writes a file; nothing is left under `path` that was not there before if that fails.
///
/// # Errors
/// If the folder is not there or the file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    file.write_all(bytes)?;
    keep(file, path)
}

/// Writes a file that leads to people: readable by its owner alone, whatever the umask says.
///
/// # Errors
/// As [`write()`].
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = create(path)?;
    #[cfg(unix)]
    file.as_file()
        .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(bytes)?;
    keep(file, path)
}

/// Begins a file that [`keep`] will name `path`; it is removed if it is dropped before.
///
/// # Errors
/// If the folder is not there, nothing can be written into it, or `path` is a device, a pipe or a folder: renaming a
/// file over one of those would destroy it.
pub fn create(path: &Path) -> io::Result<NamedTempFile> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is there and is no regular file",
        ));
    }
    let path = behind_links(path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).rand_bytes(RANDOM_CHARACTERS);
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
    file.persist(behind_links(path)).map(drop).map_err(|error| error.error)
}

/// The file that a symbolic link stands for, so that the link stays one.
fn behind_links(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn what_leads_to_people_is_the_owners() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.json");
        write(&path, b"first").unwrap();
        write_private(&path, b"second").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read(&path).unwrap(), b"second");
    }

    #[test]
    fn what_is_not_finished_is_told_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let begun = create(&folder.path().join("a.txt")).unwrap();
        assert!(is_unfinished(begun.path().file_name().unwrap()));
        for name in [
            "a.txt",
            ".recovnet-",
            ".recovnet-abc.jsonl",
            ".recovnet-abcdefg",
            "recovnet-abcdef",
        ] {
            assert!(!is_unfinished(name.as_ref()), "{name}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(folder.path(), b"x").is_err());
        #[cfg(unix)]
        {
            let (file, link) = (folder.path().join("file"), folder.path().join("link"));
            write(&file, b"first").unwrap();
            std::os::unix::fs::symlink(&file, &link).unwrap();
            write(&link, b"second").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read(&file).unwrap(), b"second");
            let device = folder.path().join("device");
            std::os::unix::fs::symlink("/dev/null", &device).unwrap();
            assert!(write(&device, b"x").is_err());
        }
    }
}
