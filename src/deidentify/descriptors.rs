//! Descriptions reduced to words that are known to name nobody (Clean Descriptors, PS3.15 E.3.5): what is not in the
//! vocabulary goes, so that a name that nobody thought of goes as well.

use std::collections::HashSet;
use std::sync::LazyLock;

const VOCABULARY: &str = include_str!("../../assets/deidentify/vocabulary.txt");

static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = VOCABULARY.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// The words of a text that are in the vocabulary, in their order and as they were written, between single spaces;
/// values (`\`) stay apart. `None` if nothing is left.
pub fn clean(text: &str) -> Option<String> {
    let values: Vec<String> = text
        .split('\\')
        .map(clean_value)
        .filter(|value| !value.is_empty())
        .collect();
    (!values.is_empty()).then(|| values.join("\\"))
}

/// Whether a word is in the vocabulary, in whatever case.
pub(super) fn is_known(word: &str) -> bool {
    WORDS.contains(word.to_lowercase().as_str())
}

fn clean_value(text: &str) -> String {
    let is_break = |letter: char| !letter.is_alphanumeric();
    let words = text.split(is_break).filter(|word| is_known(word));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_words_stay_and_all_others_go() {
        assert_eq!(clean("Chest PA/lateral").as_deref(), Some("Chest PA lateral"));
        assert_eq!(clean("CHEST, Mr. Doe, bed 12, 555-1234").as_deref(), Some("CHEST bed"));
        assert_eq!(clean("Thorax p.a. für Frau Müller").as_deref(), Some("Thorax"));
        assert_eq!(clean("J. Doe 19700101"), None);
        assert_eq!(clean("chest\\Doe\\portable").as_deref(), Some("chest\\portable"));
    }

    #[test]
    fn the_vocabulary_is_in_lower_case_without_digits_alone() {
        for word in WORDS.iter() {
            assert_eq!(*word, word.to_lowercase());
            assert!(word.chars().any(char::is_alphabetic), "{word}");
        }
    }
}
