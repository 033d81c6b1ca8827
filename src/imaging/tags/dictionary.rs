//! What the standard says of a tag (PS3.6): keyword, name, value representation; and of a UID.

use std::borrow::Cow;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, UidDictionary, UidDictionaryEntry, VirtualVr};
use dicom_dictionary_std::{StandardDataDictionary, StandardSopClassDictionary};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::Tag;

/// Abbreviations that stand together in keywords, longest first, such as `SOPClassUID` and `VOILUTSequence`.
const ABBREVIATIONS: [&str; 30] = [
    "DICOM", "DICOS", "ICCP", "HTTP", "HPGL", "UDI", "UID", "URI", "URL", "LUT", "VOI", "SOP", "ROI", "MAC", "RGB",
    "ECG", "DVH", "PET", "CAD", "DRR", "IVUS", "IOD", "CT", "MR", "ID", "TR", "TE", "VR", "RT", "US",
];

/// What the standard says of a tag.
pub(super) struct Entry {
    /// Its keyword, if it is a standard attribute.
    pub keyword: Option<&'static str>,
    /// Its name.
    pub name: Cow<'static, str>,
    /// Its value representation, as far as the standard settles it; `signed` decides between US and SS.
    pub vr: Option<[u8; 2]>,
}

/// Looks a tag up; `signed` is Pixel Representation 1.
pub(super) fn entry(tag: Tag, signed: bool) -> Entry {
    let plain = |name: &'static str, vr: &[u8; 2]| Entry {
        keyword: None,
        name: Cow::Borrowed(name),
        vr: Some(*vr),
    };
    match tag {
        Tag(_, 0) if tag.0 > 2 => return plain("Group Length", b"UL"),
        Tag(_, 0x0010..=0x00ff) if tag.is_private() => return plain("Private Creator", b"LO"),
        _ if tag.is_private() => {
            return Entry {
                keyword: None,
                name: Cow::Borrowed("Private element"),
                vr: None,
            };
        }
        _ => {}
    }
    let Some(found) = StandardDataDictionary.by_tag(dicom_core::Tag(tag.0, tag.1)) else {
        return Entry {
            keyword: None,
            name: Cow::Borrowed("Unknown element"),
            vr: None,
        };
    };
    let vr = match found.vr() {
        VirtualVr::Exact(vr) => vr.to_bytes(),
        VirtualVr::Xs if signed => *b"SS",
        VirtualVr::Xs => *b"US",
        _ => *b"OW",
    };
    Entry {
        keyword: Some(found.alias),
        name: Cow::Owned(words(found.alias)),
        vr: Some(vr),
    }
}

/// The name of a SOP class or transfer syntax.
pub(super) fn uid(uid: &str) -> Option<String> {
    if let Some(class) = StandardSopClassDictionary.by_uid(uid) {
        return Some(class.name().to_owned());
    }
    Some(TransferSyntaxRegistry.get(uid)?.name().to_owned())
}

/// A keyword as words: `ViewPosition` is `View Position`, `VOILUTSequence` is `VOI LUT Sequence`. The names of the
/// standard differ in little more than an apostrophe.
fn words(keyword: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut rest = keyword;
    while !rest.is_empty() {
        let (word, after) = rest.split_at(first_word(rest));
        words.push(word);
        rest = after;
    }
    words.join(" ").replace("X Ray", "X-Ray")
}

/// Length in bytes of the first word of a keyword, which is ASCII and not empty.
fn first_word(keyword: &str) -> usize {
    let letters = keyword.as_bytes();
    let is_small = |at: usize| letters.get(at).is_some_and(u8::is_ascii_lowercase);
    for short in ABBREVIATIONS {
        let length = short.len();
        // `ID` in `OtherPatientIDs`, but not `CT` in a word that begins so.
        let plural = usize::from(letters.get(length) == Some(&b's') && !is_small(length + 1));
        if keyword.starts_with(short) && !is_small(length + plural) {
            return length + plural;
        }
    }
    let capitals = letters.iter().take_while(|letter| letter.is_ascii_uppercase()).count();
    if capitals > 1 {
        // The last of unknown capitals begins the next word, if small letters follow.
        return capitals - usize::from(is_small(capitals));
    }
    let next = letters.iter().skip(1).position(u8::is_ascii_uppercase);
    next.map_or(letters.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_read_as_words() {
        for (keyword, name) in [
            ("PatientName", "Patient Name"),
            ("SOPClassUID", "SOP Class UID"),
            ("VOILUTSequence", "VOI LUT Sequence"),
            ("ModalityLUTSequence", "Modality LUT Sequence"),
            ("PatientID", "Patient ID"),
            ("KVP", "KVP"),
            ("SOPInstanceUID", "SOP Instance UID"),
            ("OtherPatientIDs", "Other Patient IDs"),
            ("XRayTubeCurrent", "X-Ray Tube Current"),
            ("PresentationLUTShape", "Presentation LUT Shape"),
        ] {
            assert_eq!(words(keyword), name);
        }
    }

    #[test]
    fn tags_have_keyword_and_representation() {
        let name = entry(Tag(0x0010, 0x0010), false);
        assert_eq!((name.keyword, name.vr), (Some("PatientName"), Some(*b"PN")));
        let padding = |signed| entry(Tag(0x0028, 0x0120), signed).vr;
        assert_eq!((padding(false), padding(true)), (Some(*b"US"), Some(*b"SS")));
        assert_eq!(entry(Tag(0x6002, 0x3000), false).keyword, Some("OverlayData"));
        assert_eq!(entry(Tag(0x0009, 0x0010), false).name, "Private Creator");
        assert_eq!(entry(Tag(0x0009, 0x1010), false).vr, None);
        assert_eq!(entry(Tag(0x0010, 0x9999), false).keyword, None);
        assert_eq!(uid("1.2.840.10008.1.2.1").as_deref(), Some("Explicit VR Little Endian"));
        assert!(uid("1.2.840.10008.5.1.4.1.1.1.1").is_some_and(|name| name.contains("Digital X-Ray")));
    }
}
