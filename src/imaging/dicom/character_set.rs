//! Bytes to text by Specific Character Set (PS3.3 C.12.1.1.2, PS3.5 chapter 6): single sets, code extensions of
//! ISO 2022, UTF-8, GB18030 and GBK. Text that contradicts its label is read as what it is, and that is said.

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7,
    ISO_8859_8, ISO_8859_15, SHIFT_JIS, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};

const ESCAPE: u8 = 0x1b;
/// What brings the first set back: ends of values, lines and pages.
const DELIMITERS: &[u8] = b"\\\r\n\t\x0c";
/// In names, ends of components and groups as well.
const NAME_DELIMITERS: &[u8] = b"\\^=\r\n\t\x0c";

/// How text was read where the file's label alone did not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As UTF-8, which the file does not declare.
    Utf8,
    /// As Shift JIS, where `ISO_IR` 13 is declared.
    ShiftJis,
    /// As Latin-1, because it is nothing that the file declares.
    Latin1,
    /// As declared, but some characters do not exist there.
    Damaged,
    /// As the reader chose.
    Chosen,
}

impl Reading {
    /// One clause for the reader.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Utf8 => "read as UTF-8, which the file does not declare",
            Self::ShiftJis => "read as Shift JIS, where the file declares ISO_IR 13",
            Self::Latin1 => "read as Latin-1: it does not fit what the file declares",
            Self::Damaged => "some bytes are no characters of the declared set",
            Self::Chosen => "read in the character set that was chosen",
        }
    }
}

/// Text, and how it was read if not simply as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct Decoded {
    /// The text, padding included.
    pub text: String,
    /// What its reader should know.
    pub reading: Option<Reading>,
}

