//! The DICOM file format (PS3.10): preamble, file meta information, and how the data set after them is
//! written. Also opens data sets that were saved without any of these.

use std::borrow::Cow;
use std::io::Read;

use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::dataset::{DataSet, Encoding};
use super::inflate;

const TRANSFER_SYNTAX_UID: (u16, u16) = (0x0002, 0x0010);
/// Deflated Explicit VR Little Endian.
pub(super) const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Most bytes that a deflated data set may have when it is inflated.
pub(super) const MAX_INFLATED: u64 = 512 << 20;

/// A data set with what the file says about its encoding.
pub(super) struct Part10<'a> {
    /// Transfer Syntax UID; guessed where the file has no meta information.
    pub transfer_syntax: String,
    /// The bytes of the data set, inflated where they were deflated.
    pub bytes: Cow<'a, [u8]>,
    /// How they are written.
    pub encoding: Encoding,
    /// The transfer syntax was guessed.
    pub guessed: bool,
}

/// Whether bytes without the `DICM` mark look like a DICOM data set: they begin with file meta information,
/// or with a plausible element of group 0008.
pub(in crate::imaging) fn looks_like_dataset(head: &[u8]) -> bool {
    let Some(&[g0, g1, e0, e1, v0, v1, l0, l1]) = head.first_chunk::<8>() else {
        return false;
    };
    let explicit = [v0, v1].iter().all(u8::is_ascii_uppercase);
    let implicit = v0 < 0x80 && v1 == 0 && [l0, l1] == [0, 0];
    match [g0, g1] {
        [2, 0] => explicit && e1 == 0,
        [8, 0] => e1 <= 1 && (explicit || implicit),
        [0, 8] => e0 <= 1 && explicit,
        _ => false,
    }
}

/// File meta information (PS3.10 7.1), and where it ends.
pub(super) struct Start<'a> {
    /// Group 0002; empty where a data set was saved without it.
    pub meta: DataSet<'a>,
    /// Offset of the data set in bytes.
    pub body: usize,
}

impl<'a> Start<'a> {
    /// Reads what stands before the data set; `file` may end anywhere behind it.
    ///
    /// # Errors
    /// If the meta information is broken.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        let mark = [128, 0]
            .into_iter()
            .find(|&at| file[at.min(file.len())..].starts_with(b"DICM"));
        let start = mark.map_or(0, |mark| mark + 4);
        let (meta, length) = DataSet::read_meta(&file[start..])?;
        Ok(Self {
            meta,
            body: start + length,
        })
    }

    /// Whether the data set is deflated.
    pub(super) fn is_deflated(&self) -> bool {
        self.transfer_syntax().as_deref() == Some(DEFLATED)
    }

    /// Transfer Syntax UID, if the file names one.
    pub(super) fn transfer_syntax(&self) -> Option<String> {
        self.meta.text(TRANSFER_SYNTAX_UID)
    }
}

/// How a data set of a transfer syntax is written: some writers name one encoding and use the other, so what stands in
/// its first element counts.
pub(super) fn encoding_of(transfer_syntax: &str, body: &[u8]) -> Encoding {
    Encoding {
        explicit: body.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase)),
        big_endian: transfer_syntax == BIG_ENDIAN,
    }
}

/// Reads what a deflated data set holds.
///
/// # Errors
/// If this build cannot.
pub(super) fn inflater<'a>(body: impl Read + 'a) -> Result<Box<dyn Read + 'a>, String> {
    let syntax = TransferSyntaxRegistry.get(DEFLATED);
    let Some(Codec::Dataset(Some(adapter))) = syntax.map(TransferSyntax::codec) else {
        return Err("this build cannot inflate deflated data sets".to_owned());
    };
    Ok(adapter.adapt_reader(Box::new(body)))
}

impl<'a> Part10<'a> {
    /// Splits a file into meta information and data set.
    ///
    /// # Errors
    /// If the meta information is broken, or the data set inflates beyond all bounds.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        Self::split(file, inflate::whole)
    }

    /// The same, where only the picture is wanted: nothing behind it is inflated.
    ///
    /// # Errors
    /// As [`Part10::read`].
    pub(super) fn read_for_picture(file: &'a [u8]) -> Result<Self, String> {
        Self::split(file, inflate::up_to_the_picture)
    }

    fn split(file: &'a [u8], inflate: impl Fn(&[u8]) -> Result<Vec<u8>, String>) -> Result<Self, String> {
        let Start { meta, body } = Start::read(file)?;
        let body = &file[body..];
        if body.is_empty() {
            return Err(format!("the file ends at byte {}, before its data set", file.len()));
        }
        let Some(transfer_syntax) = meta.text(TRANSFER_SYNTAX_UID) else {
            return Self::guess(body);
        };
        let bytes = if transfer_syntax == DEFLATED {
            Cow::Owned(inflate(body)?)
        } else {
            Cow::Borrowed(body)
        };
        let encoding = encoding_of(&transfer_syntax, &bytes);
        Ok(Self {
            transfer_syntax,
            bytes,
            encoding,
            guessed: false,
        })
    }

    fn guess(body: &'a [u8]) -> Result<Self, String> {
        let (transfer_syntax, encoding) = guessed(body)?;
        Ok(Self {
            transfer_syntax: transfer_syntax.to_owned(),
            bytes: Cow::Borrowed(body),
            encoding,
            guessed: true,
        })
    }
}

/// Transfer syntax and encoding of a data set that names none, by its first element.
///
/// # Errors
/// If they are no data set's first bytes.
pub(super) fn guessed(body: &[u8]) -> Result<(&'static str, Encoding), String> {
    if !looks_like_dataset(body) {
        return Err("it names no Transfer Syntax UID (0002,0010), and its data set is not recognised".to_owned());
    }
    let encoding = Encoding {
        explicit: body[4..6].iter().all(u8::is_ascii_uppercase),
        big_endian: body[0] == 0,
    };
    let transfer_syntax = match encoding {
        Encoding { big_endian: true, .. } => BIG_ENDIAN,
        Encoding { explicit: true, .. } => "1.2.840.10008.1.2.1",
        _ => "1.2.840.10008.1.2",
    };
    Ok((transfer_syntax, encoding))
}
