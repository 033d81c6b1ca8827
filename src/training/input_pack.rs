//! The file format of the input cache: many inputs of one geometry in a file that is written whole, never changed, and
//! mapped. Knows no cache.
//!
//! Header of 64 bytes, one entry of 80 bytes an input, then the inputs themselves: 16-bit greys in the machine's byte
//! order, and a byte a pixel of mask where there are masks. A pack of names has no inputs: it says only that a file of
//! this name has that content.

use std::fs::File;
use std::io::{self, Write};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::atomic_file;
use crate::nn::weights;

use super::mapped::Mapped;

/// First bytes of every pack.
const MAGIC: [u8; 8] = *b"rcn-pack";
/// Bytes of the header.
const HEADER: usize = 64;
/// Bytes of an entry.
const ENTRY: usize = 80;
/// What inputs are aligned to, in bytes.
const ALIGNMENT: usize = 64;
/// Ending of a pack's name.
pub const EXTENSION: &str = "inputs";

/// SHA-256 that names a file as it lies there, or its bytes.
pub type Key = [u8; 32];

/// What an entry of a pack says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Name, size and time of the files; zeros where the time says nothing.
    pub stamp: Key,
    /// Bytes of the files.
    pub content: Key,
    checksum: u64,
}

impl Entry {
    /// An entry whose input is this, or which only gives a content another name.
    pub fn new(stamp: Option<Key>, content: Key, input: Option<(&[u16], &[u8])>) -> Self {
        Self {
            stamp: stamp.unwrap_or_default(),
            content,
            checksum: input.map_or(0, |(levels, mask)| {
                checksum(bytemuck::cast_slice(levels)) ^ checksum(mask)
            }),
        }
    }
}

/// Size of all inputs in a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Pixels of an input.
    pub pixels: usize,
    /// Whether there is a mask beside it.
    pub with_mask: bool,
}

impl Shape {
    /// Bytes that an input takes in a pack.
    pub fn bytes(self) -> usize {
        let plain = 2 * self.pixels + if self.with_mask { self.pixels } else { 0 };
        plain.next_multiple_of(ALIGNMENT)
    }
}

/// A mapped pack.
#[derive(Debug)]
pub struct Pack {
    /// Where it lies; it may be gone.
    pub path: PathBuf,
    /// What is in it.
    pub entries: Vec<Entry>,
    /// Whether the entries have inputs.
    pub has_inputs: bool,
    shape: Shape,
    map: Mapped,
}

impl Pack {
    /// Writes a pack of inputs into a folder, or of names only if there are none; its own content names it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(folder: &Path, shape: Shape, entries: &[Entry], inputs: &[(&[u16], &[u8])]) -> io::Result<Self> {
        let has_inputs = !inputs.is_empty();
        let mut head = Vec::with_capacity(HEADER + ENTRY * entries.len() + ALIGNMENT);
        head.resize(HEADER, 0);
        for entry in entries {
            head.extend(entry.stamp);
            head.extend(entry.content);
            head.extend(entry.checksum.to_ne_bytes());
            head.extend([0; 8]);
        }
        let numbers = [
            shape.pixels,
            usize::from(shape.with_mask),
            entries.len(),
            usize::from(has_inputs),
        ];
        head[..8].copy_from_slice(&MAGIC);
        for (i, number) in numbers.into_iter().enumerate() {
            head[8 + 8 * i..16 + 8 * i].copy_from_slice(&(number as u64).to_ne_bytes());
        }
        let sum = checksum(&head);
        head[HEADER - 8..HEADER].copy_from_slice(&sum.to_ne_bytes());
        let path = folder.join(format!("{}.{EXTENSION}", &weights::sha256(&head)[..32]));
        head.resize(head.len().next_multiple_of(ALIGNMENT), 0);
        let mut file = atomic_file::create(&path)?;
        let mut out = io::BufWriter::with_capacity(1 << 20, file.as_file_mut());
        out.write_all(&head)?;
        for (levels, mask) in inputs {
            let levels: &[u8] = bytemuck::cast_slice(levels);
            out.write_all(levels)?;
            out.write_all(mask)?;
            out.write_all(&vec![0; shape.bytes() - levels.len() - mask.len()])?;
        }
        out.flush()?;
        drop(out);
        atomic_file::keep(file, &path)?;
        Self::open(&path, shape)?.ok_or_else(|| io::Error::other("the file is not what was written"))
    }

    /// Maps a pack; `None` if the file is no pack of this shape, cut short or damaged.
    ///
    /// # Errors
    /// If it cannot be read at all, such as one that was deleted a moment ago.
    pub fn open(path: &Path, shape: Shape) -> io::Result<Option<Self>> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        if bytes < HEADER as u64 {
            return Ok(None);
        }
        let map = Mapped::of(&file)?;
        let Some((entries, has_inputs)) = read_head(&map, shape) else {
            return Ok(None);
        };
        Ok(Some(Self {
            path: path.to_owned(),
            entries,
            has_inputs,
            shape,
            map,
        }))
    }

    fn range(&self, number: usize) -> Range<usize> {
        let begin = (HEADER + ENTRY * self.entries.len()).next_multiple_of(ALIGNMENT) + number * self.shape.bytes();
        begin..begin + 2 * self.shape.pixels
    }

    /// The greys and the mask of an entry; `None` if they are damaged.
    pub fn input(self: &Arc<Self>, number: usize) -> Option<(MappedLevels, Vec<u8>)> {
        let levels = self.range(number);
        let mask = if self.shape.with_mask {
            self.map[levels.end..levels.end + self.shape.pixels].to_vec()
        } else {
            Vec::new()
        };
        let sum = checksum(&self.map[levels.clone()]) ^ checksum(&mask);
        let sound = sum == self.entries[number].checksum;
        sound.then(|| {
            let levels = MappedLevels {
                pack: Arc::clone(self),
                range: levels,
            };
            (levels, mask)
        })
    }
}

