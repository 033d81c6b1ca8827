//! What a DICOM file says before its pixels, read piece by piece from the file: long values and sequences are passed
//! over, Pixel Data and what stands behind it are never touched. Knows no pixels.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use super::MEDIA_STORAGE_SOP_CLASS_UID;
use super::dataset::{DataSet, Encoding, Tag};
use super::elements::{ITEM, ITEM_END, MAX_DEPTH, Open, Reader, SEQUENCE_END, inner_encoding, name};
use super::metadata::{
    self, BODY_PART_EXAMINED, MODALITY, SERIES_DESCRIPTION, SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_DATE,
    STUDY_DESCRIPTION, VIEW_POSITION,
};
use super::part10::{self, Start};
use super::pixel_module::{COLUMNS, NUMBER_OF_FRAMES, ROWS};
use super::text::CharacterSets;
use crate::imaging::radiograph::Identity;

/// Media Storage Directory Storage: a DICOMDIR.
const DIRECTORY_CLASS: &str = "1.2.840.10008.1.3.10";
const STUDY_TIME: Tag = (0x0008, 0x0030);
const ACCESSION_NUMBER: Tag = (0x0008, 0x0050);
const STUDY_INSTANCE_UID: Tag = (0x0020, 0x000d);
const SERIES_INSTANCE_UID: Tag = (0x0020, 0x000e);
const SERIES_NUMBER: Tag = (0x0020, 0x0011);
const INSTANCE_NUMBER: Tag = (0x0020, 0x0013);

/// Elements stand in ascending order (PS3.5 7.1), and nothing that is wanted lies behind this group.
const LAST_GROUP: u16 = 0x0028;
/// Groups whose short elements are kept.
const WANTED_GROUPS: [u16; 5] = [0x0008, 0x0010, 0x0018, 0x0020, LAST_GROUP];
/// Longest value that is kept, in bytes; those that are wanted have a few dozen.
const MAX_VALUE: usize = 4096;
/// Most bytes of values that are kept in all: real files have a few thousand.
const MAX_KEPT: usize = 1 << 20;
/// Bytes read at a time: most headers of radiographs are shorter.
const BLOCK: usize = 8192;
/// Most bytes of file meta information that are looked through.
const MAX_META: usize = 1 << 20;
/// Most elements passed, those in sequences included.
const MAX_ELEMENTS: usize = 1_000_000;
/// Most bytes that are inflated on the way through a deflated header.
const MAX_INFLATED: u64 = 64 << 20;

/// What identifies one DICOM instance and says where it belongs. Texts are decoded and free of control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Transfer Syntax UID; guessed where the file names none.
    pub transfer_syntax: String,
    /// SOP Class UID.
    pub sop_class_uid: Option<String>,
    /// SOP Instance UID.
    pub sop_instance_uid: Option<String>,
    /// The patient.
    pub identity: Identity,
    /// The study.
    pub study: Study,
    /// The series.
    pub series: Series,
    /// Instance Number.
    pub instance_number: Option<i64>,
    /// View Position, such as PA.
    pub view_position: Option<String>,
    /// Rows and Columns in pixels; `None` for what has no pixels, such as a report.
    pub size: Option<(u32, u32)>,
    /// Number of Frames, at least 1.
    pub frames: u32,
}

/// Attributes of the study (PS3.3 C.7.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Study {
    /// Study Instance UID.
    pub uid: Option<String>,
    /// Study Date as it is stored, `YYYYMMDD`.
    pub date: Option<String>,
    /// Study Time as it is stored, `HHMMSS.FFFFFF` or the beginning of it.
    pub time: Option<String>,
    /// Study Description.
    pub description: Option<String>,
    /// Accession Number.
    pub accession_number: Option<String>,
}

/// Attributes of the series (PS3.3 C.7.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// Series Instance UID.
    pub uid: Option<String>,
    /// Series Number.
    pub number: Option<i64>,
    /// Modality.
    pub modality: Option<String>,
    /// Series Description.
    pub description: Option<String>,
    /// Body Part Examined.
    pub body_part: Option<String>,
}

/// What a DICOM file is.
pub(in crate::imaging) enum Kind {
    /// An instance of a series.
    Instance(Box<Header>),
    /// A DICOMDIR.
    Directory,
}

