//! The zip archives that `torch.save` writes: their directory, and where each entry's bytes lie. Entries are stored
//! as they are, so an archive is ranges of its file; nothing is unpacked, and a claim costs nothing.

use std::collections::HashMap;
use std::ops::Range;

/// What a zip archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// Most entries; the largest of these networks has 1,306 storages.
const MOST_ENTRIES: u64 = 100_000;
/// Longest comment at the end of an archive.
const LONGEST_COMMENT: usize = 0xffff;
/// Stands in a 32-bit field whose value is in the 64-bit part.
const ELSEWHERE: u64 = 0xffff_ffff;

/// Little-endian numbers of a record, whose position is checked at every access.
#[derive(Clone, Copy)]
struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    fn at(bytes: &'a [u8], position: u64, magic: &[u8]) -> Option<Self> {
        let rest = bytes.get(usize::try_from(position).ok()?..)?;
        rest.starts_with(magic).then_some(Self(rest))
    }

    fn number(self, at: usize, width: usize) -> Option<u64> {
        let field = self.0.get(at..at + width)?;
        Some(
            field
                .iter()
                .rev()
                .fold(0, |number, &byte| number << 8 | u64::from(byte)),
        )
    }
}

/// Where the directory is.
struct Directory {
    entries: u64,
    begin: u64,
}

impl Directory {
    /// Reads the record at the end of the archive, and its 64-bit form where that is meant.
    fn find(bytes: &[u8]) -> Option<Self> {
        let last = bytes.len().checked_sub(22)?;
        let first = last.saturating_sub(LONGEST_COMMENT);
        let (at, end) = (first..=last).rev().find_map(|at| {
            let end = Record::at(bytes, at as u64, b"PK\x05\x06")?;
            (end.number(20, 2)? == (last - at) as u64).then_some((at, end))
        })?;
        let (entries, begin) = (end.number(10, 2)?, end.number(16, 4)?);
        if entries != 0xffff && begin != ELSEWHERE {
            return Some(Self { entries, begin });
        }
        let locator = Record::at(bytes, at.checked_sub(20)? as u64, b"PK\x06\x07")?;
        let end = Record::at(bytes, locator.number(8, 8)?, b"PK\x06\x06")?;
        Some(Self {
            entries: end.number(32, 8)?,
            begin: end.number(48, 8)?,
        })
    }
}

/// Entries by name, as ranges of the archive's bytes.
///
/// # Errors
/// A sentence, if the archive is cut short or damaged, or an entry is compressed.
pub(super) fn entries(bytes: &[u8]) -> Result<HashMap<String, Range<usize>>, String> {
    let cut_short = || "is cut short or damaged: its zip directory is not whole; get the file again".to_owned();
    let directory = Directory::find(bytes).ok_or_else(cut_short)?;
    if directory.entries > MOST_ENTRIES {
        return Err(format!(
            "has {} zip entries, more than any file of weights",
            directory.entries
        ));
    }
    let mut entries = HashMap::new();
    let mut at = directory.begin;
    for _ in 0..directory.entries {
        let header = Record::at(bytes, at, b"PK\x01\x02").ok_or_else(cut_short)?;
        let entry = Entry::read(header).ok_or_else(cut_short)?;
        at = at.checked_add(entry.header).ok_or_else(cut_short)?;
        if entry.name.ends_with('/') {
            continue;
        }
        if entry.method != 0 {
            return Err(format!(
                "is a zip archive with compressed entries ({:?}), which torch.save does not write; unpack it first",
                entry.name
            ));
        }
        let range = entry.range(bytes).ok_or_else(cut_short)?;
        entries.insert(entry.name, range);
    }
    Ok(entries)
}

/// An entry as the directory describes it.
struct Entry {
    name: String,
    /// 0 is stored.
    method: u64,
    size: u64,
    /// Where its own header lies.
    begin: u64,
    /// Bytes of its description in the directory.
    header: u64,
}

impl Entry {
    fn read(header: Record<'_>) -> Option<Self> {
        let (name, extra, comment) = (header.number(28, 2)?, header.number(30, 2)?, header.number(32, 2)?);
        let (size, begin) = (header.number(24, 4)?, header.number(42, 4)?);
        let extra_at = 46 + name as usize;
        let mut wide = Wide::find(header.0.get(extra_at..extra_at + extra as usize)?);
        // The 64-bit part holds only the fields that need it, in this order: size, packed size, position.
        let size = wide.or(size)?;
        wide.or(header.number(20, 4)?)?;
        Some(Self {
            name: String::from_utf8_lossy(header.0.get(46..extra_at)?).into_owned(),
            method: header.number(10, 2)?,
            size,
            begin: wide.or(begin)?,
            header: 46 + name + extra + comment,
        })
    }

    /// Its bytes, after its own header.
    fn range(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let header = Record::at(bytes, self.begin, MAGIC)?;
        let begin = self
            .begin
            .checked_add(30 + header.number(26, 2)? + header.number(28, 2)?)?;
        let end = usize::try_from(begin.checked_add(self.size)?).ok()?;
        (end <= bytes.len()).then_some(begin as usize..end)
    }
}

/// The 64-bit fields of an entry, read one after the other.
struct Wide<'a> {
    fields: &'a [u8],
}

impl<'a> Wide<'a> {
    fn find(mut extra: &'a [u8]) -> Self {
        while let Some((head, rest)) = extra.split_at_checked(4) {
            let length = usize::from(u16::from_le_bytes([head[2], head[3]]));
            let Some((field, behind)) = rest.split_at_checked(length) else {
                break;
            };
            if head[..2] == [1, 0] {
                return Self { fields: field };
            }
            extra = behind;
        }
        Self { fields: &[] }
    }

    /// A value, or the next 64-bit field where it says that it is there.
    fn or(&mut self, value: u64) -> Option<u64> {
        if value != ELSEWHERE {
            return Some(value);
        }
        let (field, rest) = self.fields.split_at_checked(8)?;
        self.fields = rest;
        Record(field).number(0, 8)
    }
}
