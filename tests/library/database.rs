//! The database: restarts, damage, versions, two at once, thumbnails.

use std::thread;

use recovnet::library::{Error, Instance, Library, MOST_THUMBNAILS, Thumbnail, VERSION};

use crate::{Case, four, index, instance};

#[test]
fn the_index_survives_a_restart() {
    let case = Case::with_studies();
    case.index();
    std::fs::remove_dir_all(case.source()).unwrap();
    let library = case.library();
    assert_eq!(library.notice(), None);
    assert_eq!(four(&library.counts(None).unwrap()), [2, 3, 4, 5]);
    assert!(library.roots().unwrap()[0].complete);
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_the_database() {
    use std::os::unix::fs::PermissionsExt;
    let case = Case::with_studies();
    let mut library = case.library();
    index(&mut library, &case.source());
    for entry in std::fs::read_dir(case.database().parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?} has {mode:o}", entry.file_name());
    }
}

#[test]
fn a_damaged_database_is_set_aside_and_made_anew() {
    for damage in ["rubbish", "middle", "cut"] {
        let case = Case::with_studies();
        case.index();
        let mut bytes = std::fs::read(case.database()).unwrap();
        // Beside it: a process looks once whether a file is sound.
        let path = case.folder.path().join("damaged/studies.sqlite");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match damage {
            "rubbish" => bytes = b"this was a database once, and is none any more".repeat(100),
            "middle" => {
                let length = bytes.len();
                bytes[length / 8..length / 2].fill(0xa5);
            }
            _ => bytes.truncate(bytes.len() / 2),
        }
        std::fs::write(&path, &bytes).unwrap();
        let mut library = Library::open(&path).unwrap();
        let notice = library.notice().map(str::to_owned);
        assert!(notice.is_some_and(|notice| notice.contains("damaged")), "{damage}");
        assert_eq!(four(&library.counts(None).unwrap()), [0, 0, 0, 0]);
        assert_eq!(index(&mut library, &case.source()).read, 5);
        let kept = std::fs::read_dir(path.parent().unwrap()).unwrap();
        let kept = kept.filter(|entry| {
            let name = entry.as_ref().unwrap().file_name();
            name.to_string_lossy().contains(".damaged-")
        });
        assert!(kept.count() >= 1, "{damage}: the former file is kept");
        let again = Library::open(&path).unwrap();
        assert_eq!(again.notice(), None, "{damage}: the new one is sound");
    }
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let case = Case::with_studies();
    case.index();
    let connection = rusqlite::Connection::open(case.database()).unwrap();
    connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
    // As that version may want it.
    connection
        .pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))
        .unwrap();
    drop(connection);
    let before = std::fs::read(case.database()).unwrap();
    match Library::open(&case.database()) {
        Err(Error::Later { found, .. }) => assert_eq!(found, VERSION + 1),
        other => panic!("{:?}", other.map(|library| library.notice().map(str::to_owned))),
    }
    assert_eq!(
        std::fs::read(case.database()).unwrap(),
        before,
        "not a byte was changed"
    );
}

/// POSIX gives up the locks that a process holds on a file as soon as the process closes it anywhere.
#[cfg(target_os = "linux")]
#[test]
fn another_opening_does_not_release_the_locks_of_this_process() {
    let case = Case::with_studies();
    case.index();
    let connection = rusqlite::Connection::open(case.database()).unwrap();
    // From its first look on, a connection holds a lock that says that the file is in use.
    let count: i64 = connection
        .query_row("SELECT count(*) FROM files", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 5);
    let locks = || {
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(case.database()).unwrap());
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        let of_file = |line: &&str| line.contains("POSIX") && line.contains(&format!(":{inode} "));
        all.lines().filter(of_file).count()
    };
    if locks() == 0 {
        println!("skipped: this system shows no locks");
        return;
    }
    drop(Library::open(&case.database()).unwrap());
    assert!(locks() > 0, "the first connection still holds its lock");
    drop(connection);
}

