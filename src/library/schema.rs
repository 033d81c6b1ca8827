//! The tables of the index, as steps from each version of the format to the next. A step is never changed once it was
//! released: databases made by it are out there.

use rusqlite::{Connection, TransactionBehavior};

/// Version of the format that this program writes, SQLite's `user_version`.
pub const VERSION: i64 = STEPS.len() as i64;

/// What leads from version n to n + 1.
const STEPS: [&str; 2] = [
    // Paths are blobs: names of files need not be UTF-8. A study or series without UID is its folder's. Numbers of
    // files are never given twice: the window may still ask by one whose file is gone.
    "CREATE TABLE roots (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        opened INTEGER NOT NULL,
        complete INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE patients (
        id INTEGER PRIMARY KEY,
        patient_id TEXT NOT NULL,
        name TEXT NOT NULL,
        birth_date TEXT NOT NULL,
        sex TEXT,
        UNIQUE (patient_id, name, birth_date)
    ) STRICT;
    CREATE TABLE studies (
        id INTEGER PRIMARY KEY,
        patient INTEGER NOT NULL REFERENCES patients(id) ON DELETE CASCADE,
        uid TEXT NOT NULL,
        folder BLOB NOT NULL,
        date TEXT,
        time TEXT,
        description TEXT,
        accession TEXT,
        UNIQUE (patient, uid, folder)
    ) STRICT;
    CREATE TABLE series (
        id INTEGER PRIMARY KEY,
        study INTEGER NOT NULL REFERENCES studies(id) ON DELETE CASCADE,
        uid TEXT NOT NULL,
        folder BLOB NOT NULL,
        number INTEGER,
        modality TEXT,
        description TEXT,
        body_part TEXT,
        UNIQUE (study, uid, folder)
    ) STRICT;
    CREATE TABLE files (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        path BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        modified INTEGER NOT NULL,
        state INTEGER NOT NULL,
        reason TEXT,
        series INTEGER REFERENCES series(id) ON DELETE CASCADE,
        sop_class TEXT,
        sop_instance TEXT,
        transfer_syntax TEXT,
        number INTEGER,
        view TEXT,
        rows INTEGER,
        columns INTEGER,
        frames INTEGER
    ) STRICT;
    CREATE INDEX files_by_series ON files(series);
    CREATE TABLE listed (
        root INTEGER NOT NULL REFERENCES roots(id) ON DELETE CASCADE,
        path BLOB NOT NULL,
        PRIMARY KEY (root, path)
    ) STRICT, WITHOUT ROWID;",
    // Width 0 says that the file gives no picture.
    "CREATE TABLE thumbnails (
        file INTEGER PRIMARY KEY REFERENCES files(id) ON DELETE CASCADE,
        made INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        png BLOB NOT NULL
    ) STRICT;
    CREATE INDEX thumbnails_by_age ON thumbnails(made);",
];

/// Version of a database's format; 0 for an empty one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Brings a database to [`VERSION`], each step whole or not at all. One of a later version is left as it is.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    loop {
        // Asked under the lock: another process may have made the step meanwhile.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let at = version(&transaction)?;
        let Some(step) = usize::try_from(at).ok().and_then(|at| STEPS.get(at)) else {
            return Ok(());
        };
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", at + 1)?;
        transaction.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A database as version 1 of the format had it.
    fn first_version() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection
    }

    fn files(connection: &Connection) -> Vec<(Vec<u8>, i64, i64)> {
        let mut query = connection
            .prepare("SELECT path, size, modified FROM files ORDER BY path")
            .unwrap();
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        rows.map(Result::unwrap).collect()
    }

    proptest! {
        #[test]
        fn what_an_older_version_knew_is_known_after_migration(
            paths in proptest::collection::btree_map(proptest::collection::vec(any::<u8>(), 1..40), (0_i64..1 << 40, any::<i64>()), 0..30)
        ) {
            let mut connection = first_version();
            for (path, (size, modified)) in &paths {
                connection
                    .execute("INSERT INTO files (path, size, modified, state) VALUES (?, ?, ?, 2)", (path, size, modified))
                    .unwrap();
            }
            migrate(&mut connection).unwrap();
            prop_assert_eq!(version(&connection).unwrap(), VERSION);
            let expected: Vec<_> = paths.into_iter().map(|(path, (size, modified))| (path, size, modified)).collect();
            prop_assert_eq!(files(&connection), expected);
            // A second time, there is nothing to do.
            migrate(&mut connection).unwrap();
            prop_assert_eq!(version(&connection).unwrap(), VERSION);
        }
    }

    #[test]
    fn a_later_version_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection).unwrap(), VERSION + 1);
        let tables: i64 = connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
            .unwrap();
        assert_eq!(tables, 0);
    }
}
