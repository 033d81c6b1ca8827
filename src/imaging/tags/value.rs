//! Bytes of a value to what is shown of them. Long values are cut, their length is not.

use super::super::dicom::character_set::{Declared, Decoded};
use super::super::dicom::elements::Encoding;
use super::{Form, Tag, Value, dictionary};

/// Most bytes of a text that are shown.
const MAX_TEXT: usize = 64 << 10;
/// Most bytes of a text that are shown once [`Room`] is used up.
const LITTLE_TEXT: usize = 64;
/// Most numbers of an element that are shown.
const MAX_NUMBERS: usize = 256;
/// Bytes that are shown of those that are no text.
const FIRST_BYTES: usize = 32;

/// How many bytes of text a tree may still take in all: a file of long texts is not copied whole.
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(64 << 20)
    }
}

/// What is shown of a value in this VR.
pub(super) fn shown(bytes: &[u8], vr: [u8; 2], encoding: Encoding, declared: &Declared, room: &mut Room) -> Value {
    if bytes.is_empty() {
        return Value::default();
    }
    let mut value = match &vr {
        b"AE" | b"AS" | b"CS" | b"DA" | b"DS" | b"DT" | b"IS" | b"LO" | b"LT" | b"PN" | b"SH" | b"ST" | b"TM"
        | b"UC" | b"UI" | b"UR" | b"UT" => text(bytes, vr, declared, room),
        b"US" => numbers(bytes, |two| encoding.u16(two).to_string()),
        b"SS" => numbers(bytes, |two| encoding.u16(two).cast_signed().to_string()),
        b"UL" => numbers(bytes, |four| encoding.u32(four).to_string()),
        b"SL" => numbers(bytes, |four| encoding.u32(four).cast_signed().to_string()),
        b"UV" => numbers(bytes, |eight| encoding.u64(eight).to_string()),
        b"SV" => numbers(bytes, |eight| encoding.u64(eight).cast_signed().to_string()),
        b"FL" => numbers(bytes, |four| f32::from_bits(encoding.u32(four)).to_string()),
        b"FD" => numbers(bytes, |eight| f64::from_bits(encoding.u64(eight)).to_string()),
        b"AT" => tags(bytes, encoding),
        _ => raw(bytes),
    };
    if value.is_cut {
        value.hash = Some(*blake3::hash(bytes).as_bytes());
    }
    value
}

fn text(bytes: &[u8], vr: [u8; 2], declared: &Declared, room: &mut Room) -> Value {
    let end = bytes
        .iter()
        .rposition(|byte| !b" \0".contains(byte))
        .map_or(0, |last| last + 1);
    let trimmed = &bytes[..end];
    let most = if room.0 >= trimmed.len().min(MAX_TEXT) {
        MAX_TEXT
    } else {
        LITTLE_TEXT
    };
    let kept = &trimmed[..trimmed.len().min(most)];
    room.0 = room.0.saturating_sub(kept.len());
    let Decoded { text, reading } = if vr == *b"PN" {
        declared.decode_name(kept)
    } else {
        declared.decode(kept)
    };
    // Leading spaces mean something in running text only (PS3.5 6.2).
    let text = if matches!(&vr, b"LT" | b"ST" | b"UT") {
        text.as_str()
    } else {
        text.trim_start()
    };
    let text = text.replace(|c: char| c.is_control() && !"\r\n\t".contains(c), "\u{fffd}");
    Value {
        meaning: if vr == *b"UI" { dictionary::uid(&text) } else { None },
        form: if text.is_empty() { Form::Empty } else { Form::Text },
        text,
        is_cut: kept.len() < trimmed.len(),
        reading,
        hash: None,
    }
}

fn numbers<const N: usize>(bytes: &[u8], word: impl Fn([u8; N]) -> String) -> Value {
    let (all, rest) = bytes.as_chunks::<N>();
    if all.is_empty() || !rest.is_empty() {
        return raw(bytes);
    }
    let words: Vec<String> = all.iter().take(MAX_NUMBERS).map(|&number| word(number)).collect();
    Value {
        text: words.join("\\"),
        form: Form::Numbers,
        is_cut: all.len() > MAX_NUMBERS,
        ..Value::default()
    }
}

fn tags(bytes: &[u8], encoding: Encoding) -> Value {
    let mut value = numbers(bytes, |[a, b, c, d]: [u8; 4]| {
        Tag(encoding.u16([a, b]), encoding.u16([c, d])).to_string()
    });
    if value.form == Form::Numbers {
        value.form = Form::Tags;
    }
    value
}

/// Bytes of no known meaning: text if all of them are letters, else the first ones in hexadecimal digits.
fn raw(bytes: &[u8]) -> Value {
    let end = bytes
        .iter()
        .rposition(|byte| !b" \0".contains(byte))
        .map_or(0, |last| last + 1);
    let (letters, padding) = bytes.split_at(end);
    let is_text = !letters.is_empty()
        && padding.len() < 2
        && letters.len() <= 1024
        && letters
            .iter()
            .all(|byte| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t'));
    if is_text && letters.len() > 1 {
        return Value {
            text: letters.iter().map(|&byte| char::from(byte)).collect(),
            form: Form::Text,
            ..Value::default()
        };
    }
    bytes_of(bytes)
}

/// The first bytes in hexadecimal digits.
pub(super) fn bytes_of(bytes: &[u8]) -> Value {
    let first: Vec<String> = bytes
        .iter()
        .take(FIRST_BYTES)
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let is_cut = bytes.len() > FIRST_BYTES;
    Value {
        text: first.join(" "),
        form: Form::Bytes,
        is_cut,
        hash: is_cut.then(|| *blake3::hash(bytes).as_bytes()),
        ..Value::default()
    }
}
