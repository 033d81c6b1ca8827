//! The directory of DICOM media, DICOMDIR (PS3.3 F.3, PS3.10 8.6): which files it lists. Records are followed by their
//! offsets as far as these lead anywhere; what no offset leads to is taken in the order of the file.

use std::collections::{HashMap, HashSet};

use super::dataset::{DataSet, Encoding, Tag};
use super::elements::{ITEM, Reader, SEQUENCE_END};
use super::part10::{Start, encoding_of};

const FIRST_RECORD: Tag = (0x0004, 0x1200);
const DIRECTORY_RECORD_SEQUENCE: Tag = (0x0004, 0x1220);
const NEXT_RECORD: Tag = (0x0004, 0x1400);
const RECORD_IN_USE: Tag = (0x0004, 0x1410);
const LOWER_RECORD: Tag = (0x0004, 0x1420);
const REFERENCED_FILE_ID: Tag = (0x0004, 0x1500);
/// Most records of one directory.
const MAX_RECORDS: usize = 1_000_000;

/// What a DICOMDIR lists.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::imaging) struct Directory {
    /// Referenced File IDs in the order of the records, each split into its components.
    pub file_ids: Vec<Vec<String>>,
    /// What is wrong with it, a sentence each.
    pub warnings: Vec<String>,
}

/// One directory record.
struct Record {
    next: usize,
    lower: usize,
    in_use: bool,
    file_id: Vec<String>,
}

/// Reads the records of a DICOMDIR.
///
/// # Errors
/// If it is none, or is broken before its records.
pub(in crate::imaging) fn read(bytes: &[u8]) -> Result<Directory, String> {
    let start = Start::read(bytes)?;
    let named = start.transfer_syntax().unwrap_or_default();
    let body = bytes.get(start.body..).unwrap_or_default();
    let encoding = encoding_of(&named, body);
    let mut reader = Reader {
        data: bytes,
        at: start.body,
    };
    let mut first = 0;
    let mut warnings = Vec::new();
    while reader.at < bytes.len() {
        let before = reader.at;
        let header = reader.header(encoding)?;
        if header.tag == DIRECTORY_RECORD_SEQUENCE {
            let end = header.length.and_then(|length| reader.at.checked_add(length));
            let (records, order) = records(&mut reader, end, encoding, &mut warnings);
            return Ok(walk(first, &records, &order, warnings));
        }
        reader.at = before;
        let element = reader.element(encoding)?;
        if element.tag == FIRST_RECORD
            && let Some(&four) = element.bytes.first_chunk()
        {
            first = encoding.u32(four) as usize;
        }
    }
    Err("it has no directory records".to_owned())
}

/// The records by the offset at which each begins, and these offsets in their order.
fn records(
    reader: &mut Reader<'_>,
    end: Option<usize>,
    encoding: Encoding,
    warnings: &mut Vec<String>,
) -> (HashMap<usize, Record>, Vec<usize>) {
    let (mut records, mut order) = (HashMap::new(), Vec::new());
    let end = end.unwrap_or(usize::MAX).min(reader.data.len());
    while reader.at < end && order.len() < MAX_RECORDS {
        let offset = reader.at;
        match record(reader, encoding) {
            Ok(Some(record)) => {
                records.insert(offset, record);
                order.push(offset);
            }
            Ok(None) => break,
            Err(cause) => {
                warnings.push(format!(
                    "The directory is broken at byte {offset}: {cause}; what it lists behind that is not known."
                ));
                break;
            }
        }
    }
    if order.len() == MAX_RECORDS {
        warnings.push(format!(
            "Only the first {MAX_RECORDS} records of the directory are read."
        ));
    }
    (records, order)
}

/// The next record; `None` at the end of the sequence.
fn record(reader: &mut Reader<'_>, encoding: Encoding) -> Result<Option<Record>, String> {
    let header = reader.header(encoding)?;
    match header.tag {
        ITEM => {}
        SEQUENCE_END => return Ok(None),
        _ => return Err("something else stands between its records".to_owned()),
    }
    let content = match header.length {
        Some(length) => reader.skip(length, ITEM)?,
        None => reader.skip_item(encoding)?,
    };
    let data = DataSet::read_item(content, encoding)?;
    // Four bytes also where the file does not tell that it is UL.
    let offset = |tag| {
        let element = data.get(tag)?;
        let four = element.bytes.first_chunk()?;
        Some(element.encoding.u32(*four) as usize)
    };
    let file_id = data.text(REFERENCED_FILE_ID).unwrap_or_default();
    Ok(Some(Record {
        next: offset(NEXT_RECORD).unwrap_or(0),
        lower: offset(LOWER_RECORD).unwrap_or(0),
        in_use: data.unsigned(RECORD_IN_USE) != Some(0),
        file_id: file_id
            .split('\\')
            .map(|part| part.trim_matches([' ', '\0']).to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
    }))
}

/// Follows the offsets from the first record: down first, then on, as the hierarchy is meant to be read.
fn walk(first: usize, records: &HashMap<usize, Record>, order: &[usize], mut warnings: Vec<String>) -> Directory {
    let mut file_ids = Vec::new();
    let mut seen = HashSet::new();
    let (mut circles, mut astray) = (0, 0);
    let mut stack = vec![(first, true)];
    while let Some((offset, in_use)) = stack.pop() {
        if offset == 0 {
            continue;
        }
        let Some(record) = records.get(&offset) else {
            astray += 1;
            continue;
        };
        if !seen.insert(offset) {
            circles += 1;
            continue;
        }
        // Below a record that was deleted, everything is.
        let used = in_use && record.in_use;
        if used && !record.file_id.is_empty() {
            file_ids.push(record.file_id.clone());
        }
        stack.push((record.next, in_use));
        stack.push((record.lower, used));
    }
    let unlinked = order.iter().filter(|offset| !seen.contains(*offset));
    let unlinked: Vec<&Record> = unlinked.map(|offset| &records[offset]).collect();
    let lost = unlinked
        .iter()
        .filter(|record| record.in_use && !record.file_id.is_empty());
    let lost: Vec<Vec<String>> = lost.map(|record| record.file_id.clone()).collect();
    for (count, what) in [
        (astray, "offsets of the directory lead to no record"),
        (
            circles,
            "offsets of the directory lead back to a record that was read before",
        ),
        (
            lost.len(),
            "files of the directory are reached by no offset; they are taken as well",
        ),
    ] {
        if count > 0 {
            warnings.push(format!("{count} {what}."));
        }
    }
    file_ids.extend(lost);
    Directory { file_ids, warnings }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_have_four_bytes_also_where_the_file_tells_no_vr() {
        let element = |tag: Tag, value: [u8; 4]| {
            let head = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
            [&head, 4_u32.to_le_bytes().as_slice(), &value].concat()
        };
        let content = [
            element(NEXT_RECORD, 0x0012_3456_u32.to_le_bytes()),
            element(LOWER_RECORD, 0x0078_9abc_u32.to_le_bytes()),
            element(REFERENCED_FILE_ID, *b"A\\B "),
        ]
        .concat();
        let item = [
            b"\xfe\xff\0\xe0".as_slice(),
            &(content.len() as u32).to_le_bytes(),
            &content,
        ]
        .concat();
        let mut reader = Reader { data: &item, at: 0 };
        let record = record(&mut reader, Encoding::IMPLICIT).unwrap().unwrap();
        assert_eq!((record.next, record.lower), (0x0012_3456, 0x0078_9abc));
        assert_eq!(record.file_id, ["A", "B"]);
        assert!(record.in_use);
    }
}