/// One coded character set.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Set {
    /// ISO 646, and JIS X 0201 romaji: that one's yen sign separates values in DICOM.
    Ascii,
    /// The upper half of a set of single bytes.
    Upper(&'static Encoding),
    /// JIS X 0201 katakana, the upper half of `ISO_IR` 13.
    Katakana,
    /// JIS X 0208, two bytes below 0x80.
    Kanji,
    /// JIS X 0212, two bytes below 0x80.
    SupplementaryKanji,
    /// KS X 1001, two bytes above 0x80.
    Hangul,
    /// GB 2312, two bytes above 0x80.
    Hanzi,
    /// UTF-8, GB18030 or GBK: no code extensions.
    Whole(&'static Encoding),
}

/// The character sets that a data set declares, in their order.
#[derive(Debug, Clone, Default)]
pub(in crate::imaging) struct Declared {
    sets: Vec<Set>,
    chosen: Option<&'static Encoding>,
}

/// What bytes below and above 0x80 mean at a point of the text.
#[derive(Clone, Copy)]
struct Halves {
    lower: Set,
    upper: Set,
}

impl Declared {
    /// The sets of a value of Specific Character Set.
    pub(in crate::imaging) fn new(value: &str) -> Self {
        let sets = value
            .split('\\')
            .take(16)
            .map(|term| set_of(term).unwrap_or(Set::Ascii));
        Self {
            sets: sets.collect(),
            chosen: None,
        }
    }

    /// Whatever is declared, text is in this encoding.
    pub(in crate::imaging) const fn chosen(encoding: &'static Encoding) -> Self {
        Self {
            sets: Vec::new(),
            chosen: Some(encoding),
        }
    }

    /// The reader chose an encoding: what the file declares does not count.
    pub(in crate::imaging) const fn is_chosen(&self) -> bool {
        self.chosen.is_some()
    }

    /// Text of these bytes; never fails, at worst there are replacement characters.
    pub(in crate::imaging) fn decode(&self, bytes: &[u8]) -> Decoded {
        self.decode_between(bytes, DELIMITERS)
    }

    /// The same of a person's name (PN), whose components and groups begin anew with the first set (PS3.5 6.1.2.5.3).
    pub(in crate::imaging) fn decode_name(&self, bytes: &[u8]) -> Decoded {
        self.decode_between(bytes, NAME_DELIMITERS)
    }

    fn decode_between(&self, bytes: &[u8], delimiters: &[u8]) -> Decoded {
        if bytes.is_ascii() && !bytes.contains(&ESCAPE) {
            return Decoded {
                text: bytes.iter().map(|&byte| char::from(byte)).collect(),
                reading: None,
            };
        }
        if let Some(encoding) = self.chosen {
            let (text, damaged) = encoding.decode_without_bom_handling(bytes);
            let reading = if damaged { Reading::Damaged } else { Reading::Chosen };
            return Decoded {
                text: text.into_owned(),
                reading: Some(reading),
            };
        }
        match self.first() {
            Set::Whole(encoding) => whole(bytes, encoding),
            _ if bytes.contains(&ESCAPE) => self.extended(bytes, delimiters),
            Set::Ascii if self.sets.len() < 2 => as_utf8(bytes).unwrap_or_else(|| latin1(bytes)),
            Set::Katakana => katakana(bytes),
            first => match as_utf8(bytes).filter(|_| betrays_utf8(bytes, first)) {
                Some(decoded) => decoded,
                None => self.extended(bytes, delimiters),
            },
        }
    }

    fn first(&self) -> Set {
        self.sets.first().copied().unwrap_or(Set::Ascii)
    }

    /// Code extensions (PS3.5 6.1.2.5): escape sequences say what follows, and delimiters take them back.
    fn extended(&self, bytes: &[u8], delimiters: &[u8]) -> Decoded {
        let initial = self.initial();
        let mut halves = initial;
        let mut text = String::with_capacity(bytes.len());
        let mut damaged = false;
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            if byte == ESCAPE {
                let (length, change) = escape(rest);
                match change {
                    Some((true, set)) => halves.lower = set,
                    Some((false, set)) => halves.upper = set,
                    None => damaged = true,
                }
                rest = &rest[length.min(rest.len())..];
                continue;
            }
            if halves.lower == Set::Ascii && delimiters.contains(&byte) {
                text.push(char::from(byte));
                halves = initial;
                rest = &rest[1..];
                continue;
            }
            let length = run(rest, (halves.lower == Set::Ascii).then_some(delimiters));
            let (run, after) = rest.split_at(length);
            let set = if byte < 0x80 { halves.lower } else { halves.upper };
            damaged |= push(&mut text, run, set);
            rest = after;
        }
        let reading = damaged.then_some(Reading::Damaged);
        Decoded { text, reading }
    }

    /// The first set, in force before any escape. Korean and Chinese writers leave out escapes whose characters
    /// cannot be mistaken, so that an extension stands in where the first set has no upper half.
    fn initial(&self) -> Halves {
        let is_upper = |set: &Set| matches!(set, Set::Upper(_) | Set::Katakana | Set::Hangul | Set::Hanzi);
        let upper = Some(self.first()).filter(is_upper);
        let upper = upper.or_else(|| self.sets.iter().rev().copied().find(is_upper));
        Halves {
            lower: Set::Ascii,
            upper: upper.unwrap_or(Set::Ascii),
        }
    }
}

/// The encoding that a reader names: `utf-8`, `windows-1251`, `gbk`, …, by the labels of the Encoding Standard.
pub(in crate::imaging) fn by_label(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label_no_replacement(label.trim().as_bytes())
}

/// The set of a defined term, also as it is often misspelt (`ISO IR 100`, `ISO_2022_IR_100`).
fn set_of(term: &str) -> Option<Set> {
    let term = term.trim().to_uppercase();
    match term.as_str() {
        "GB18030" => return Some(Set::Whole(GB18030)),
        "GBK" | "GB2312" => return Some(Set::Whole(GBK)),
        "UTF-8" | "UTF8" => return Some(Set::Whole(encoding_rs::UTF_8)),
        _ => {}
    }
    let (_, number) = term.rsplit_once(|c: char| !c.is_ascii_digit())?;
    Some(match number {
        "6" => Set::Ascii,
        "13" => Set::Katakana,
        "58" => Set::Hanzi,
        "87" => Set::Kanji,
        "100" => Set::Upper(WINDOWS_1252),
        "101" => Set::Upper(ISO_8859_2),
        "109" => Set::Upper(ISO_8859_3),
        "110" => Set::Upper(ISO_8859_4),
        "126" => Set::Upper(ISO_8859_7),
        "127" => Set::Upper(ISO_8859_6),
        "138" => Set::Upper(ISO_8859_8),
        "144" => Set::Upper(ISO_8859_5),
        "148" => Set::Upper(WINDOWS_1254),
        "149" => Set::Hangul,
        "159" => Set::SupplementaryKanji,
        "166" => Set::Upper(WINDOWS_874),
        "192" => Set::Whole(encoding_rs::UTF_8),
        "203" => Set::Upper(ISO_8859_15),
        _ => return None,
    })
}

