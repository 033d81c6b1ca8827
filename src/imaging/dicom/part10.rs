//! The DICOM file format (PS3.10): preamble, file meta information, and how the data set after them is
//! written. Also opens data sets that were saved without any of these.

use std::borrow::Cow;
use std::io::Read;

use dicom_encoding::transfer_syntax::{Codec, TransferSyntax, TransferSyntaxIndex};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::dataset::{DataSet, Encoding};

const TRANSFER_SYNTAX_UID: (u16, u16) = (0x0002, 0x0010);
/// Deflated Explicit VR Little Endian.
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Explicit VR Big Endian.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
/// Most bytes that a deflated data set may have when it is inflated.
const MAX_INFLATED: u64 = 512 << 20;

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

impl<'a> Part10<'a> {
    /// Splits a file into meta information and data set.
    ///
    /// # Errors
    /// If the meta information is broken, or the data set inflates beyond all bounds.
    pub(super) fn read(file: &'a [u8]) -> Result<Self, String> {
        let start = [128, 0]
            .into_iter()
            .find(|&at| file[at.min(file.len())..].starts_with(b"DICM"));
        let (meta, length) = DataSet::read_meta(&file[start.map_or(0, |mark| mark + 4)..])?;
        let body = &file[start.map_or(0, |mark| mark + 4) + length..];
        if body.is_empty() {
            return Err("the file ends before its data set".to_owned());
        }
        let Some(transfer_syntax) = meta.text(TRANSFER_SYNTAX_UID) else {
            return Self::guess(body);
        };
        let bytes = if transfer_syntax == DEFLATED {
            Cow::Owned(inflate(body)?)
        } else {
            Cow::Borrowed(body)
        };
        let big_endian = transfer_syntax == BIG_ENDIAN;
        // Some writers name one encoding and use the other: what stands in the first element counts.
        let explicit = bytes.get(4..6).is_some_and(|vr| vr.iter().all(u8::is_ascii_uppercase));
        let encoding = Encoding { explicit, big_endian };
        Ok(Self {
            transfer_syntax,
            bytes,
            encoding,
            guessed: false,
        })
    }

    fn guess(body: &'a [u8]) -> Result<Self, String> {
        if !looks_like_dataset(body) {
            return Err("it names no transfer syntax, and its data set is not recognised".to_owned());
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
        Ok(Self {
            transfer_syntax: transfer_syntax.to_owned(),
            bytes: Cow::Borrowed(body),
            encoding,
            guessed: true,
        })
    }
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, String> {
    let syntax = TransferSyntaxRegistry.get(DEFLATED);
    let Some(Codec::Dataset(Some(adapter))) = syntax.map(TransferSyntax::codec) else {
        return Err("this build cannot inflate deflated data sets".to_owned());
    };
    let mut bytes = Vec::new();
    let inflated = adapter
        .adapt_reader(Box::new(body))
        .take(MAX_INFLATED + 1)
        .read_to_end(&mut bytes);
    if bytes.len() as u64 > MAX_INFLATED {
        return Err("its deflated data set grows beyond 512 MiB".to_owned());
    }
    // A missing end does not spoil what came before it; what is missing is noticed where it is read.
    match inflated {
        Ok(_) => Ok(bytes),
        Err(_) if bytes.len() > 1024 => Ok(bytes),
        Err(error) => Err(format!("its deflated data set cannot be inflated: {error}")),
    }
}
