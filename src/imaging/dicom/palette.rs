//! Palette Color Lookup Tables (PS3.3 C.7.6.3.1.5 and C.7.9.2): indices to colours.

use super::dataset::{DataSet, Tag, name};
use super::look_ups;
use crate::imaging::radiograph::StoredValues;

/// Red, green, blue: descriptor, table, segmented table.
const CHANNELS: [[Tag; 3]; 3] = [
    [(0x0028, 0x1101), (0x0028, 0x1201), (0x0028, 0x1221)],
    [(0x0028, 0x1102), (0x0028, 0x1202), (0x0028, 0x1222)],
    [(0x0028, 0x1103), (0x0028, 0x1203), (0x0028, 0x1223)],
];
/// Most segments that are followed; a table has 65,536 entries at most.
const MAX_SEGMENTS: usize = 1 << 16;

/// One channel of the palette.
struct Table {
    first: i32,
    /// As the file has them, at least one.
    entries: Vec<u16>,
    /// Bits of an entry, by the descriptor.
    bits: u16,
}

/// The colour of each pixel.
///
/// # Errors
/// If a table is missing or does not fit its descriptor.
pub(super) fn colours(data: &DataSet, indices: &StoredValues) -> Result<Vec<[u8; 3]>, String> {
    let [red, green, blue] = CHANNELS;
    let tables = [table(data, red)?, table(data, green)?, table(data, blue)?];
    let last = indices.values.iter().copied().max().unwrap_or(0);
    // Some writers say 16 bits and use the low eight only, in all three tables.
    let is_wide = tables
        .iter()
        .any(|table| table.bits > 8 && table.entries.iter().any(|&entry| entry > 0xff));
    let colour = |sample: u16| {
        let index = i32::from(sample) + indices.offset;
        tables.each_ref().map(|table| table.at(index, is_wide))
    };
    let colours: Vec<[u8; 3]> = (0..=last).map(colour).collect();
    Ok(indices
        .values
        .iter()
        .map(|&sample| colours[usize::from(sample)])
        .collect())
}

impl Table {
    /// The level of an index: the high byte of entries of 16 bits.
    fn at(&self, index: i32, is_wide: bool) -> u8 {
        let last = self.entries.len() - 1;
        let at = i64::from(index) - i64::from(self.first);
        let entry = self.entries[at.clamp(0, last as i64) as usize];
        if is_wide {
            (entry >> 8) as u8
        } else {
            entry.min(0xff) as u8
        }
    }
}

fn table(data: &DataSet, [descriptor, plain, segmented]: [Tag; 3]) -> Result<Table, String> {
    let described = look_ups::table_descriptor(data, descriptor, false);
    let (count, first, bits) =
        described.ok_or_else(|| format!("its palette's descriptor {} is missing", name(descriptor)))?;
    let entries = match (data.get(plain), data.get(segmented)) {
        (Some(element), _) if !element.bytes.is_empty() => look_ups::table_entries(element, count, bits.min(16) as u8),
        (_, Some(_)) => expanded(&data.words(segmented), count),
        _ => None,
    };
    let entries = entries.filter(|entries| !entries.is_empty());
    let entries =
        entries.ok_or_else(|| format!("its palette {} has not the {count} entries it promises", name(plain)))?;
    Ok(Table { first, entries, bits })
}

/// The entries of a segmented table (PS3.3 C.7.9.2): discrete, linear and indirect segments; `None` if it is broken.
fn expanded(words: &[u16], count: usize) -> Option<Vec<u16>> {
    let mut entries = Vec::new();
    let mut at = 0;
    let mut segments = 0;
    while at < words.len() && entries.len() < count {
        segments += 1;
        if segments > MAX_SEGMENTS {
            return None;
        }
        at = match *words.get(at..at + 2)? {
            [2, repeats] => {
                segments += usize::from(repeats);
                let &[low, high] = words.get(at + 2..)?.first_chunk()?;
                repeat(
                    words,
                    (usize::from(high) << 16 | usize::from(low)) / 2,
                    repeats,
                    count,
                    &mut entries,
                )?;
                at + 4
            }
            _ => segment(words, at, count, &mut entries)?,
        };
    }
    (entries.len() >= count).then(|| {
        entries.truncate(count);
        entries
    })
}

/// Copies segments from a word offset on; these are none that point further.
fn repeat(words: &[u16], from: usize, segments: u16, count: usize, entries: &mut Vec<u16>) -> Option<()> {
    let mut at = from;
    for _ in 0..segments {
        if entries.len() >= count {
            break;
        }
        at = segment(words, at, count, entries)?;
    }
    Some(())
}

/// A discrete (0) or linear (1) segment; returns where the next begins.
fn segment(words: &[u16], at: usize, count: usize, entries: &mut Vec<u16>) -> Option<usize> {
    let &[opcode, length] = words.get(at..)?.first_chunk()?;
    let length = usize::from(length);
    let room = count.saturating_sub(entries.len());
    match opcode {
        0 => {
            let values = words.get(at + 2..at + 2 + length)?;
            entries.extend(values.iter().take(room));
            Some(at + 2 + length)
        }
        1 => {
            let end = f64::from(*words.get(at + 2)?);
            let start = f64::from(*entries.last()?);
            let step = (end - start) / length.max(1) as f64;
            entries.extend((1..=length.min(room)).map(|i| (start + step * i as f64).round() as u16));
            Some(at + 3)
        }
        _ => None,
    }
}
