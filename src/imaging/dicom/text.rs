//! Text in the character sets of PS3.5 chapter 6, and names of persons as people write them.

use super::character_set::Declared;
use super::dataset::{DataSet, Tag};

const SPECIFIC_CHARACTER_SET: Tag = (0x0008, 0x0005);

/// The character sets that a data set declares.
pub(super) struct CharacterSets(Declared);

impl CharacterSets {
    /// Reads Specific Character Set (0008,0005).
    pub(super) fn of(data: &DataSet) -> Self {
        Self(Declared::new(&data.text(SPECIFIC_CHARACTER_SET).unwrap_or_default()))
    }

    /// A text attribute, decoded; `None` if missing or empty.
    pub(super) fn text(&self, data: &DataSet, tag: Tag) -> Option<String> {
        plain(&self.0.decode(data.raw_text(tag)?).text)
    }

    /// A person's name: `Family, Given Middle`, with its other spellings in brackets.
    pub(super) fn person(&self, data: &DataSet, tag: Tag) -> Option<String> {
        let text = plain(&self.0.decode_name(data.raw_text(tag)?).text)?;
        let groups: Vec<String> = text
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
}

/// Without padding and control characters; `None` if nothing is left.
fn plain(text: &str) -> Option<String> {
    let text = text.trim_matches([' ', '\0']);
    (!text.is_empty()).then(|| text.replace(char::is_control, " "))
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