/// Reads the header of a DICOM file from its beginning.
///
/// What is broken behind the UIDs is left to whoever opens the picture: the file still has its place in its series.
///
/// # Errors
/// One sentence with the cause.
pub(in crate::imaging) fn read(mut file: File) -> Result<Kind, String> {
    let mut prefix = Vec::new();
    take(&mut file, BLOCK, &mut prefix)?;
    // Only meta information that is longer than a block is worth a second look.
    if Start::read(&prefix).is_err() && prefix.len() == BLOCK {
        take(&mut file, MAX_META - BLOCK, &mut prefix)?;
    }
    let start = Start::read(&prefix)?;
    if start.meta.text(MEDIA_STORAGE_SOP_CLASS_UID).as_deref() == Some(DIRECTORY_CLASS) {
        return Ok(Kind::Directory);
    }
    let named = start.transfer_syntax();
    let class = start.meta.text(MEDIA_STORAGE_SOP_CLASS_UID);
    let (body, deflated) = (start.body, start.is_deflated());
    let (found, transfer_syntax) = if deflated {
        file.seek(SeekFrom::Start(body as u64)).map_err(unreadable)?;
        let inflated = Inflated(part10::inflater(file)?.take(MAX_INFLATED));
        collect(Stream::new(inflated, Vec::new()), named)?
    } else {
        collect(Stream::new(file, prefix.split_off(body)), named)?
    };
    let Collected { bytes, encoding, fault } = found;
    let data = DataSet::read_file(&bytes, encoding)?;
    let header = header(&data, transfer_syntax, class);
    // Pictures without any UID are shown as well: their folder stands for their series.
    if header.sop_instance_uid.is_none() && header.series.uid.is_none() && header.size.is_none() {
        let cause = fault.unwrap_or_else(|| "it names no instance, no series and no picture".to_owned());
        return Err(format!("the DICOM file is broken: {cause}"));
    }
    Ok(Kind::Instance(Box::new(header)))
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn unreadable(error: io::Error) -> String {
    format!("cannot be read: {error}")
}

fn take(source: &mut impl Read, bytes: usize, to: &mut Vec<u8>) -> Result<usize, String> {
    source.by_ref().take(bytes as u64).read_to_end(to).map_err(unreadable)
}

/// The short elements of the wanted groups, as they stand in the file.
struct Collected {
    bytes: Vec<u8>,
    encoding: Encoding,
    /// Why it ends before its time.
    fault: Option<String>,
}

fn collect<R: Skip>(mut stream: Stream<R>, transfer_syntax: Option<String>) -> Result<(Collected, String), String> {
    // As much as tells the encoding; the walk asks for more itself.
    let first = stream.peek(12)?;
    if first.is_empty() {
        return Err("the file ends before its data set".to_owned());
    }
    let (transfer_syntax, encoding) = if let Some(named) = transfer_syntax {
        let encoding = part10::encoding_of(&named, first);
        (named, encoding)
    } else {
        let (guess, encoding) = part10::guessed(first)?;
        (guess.to_owned(), encoding)
    };
    let mut bytes = Vec::new();
    let fault = stream.walk(encoding, &mut bytes).err();
    let found = Collected { bytes, encoding, fault };
    Ok((found, transfer_syntax))
}

/// Something read from its beginning that can be passed over without being read.
trait Skip: Read {
    fn skip(&mut self, bytes: u64) -> io::Result<()>;
}

impl Skip for File {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        // Behind the end, nothing is read.
        self.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX))
    }
}

/// An inflated data set has to be made to be passed over.
struct Inflated<R>(R);

impl<R: Read> Read for Inflated<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        // Without its end, it is good up to there.
        Ok(self.0.read(bytes).unwrap_or(0))
    }
}

impl<R: Read> Skip for Inflated<R> {
    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        io::copy(&mut self.by_ref().take(bytes), &mut io::sink()).map(drop)
    }
}

/// A data set as it is read: a window of bytes that moves forward.
struct Stream<R> {
    source: R,
    window: Vec<u8>,
    /// Where in the window the next element begins.
    at: usize,
    ended: bool,
    elements: usize,
}

impl<R: Skip> Stream<R> {
    /// `window` was read already.
    fn new(source: R, window: Vec<u8>) -> Self {
        Self {
            source,
            window,
            at: 0,
            ended: false,
            elements: 0,
        }
    }

    /// At least so many of the next bytes; fewer only at the end.
    fn peek(&mut self, wanted: usize) -> Result<&[u8], String> {
        if self.window.len() - self.at < wanted && !self.ended {
            self.window.drain(..self.at);
            self.at = 0;
            let missing = wanted.max(BLOCK) - self.window.len();
            self.ended = take(&mut self.source, missing, &mut self.window)? < missing;
        }
        Ok(&self.window[self.at..])
    }