#[test]
fn numbers_of_files_are_never_given_twice() {
    let case = Case::with_studies();
    case.index();
    let mut library = case.library();
    let numbers = |library: &Library| {
        let catalogue = library.catalogue(None).unwrap();
        let studies = catalogue.patients.into_iter().flat_map(|patient| patient.studies);
        let series = studies.flat_map(|study| study.series);
        let instances = series.flat_map(|series| series.instances);
        instances.map(|instance| instance.id).collect::<Vec<_>>()
    };
    let before = numbers(&library);
    library.forget(&case.source().canonicalize().unwrap()).unwrap();
    index(&mut library, &case.source());
    let after = numbers(&library);
    assert_eq!(after.len(), before.len());
    assert!(
        after.iter().all(|number| !before.contains(number)),
        "{before:?}, {after:?}"
    );
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let case = Case::new();
    for number in 0..600 {
        case.put(
            &format!("{}/{number}", number % 7),
            instance(number % 5, number % 11, number % 2, number),
        );
    }
    let expected = {
        let fresh = tempfile::tempdir().unwrap();
        let mut library = Library::open(&fresh.path().join("fresh.sqlite")).unwrap();
        index(&mut library, &case.source());
        four(&library.counts(None).unwrap())
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    case.index();
                }
            });
        }
    });
    let library = case.library();
    assert_eq!(library.notice(), None, "it is sound");
    assert_eq!(four(&library.counts(None).unwrap()), expected);
}

fn first_instance(library: &Library) -> Instance {
    library.catalogue(None).unwrap().patients[0].studies[0].series[0].instances[0].clone()
}

#[test]
fn thumbnails_are_kept_until_their_file_changes() {
    let case = Case::with_studies();
    case.index();
    let mut library = case.library();
    let first = first_instance(&library);
    assert_eq!(library.thumbnail(&first).unwrap(), None);
    let thumbnail = Thumbnail::Picture([2, 1], vec![[1, 2, 3], [4, 5, 6]]);
    library.keep_thumbnail(&first, &thumbnail).unwrap();
    assert_eq!(case.library().thumbnail(&first).unwrap(), Some(thumbnail));
    library.keep_thumbnail(&first, &Thumbnail::None).unwrap();
    assert_eq!(library.thumbnail(&first).unwrap(), Some(Thumbnail::None));
    let others = [
        Instance {
            id: 999_999,
            ..first.clone()
        },
        Instance {
            path: case.path("other"),
            ..first.clone()
        },
    ];
    for other in others {
        library.keep_thumbnail(&other, &Thumbnail::None).unwrap();
        assert_eq!(
            library.thumbnail(&other).unwrap(),
            None,
            "of an instance that is gone, none is kept"
        );
    }
    crate::study_files::set_age(&first.path, std::time::Duration::from_mins(1));
    index(&mut library, &case.source());
    let changed = first_instance(&library);
    assert_eq!(changed.id, first.id);
    assert_eq!(library.thumbnail(&changed).unwrap(), None);
    // One that was being made of the file as it had been.
    library.keep_thumbnail(&first, &Thumbnail::None).unwrap();
    assert_eq!(library.thumbnail(&changed).unwrap(), None);
}

#[test]
fn thumbnails_are_bounded() {
    let case = Case::with_studies();
    case.index();
    let mut library = case.library();
    let connection = rusqlite::Connection::open(case.database()).unwrap();
    connection
        .execute_batch(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MOST_THUMBNAILS} + 50)
            INSERT INTO files (path, size, modified, state) SELECT CAST('/' || i AS BLOB), 0, 0, 2 FROM n;
            INSERT INTO thumbnails (file, made, width, height, png)
            SELECT id, id, 0, 0, x'' FROM files WHERE path LIKE '/%' AND state = 2;"
        ))
        .unwrap();
    let first = first_instance(&library);
    library.keep_thumbnail(&first, &Thumbnail::None).unwrap();
    let count: i64 = connection
        .query_row("SELECT count(*) FROM thumbnails", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, MOST_THUMBNAILS);
    assert_eq!(
        library.thumbnail(&first).unwrap(),
        Some(Thumbnail::None),
        "the newest stays"
    );
}
