//! What takes the place of an identity: made of the original by a keyed hash, so that it is the same in every file and
//! every run with the same key, and leads back to nobody without it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Shortest content of a key file.
const LEAST_KEY_BYTES: usize = 16;
/// Largest key file.
const MOST_KEY_BYTES: u64 = 1 << 20;
/// Crockford's alphabet: no letter that is mistaken for a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a pseudonym, 5 bits each: two patients of a million share one with a chance of 1 in 2000.
const LETTERS: u32 = 10;
/// Least and most days by which dates move into the past.
const SHIFT_DAYS: std::ops::RangeInclusive<u64> = 31..=3652;

/// The secret that pseudonyms, UIDs and dates depend on. Whoever has it and the originals can tell who is who.
#[derive(Clone)]
pub struct Key([u8; KEY_BYTES]);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("{0}: the key cannot be read or made: {1}")]
    File(std::path::PathBuf, std::io::Error),
    /// It is no key.
    #[error("{0}: a key has 16 bytes to 1 MiB")]
    Length(std::path::PathBuf),
    /// The system gives no random numbers.
    #[error("no key can be made: the system gives no random numbers ({0})")]
    Random(String),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(secret)")
    }
}

impl Key {
    /// A key that no other run has.
    ///
    /// # Errors
    /// If the system gives no random numbers.
    pub fn random() -> Result<Self, KeyError> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| KeyError::Random(error.to_string()))?;
        Ok(Self(key))
    }

    /// A key made of any secret bytes.
    pub fn of(secret: &[u8]) -> Self {
        Self(blake3::derive_key("recovnet 2026 de-identification key", secret))
    }

    /// The key in a file; a file that is not there is made, readable by its owner alone.
    ///
    /// # Errors
    /// If the file can be neither read nor made, or holds no key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |error| KeyError::File(path.to_owned(), error);
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() || metadata.len() > MOST_KEY_BYTES => {
                Err(KeyError::Length(path.to_owned()))
            }
            Ok(_) => {
                let secret = fs::read(path).map_err(failed)?;
                if secret.len() < LEAST_KEY_BYTES {
                    return Err(KeyError::Length(path.to_owned()));
                }
                Ok(Self::of(&secret))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let secret = Self::random()?.0.map(|byte| format!("{byte:02x}")).concat() + "\n";
                create_private(path, secret.as_bytes()).map_err(failed)?;
                Ok(Self::of(secret.as_bytes()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Keyed hash of `parts`; `purpose` keeps hashes of different kinds apart.
    fn hash(&self, purpose: &str, parts: &[&[u8]]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in [purpose.as_bytes()].iter().chain(parts) {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    }

    fn number(&self, purpose: &str, parts: &[&[u8]]) -> u128 {
        let hash = self.hash(purpose, parts);
        let bytes = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        u128::from_le_bytes(bytes)
    }

    /// The UID that takes the place of another: `2.25.` and a UUID of version 8 (PS3.5 B.2, RFC 9562).
    pub fn uid(&self, original: &str) -> String {
        let number = self.number("uid", &[original.as_bytes()]);
        let number = number & !(0xf << 76) | 0x8 << 76;
        let number = number & !(0x3 << 62) | 0x2 << 62;
        format!("2.25.{number}")
    }

    /// What tells a file's source again without naming it, for the journal of a batch.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> String {
        self.hash("source", parts).to_hex().to_string()
    }

    /// What tells this key from others without giving it away, for the journal of a batch.
    pub fn mark(&self) -> String {
        self.hash("mark", &[]).to_hex().to_string()
    }

    /// What stands for a patient.
    pub fn patient(&self, original: &[&[u8]]) -> Patient {
        let number = self.number("patient", original);
        let letter = |place| char::from(ALPHABET[(number >> (5 * place) & 31) as usize]);
        let pseudonym = (0..LETTERS).map(letter).collect::<String>();
        let days = self.number("dates", original) % u128::from(SHIFT_DAYS.end() - SHIFT_DAYS.start() + 1);
        Patient {
            pseudonym: format!("RV-{pseudonym}"),
            shift_days: -((*SHIFT_DAYS.start() + days as u64) as i64),
        }
    }
}

/// What stands for a patient in every file of theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patient {
    /// Patient ID.
    pub pseudonym: String,
    /// Days by which dates move, below 0.
    pub shift_days: i64,
}

impl Patient {
    /// Patient's Name: the pseudonym as family name, with the delimiter behind it that tells it from the one component
    /// of names before there were delimiters (PS3.5 6.2.1).
    pub fn name(&self) -> String {
        format!("{}^", self.pseudonym)
    }
}

fn create_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_and_another_another() {
        let (one, two) = (Key::of(b"a secret of some length"), Key::of(b"another of some length."));
        let uid = one.uid("1.2.3");
        assert_eq!(uid, one.uid("1.2.3"));
        assert_ne!(uid, two.uid("1.2.3"));
        assert_ne!(uid, one.uid("1.2.4"));
        assert!(uid.len() <= 64);
        let number: u128 = uid.strip_prefix("2.25.").unwrap().parse().unwrap();
        assert_eq!((number >> 76 & 0xf, number >> 62 & 0x3), (8, 2));
        let patient = one.patient(&[b"123"]);
        assert_eq!(patient, one.patient(&[b"123"]));
        assert_ne!(patient.pseudonym, two.patient(&[b"123"]).pseudonym);
        assert!((-3652..=-31).contains(&patient.shift_days));
        // Where one part ends and the next begins has a say.
        assert_ne!(one.patient(&[b"ab", b"c"]), one.patient(&[b"a", b"bc"]));
    }

    #[test]
    fn a_key_file_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let uid = Key::load_or_create(&path).unwrap().uid("1.2");
        assert_eq!(Key::load_or_create(&path).unwrap().uid("1.2"), uid);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, b"short").unwrap();
        assert!(matches!(Key::load_or_create(&path), Err(KeyError::Length(_))));
        assert!(Key::load_or_create(folder.path()).is_err());
    }
}
