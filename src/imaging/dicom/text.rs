//! Text in the character sets of PS3.5 chapter 6, and names of persons as people write them.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

use super::dataset::{DataSet, Tag};

const SPECIFIC_CHARACTER_SET: Tag = (0x0008, 0x0005);
const ESCAPE: u8 = 0x1b;

/// The character sets that a data set declares.
pub(super) struct CharacterSets(Vec<String>);

impl CharacterSets {
    /// Reads Specific Character Set (0008,0005).
    pub(super) fn of(data: &DataSet) -> Self {
        let declared = data.text(SPECIFIC_CHARACTER_SET).unwrap_or_default();
        Self(declared.split('\\').map(|code| code.trim().to_owned()).collect())
    }

    /// A text attribute, decoded; `None` if missing or empty.
    pub(super) fn text(&self, data: &DataSet, tag: Tag) -> Option<String> {
        let text = self.decode(data.raw_text(tag)?);
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.replace(char::is_control, " "))
    }

    /// A person's name: `Family, Given Middle`, with its other spellings in brackets.
    pub(super) fn person(&self, data: &DataSet, tag: Tag) -> Option<String> {
        let groups: Vec<String> = self
            .text(data, tag)?
            .split('=')
            .map(written_name)
            .filter(|name| !name.is_empty())
            .collect();
        let (first, others) = groups.split_first()?;
        Some(if others.is_empty() {
            first.clone()
        } else {
            format!("{first} ({})", others.join("; "))
        })
    }

    fn decode(&self, bytes: &[u8]) -> String {
        let known = |code: &String| SpecificCharacterSet::from_code(code);
        if bytes.contains(&ESCAPE) {
            // Code extensions (PS3.5 6.1.2.5): the Japanese codec knows the escape sequences itself, the
            // Korean and Chinese ones only announce a set whose characters cannot be mistaken.
            let multi_byte = self.0.iter().rev().find(|code| !code.is_empty()).and_then(known);
            let japanese = self.0.iter().any(|code| code.ends_with("87") || code.ends_with("159"));
            let plain = if japanese {
                bytes.to_vec()
            } else {
                without_escapes(bytes)
            };
            let set = if japanese {
                SpecificCharacterSet::from_code("ISO_IR 87")
            } else {
                multi_byte
            };
            return set
                .and_then(|set| set.decode(&plain).ok())
                .unwrap_or_else(|| lenient(&plain));
        }
        match self.0.first().filter(|code| !code.is_empty()).and_then(known) {
            Some(set) if set != SpecificCharacterSet::ISO_IR_6 => set.decode(bytes).unwrap_or_else(|_| lenient(bytes)),
            _ => lenient(bytes),
        }
    }
}

/// Text of no known set: UTF-8 if it is that, else Latin-1.
fn lenient(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(|&byte| char::from(byte)).collect(), str::to_owned)
}

/// Drops escape sequences: ESC, intermediate bytes, one final byte.
fn without_escapes(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(&byte) = rest.next() {
        if byte == ESCAPE {
            rest.find(|byte| !(0x20..0x30).contains(*byte));
        } else {
            plain.push(byte);
        }
    }
    plain
}

/// `Family^Given^Middle^Prefix^Suffix` to `Family, Prefix Given Middle Suffix`.
fn written_name(group: &str) -> String {
    let parts: Vec<&str> = group.split('^').map(str::trim).collect();
    let part = |index: usize| parts.get(index).copied().filter(|part| !part.is_empty());
    let given: Vec<&str> = [3, 1, 2, 4].into_iter().filter_map(part).collect();
    let family: Vec<&str> = part(0).into_iter().collect();
    [family.join(" "), given.join(" ")]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect::<Vec<_>>()
        .join(", ")
}