/// Length of the escape sequence at the start of `bytes`, and what it changes: the lower half or the upper one.
fn escape(bytes: &[u8]) -> (usize, Option<(bool, Set)>) {
    let changes: [(&[u8], bool, Set); 21] = [
        (b"(B", true, Set::Ascii),
        (b"(J", true, Set::Ascii),
        (b"$B", true, Set::Kanji),
        (b"$@", true, Set::Kanji),
        (b"$(D", true, Set::SupplementaryKanji),
        (b")I", false, Set::Katakana),
        (b"$)C", false, Set::Hangul),
        (b"$)A", false, Set::Hanzi),
        (b"-A", false, Set::Upper(WINDOWS_1252)),
        (b"-B", false, Set::Upper(ISO_8859_2)),
        (b"-C", false, Set::Upper(ISO_8859_3)),
        (b"-D", false, Set::Upper(ISO_8859_4)),
        (b"-F", false, Set::Upper(ISO_8859_7)),
        (b"-G", false, Set::Upper(ISO_8859_6)),
        (b"-H", false, Set::Upper(ISO_8859_8)),
        (b"-L", false, Set::Upper(ISO_8859_5)),
        (b"-M", false, Set::Upper(WINDOWS_1254)),
        (b"-T", false, Set::Upper(WINDOWS_874)),
        (b"-b", false, Set::Upper(ISO_8859_15)),
        (b"(I", true, Set::Katakana),
        (b"$(B", true, Set::Kanji),
    ];
    let rest = &bytes[1..];
    if let Some((sequence, lower, set)) = changes.into_iter().find(|(sequence, ..)| rest.starts_with(sequence)) {
        return (1 + sequence.len(), Some((lower, set)));
    }
    // Intermediate bytes and one final byte (ISO 2022).
    let intermediate = rest.iter().take_while(|byte| (0x20..0x30).contains(*byte)).count();
    (2 + intermediate, None)
}

/// Bytes at the start that one set gives a meaning to: until an escape, a delimiter, or the other half.
fn run(bytes: &[u8], delimiters: Option<&[u8]>) -> usize {
    let low = bytes.first().is_some_and(|&byte| byte < 0x80);
    let delimits = |byte: u8| delimiters.is_some_and(|delimiters| delimiters.contains(&byte) || byte < 0x20);
    let goes_on = |byte: u8| (byte < 0x80) == low && byte != ESCAPE && !delimits(byte);
    1 + bytes[1..].iter().take_while(|&&byte| goes_on(byte)).count()
}

/// Appends what a set makes of bytes of one half; `true` if some are none of its characters.
fn push(text: &mut String, bytes: &[u8], set: Set) -> bool {
    let low = bytes.first().is_some_and(|&byte| byte < 0x80);
    match (set, low) {
        (Set::Kanji, true) => push_pairs(text, bytes, false),
        (Set::SupplementaryKanji, true) => push_pairs(text, bytes, true),
        (Set::Katakana, _) => {
            let letter = |byte: u8| match byte | 0x80 {
                high @ 0xa1..=0xdf => char::from_u32(0xff61 + u32::from(high - 0xa1)),
                _ => None,
            };
            let mut damaged = false;
            text.extend(bytes.iter().map(|&byte| {
                let letter = letter(byte).or_else(|| (byte < 0x21).then(|| char::from(byte)));
                damaged |= letter.is_none();
                letter.unwrap_or(char::REPLACEMENT_CHARACTER)
            }));
            damaged
        }
        (_, true) => {
            text.extend(bytes.iter().map(|&byte| char::from(byte)));
            false
        }
        (Set::Upper(encoding) | Set::Whole(encoding), false) => push_encoded(text, bytes, encoding),
        (Set::Hangul, false) => push_encoded(text, bytes, EUC_KR),
        (Set::Hanzi, false) => push_encoded(text, bytes, GBK),
        (Set::Kanji | Set::SupplementaryKanji, false) => push_encoded(text, bytes, EUC_JP),
        // Nothing is declared for the upper half.
        (Set::Ascii, false) => {
            push_encoded(text, bytes, WINDOWS_1252);
            true
        }
    }
}

