//! DICOM files made here: the smallest object that is shown, and ways to change it.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, value::DataSetSequence};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use recovnet::imaging::{self, Radiograph};
use tempfile::TempDir;

/// Columns of the fixture.
pub const COLUMNS: u16 = 4;
/// Rows of the fixture.
pub const ROWS: u16 = 3;
/// Its samples, 12 bits of 16.
pub const SAMPLES: [u16; 12] = [0, 100, 200, 300, 400, 500, 1000, 2000, 3000, 4000, 4094, 4095];
/// Explicit VR Little Endian.
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// A DICOM object under construction.
#[derive(Clone)]
pub struct Dicom {
    object: InMemDicomObject,
    transfer_syntax: &'static str,
}

impl Dicom {
    /// A 4 x 3 DX image of a chest, 12 bits, MONOCHROME2, without a window.
    pub fn new() -> Self {
        let empty = Self {
            object: InMemDicomObject::new_empty(),
            transfer_syntax: EXPLICIT,
        };
        empty
            .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.1.1")
            .text(tags::SOP_INSTANCE_UID, VR::UI, "2.25.1")
            .text(tags::MODALITY, VR::CS, "DX")
            .text(tags::PATIENT_NAME, VR::PN, "DOE^JANE^Q")
            .text(tags::BODY_PART_EXAMINED, VR::CS, "CHEST")
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .number(tags::SAMPLES_PER_PIXEL, 1)
            .number(tags::ROWS, ROWS)
            .number(tags::COLUMNS, COLUMNS)
            .number(tags::BITS_ALLOCATED, 16)
            .number(tags::BITS_STORED, 12)
            .number(tags::HIGH_BIT, 11)
            .number(tags::PIXEL_REPRESENTATION, 0)
            .words(tags::PIXEL_DATA, &SAMPLES)
    }

    pub fn text(self, tag: Tag, vr: VR, text: &str) -> Self {
        self.with(tag, vr, PrimitiveValue::from(text))
    }

    pub fn number(self, tag: Tag, number: u16) -> Self {
        self.with(tag, VR::US, PrimitiveValue::from(number))
    }

    pub fn words(self, tag: Tag, words: &[u16]) -> Self {
        self.with(tag, VR::OW, PrimitiveValue::U16(words.iter().copied().collect()))
    }

    pub fn with(mut self, tag: Tag, vr: VR, value: PrimitiveValue) -> Self {
        self.object.put(DataElement::new(tag, vr, value));
        self
    }

    pub fn without(mut self, tag: Tag) -> Self {
        self.object.remove_element(tag);
        self
    }

    /// A sequence of one item, made of what `fill` puts into it.
    pub fn sequence(mut self, tag: Tag, fill: impl FnOnce(Self) -> Self) -> Self {
        let empty = Self {
            object: InMemDicomObject::new_empty(),
            transfer_syntax: EXPLICIT,
        };
        let item = fill(empty).object;
        self.object
            .put(DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![item])));
        self
    }

    pub fn transfer_syntax(mut self, uid: &'static str) -> Self {
        self.transfer_syntax = uid;
        self
    }

    /// The file's bytes.
    pub fn bytes(self) -> Vec<u8> {
        let transfer_syntax = self.transfer_syntax;
        let mut bytes = self.written_in(EXPLICIT);
        if transfer_syntax != EXPLICIT {
            replace_transfer_syntax(&mut bytes, transfer_syntax);
        }
        bytes
    }

    /// The file's bytes, its data set written as this transfer syntax says.
    pub fn written_in(self, transfer_syntax: &str) -> Vec<u8> {
        let meta = FileMetaTableBuilder::new().transfer_syntax(transfer_syntax);
        let file = self.object.with_meta(meta).expect("the meta information is complete");
        let mut bytes = Vec::new();
        file.write_all(&mut bytes).expect("written to memory");
        bytes
    }

    /// The file's bytes with one frame of compressed pixels, in these fragments.
    pub fn encapsulated(self, transfer_syntax: &'static str, fragments: &[&[u8]]) -> Vec<u8> {
        let mut bytes = self.without(tags::PIXEL_DATA).transfer_syntax(transfer_syntax).bytes();
        // An empty offset table stands first, a delimiter last.
        bytes.extend(b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\0\0\0\0");
        for fragment in fragments {
            bytes.extend(b"\xfe\xff\0\xe0");
            bytes.extend((fragment.len() as u32).to_le_bytes());
            bytes.extend(*fragment);
        }
        bytes.extend(b"\xfe\xff\xdd\xe0\0\0\0\0");
        bytes
    }

    /// Reads the file back.
    pub fn open(self) -> Result<Radiograph, imaging::Error> {
        open_bytes(&self.bytes())
    }

    /// The sentence with which the file is refused.
    pub fn refusal(self) -> String {
        self.open().expect_err("this must not be shown").to_string()
    }
}

/// Names another transfer syntax in the meta information, whose end nobody has to know from its length.
fn replace_transfer_syntax(bytes: &mut Vec<u8>, uid: &str) {
    let mut value = uid.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(0);
    }
    let at = bytes
        .windows(6)
        .position(|six| six == b"\x02\0\x10\0UI")
        .expect("there is a transfer syntax");
    let old = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
    let mut element = (value.len() as u16).to_le_bytes().to_vec();
    element.extend(value);
    bytes.splice(at + 6..at + 8 + old, element);
}

/// Writes bytes to a file of their own and opens it.
pub fn open_bytes(bytes: &[u8]) -> Result<Radiograph, imaging::Error> {
    open_frame_of(bytes, 1)
}

/// The same for one frame, counted from 1.
pub fn open_frame_of(bytes: &[u8], frame: u32) -> Result<Radiograph, imaging::Error> {
    let folder = TempDir::new().expect("a temporary folder");
    let path = folder.path().join("fixture");
    std::fs::write(&path, bytes).expect("the folder is writable");
    imaging::open_frame(&path, frame)
}

/// The stored values of a grey picture.
pub fn stored(radiograph: &Radiograph) -> Vec<i32> {
    let grey = radiograph.grey().expect("a grey picture");
    (0..radiograph.pixel_count()).map(|index| grey.get(index)).collect()
}