    fn pass(&mut self, bytes: usize) -> Result<(), String> {
        let here = self.window.len() - self.at;
        if bytes <= here {
            self.at += bytes;
            return Ok(());
        }
        (self.at, self.window) = (0, Vec::new());
        self.source.skip((bytes - here) as u64).map_err(unreadable)
    }

    /// The next element's header and the length of that.
    fn header(&mut self, encoding: Encoding) -> Result<(super::elements::Header, usize), String> {
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err("it has more data elements than any real file".to_owned());
        }
        let mut reader = Reader {
            data: self.peek(12)?,
            at: 0,
        };
        let header = reader.header(encoding)?;
        Ok((header, reader.at))
    }

    /// Copies the short wanted elements up to the end of the last wanted group.
    fn walk(&mut self, encoding: Encoding, kept: &mut Vec<u8>) -> Result<(), String> {
        while !self.peek(12)?.is_empty() {
            let (header, before) = self.header(encoding)?;
            if header.tag.0 > LAST_GROUP {
                return Ok(());
            }
            let Some(length) = header.length else {
                self.pass(before)?;
                self.pass_delimited(inner_encoding(&header, encoding))?;
                continue;
            };
            let whole = before.saturating_add(length);
            let wanted = WANTED_GROUPS.contains(&header.tag.0) && length <= MAX_VALUE && header.vr != Some(*b"SQ");
            if wanted {
                if kept.len() + whole > MAX_KEPT {
                    return Err("its header is longer than any real file's".to_owned());
                }
                let there = self.peek(whole)?;
                let cut = || format!("the file ends in the middle of {}", name(header.tag));
                kept.extend_from_slice(there.get(..whole).ok_or_else(cut)?);
            }
            self.pass(whole)?;
        }
        Ok(())
    }

    /// Passes the items of a sequence of undefined length and its delimiter.
    fn pass_delimited(&mut self, encoding: Encoding) -> Result<(), String> {
        let mut stack = vec![(Open::Sequence, encoding)];
        while let Some(&(open, encoding)) = stack.last() {
            let (header, before) = self.header(encoding)?;
            self.pass(before)?;
            match (open, header.tag, header.length) {
                (Open::Sequence, SEQUENCE_END, _) | (Open::Item, ITEM_END, _) => drop(stack.pop()),
                (Open::Sequence, ITEM, Some(length)) | (Open::Item, _, Some(length)) => self.pass(length)?,
                (Open::Sequence, ITEM, None) => stack.push((Open::Item, encoding)),
                (Open::Item, _, None) => stack.push((Open::Sequence, inner_encoding(&header, encoding))),
                (Open::Sequence, tag, _) => return Err(format!("{} stands between sequence items", name(tag))),
            }
            if stack.len() > 2 * MAX_DEPTH {
                return Err("its sequences are nested deeper than any real file's".to_owned());
            }
        }
        Ok(())
    }
}

fn header(data: &DataSet, transfer_syntax: String, media_class: Option<String>) -> Header {
    let sets = CharacterSets::of(data);
    let number = |tag| data.text(tag)?.trim().parse().ok();
    Header {
        transfer_syntax,
        sop_class_uid: data.text(SOP_CLASS_UID).or(media_class),
        sop_instance_uid: data.text(SOP_INSTANCE_UID),
        identity: metadata::identity(data, &sets),
        study: Study {
            uid: data.text(STUDY_INSTANCE_UID),
            date: data.text(STUDY_DATE),
            time: data.text(STUDY_TIME),
            description: sets.text(data, STUDY_DESCRIPTION),
            accession_number: sets.text(data, ACCESSION_NUMBER),
        },
        series: Series {
            uid: data.text(SERIES_INSTANCE_UID),
            number: number(SERIES_NUMBER),
            modality: data.text(MODALITY),
            description: sets.text(data, SERIES_DESCRIPTION),
            body_part: data.text(BODY_PART_EXAMINED),
        },
        instance_number: number(INSTANCE_NUMBER),
        view_position: data.text(VIEW_POSITION),
        size: data.unsigned(ROWS).zip(data.unsigned(COLUMNS)),
        frames: data.count(NUMBER_OF_FRAMES).unwrap_or(1).max(1),
    }
}