fn push_encoded(text: &mut String, bytes: &[u8], encoding: &'static Encoding) -> bool {
    let (decoded, damaged) = encoding.decode_without_bom_handling(bytes);
    text.push_str(&decoded);
    damaged
}

/// Pairs of bytes below 0x80 are EUC-JP without the high bits; there JIS X 0212 has a byte before each pair.
fn push_pairs(text: &mut String, bytes: &[u8], supplementary: bool) -> bool {
    let mut euc = Vec::with_capacity(bytes.len() * 2);
    let mut damaged = false;
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        if let (0x21..0x7f, Some(&second @ 0x21..0x7f)) = (first, after.first()) {
            if supplementary {
                euc.push(0x8f);
            }
            euc.extend([first | 0x80, second | 0x80]);
            rest = &after[1..];
        } else {
            damaged |= first > 0x20;
            euc.push(first);
            rest = after;
        }
    }
    push_encoded(text, &euc, EUC_JP) || damaged
}

/// Text in an encoding without code extensions.
fn whole(bytes: &[u8], encoding: &'static Encoding) -> Decoded {
    let (text, damaged) = encoding.decode_without_bom_handling(bytes);
    let as_declared = |reading| Decoded {
        text: text.into_owned(),
        reading,
    };
    if !damaged {
        return as_declared(None);
    }
    if encoding != encoding_rs::UTF_8 {
        return as_utf8(bytes).unwrap_or_else(|| as_declared(Some(Reading::Damaged)));
    }
    // A value that was cut in the middle of a character is UTF-8 all the same.
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_some() => latin1(bytes),
        _ => as_declared(Some(Reading::Damaged)),
    }
}

/// JIS X 0201; many writers of `ISO_IR` 13 mean Shift JIS, which holds it.
fn katakana(bytes: &[u8]) -> Decoded {
    if bytes.iter().all(|byte| matches!(byte, 0..0x80 | 0xa1..=0xdf)) {
        let mut text = String::with_capacity(bytes.len() * 3);
        for run in bytes.chunk_by(|one, other| one.is_ascii() == other.is_ascii()) {
            let set = if run[0].is_ascii() { Set::Ascii } else { Set::Katakana };
            push(&mut text, run, set);
        }
        return Decoded { text, reading: None };
    }
    as_utf8(bytes).unwrap_or_else(|| {
        let (text, damaged) = SHIFT_JIS.decode_without_bom_handling(bytes);
        Decoded {
            text: text.into_owned(),
            reading: Some(if damaged { Reading::Damaged } else { Reading::ShiftJis }),
        }
    })
}

/// The text if it is UTF-8 with characters beyond ASCII.
fn as_utf8(bytes: &[u8]) -> Option<Decoded> {
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_ascii())?;
    Some(Decoded {
        text: text.to_owned(),
        reading: Some(Reading::Utf8),
    })
}

/// Whether bytes that are valid UTF-8 make no sense in the set that is declared. UTF-8 in a Latin set is pairs
/// such as `Ã©`, which no language has; in other alphabets, where such pairs can be letters, it is bytes
/// that are no characters at all there.
fn betrays_utf8(bytes: &[u8], declared: Set) -> bool {
    let latin = [
        WINDOWS_1252,
        ISO_8859_2,
        ISO_8859_3,
        ISO_8859_4,
        ISO_8859_15,
        WINDOWS_1254,
    ];
    match declared {
        Set::Ascii | Set::Kanji | Set::SupplementaryKanji => true,
        Set::Upper(encoding) if latin.contains(&encoding) => true,
        _ => bytes.iter().any(|byte| (0x80..0xa0).contains(byte)),
    }
}

/// Text that is nothing else: Latin-1, with the letters that Windows has in the place of its controls.
fn latin1(bytes: &[u8]) -> Decoded {
    Decoded {
        text: WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        reading: Some(Reading::Latin1),
    }
}

#[cfg(test)]
mod tests;