/// The entries of a mapped file and whether it has inputs, if all of it is as it was written.
fn read_head(map: &[u8], shape: Shape) -> Option<(Vec<Entry>, bool)> {
    let number = |at: usize| {
        let bytes = map.get(at..at + 8)?.try_into().ok()?;
        usize::try_from(u64::from_ne_bytes(bytes)).ok()
    };
    if map.get(..8)? != MAGIC || number(8)? != shape.pixels || number(16)? != usize::from(shape.with_mask) {
        return None;
    }
    let (count, has_inputs) = (number(24)?, number(32)? == 1);
    let end = count.checked_mul(ENTRY)?.checked_add(HEADER)?;
    let mut head = map.get(..end)?.to_vec();
    head[HEADER - 8..HEADER].fill(0);
    let inputs = if has_inputs {
        count.checked_mul(shape.bytes())?
    } else {
        0
    };
    let whole = end.next_multiple_of(ALIGNMENT).checked_add(inputs)?;
    if checksum(&head) as usize != number(HEADER - 8)? || map.len() != whole {
        return None;
    }
    let key = |bytes: &[u8]| bytes.try_into().expect("32 bytes were cut");
    let entry = |bytes: &[u8]| Entry {
        stamp: key(&bytes[..32]),
        content: key(&bytes[32..64]),
        checksum: u64::from_ne_bytes(bytes[64..72].try_into().expect("8 bytes were cut")),
    };
    Some((head[HEADER..].chunks_exact(ENTRY).map(entry).collect(), has_inputs))
}

/// Sixty-four bits that change with any bit of the bytes, as fast as memory: four products side by side (the constants
/// are those of FNV-1a and of the golden ratio). It finds damage, not malice.
fn checksum(bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut lanes = [1_u64, 2, 3, 4].map(|lane| lane.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        for (lane, word) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
            *lane = (*lane ^ u64::from_ne_bytes(*word)).wrapping_mul(PRIME).rotate_left(29);
        }
    }
    for (i, &byte) in rest.iter().enumerate() {
        lanes[i % 4] = (lanes[i % 4] ^ u64::from(byte)).wrapping_mul(PRIME).rotate_left(29);
    }
    let sum = lanes.into_iter().fold(bytes.len() as u64, |sum, lane| {
        (sum ^ lane).wrapping_mul(PRIME).rotate_left(31)
    });
    sum ^ sum >> 32
}

/// Greys of an input in a mapped pack.
#[derive(Debug, Clone)]
pub struct MappedLevels {
    pack: Arc<Pack>,
    range: Range<usize>,
}

impl Deref for MappedLevels {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        bytemuck::cast_slice(&self.pack.map[self.range.clone()])
    }
}
