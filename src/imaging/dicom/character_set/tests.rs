//! Examples of the standard, mislabelled text, and bytes that are no text.

use super::*;

#[track_caller]
fn check(declared: &str, bytes: &[u8], text: &str, reading: Option<Reading>) {
    let decoded = Declared::new(declared).decode_name(bytes);
    assert_eq!((decoded.text.as_str(), decoded.reading), (text, reading), "{declared}");
}

/// Examples of PS3.5 annexes H, I, J and K.
#[test]
fn names_of_the_standard_are_read() {
    let japanese = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
    let written = "Yamada^Tarou=山田^太郎=やまだ^たろう";
    check("\\ISO 2022 IR 87", japanese, written, None);
    let half_width = b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J";
    check("ISO 2022 IR 13\\ISO 2022 IR 87", half_width, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎", None);
    let korean = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
    check("\\ISO 2022 IR 149", korean, "Hong^Gildong=洪^吉洞=홍^길동", None);
    let chinese = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=";
    check("\\ISO 2022 IR 58", chinese, "Zhang^XiaoDong=张^小东=", None);
    let gb18030 = b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=";
    check("GB18030", gb18030, "Wang^XiaoDong=王^小东=", None);
    check("GBK", gb18030, "Wang^XiaoDong=王^小东=", None);
}

#[test]
fn supplementary_kanji_are_read() {
    check("\\ISO 2022 IR 159", b"\x1b$(D\x22\x2f\x1b(B", "\u{2d8}", None);
}

#[test]
fn single_sets_are_read() {
    check("ISO_IR 100", b"M\xfcller", "Müller", None);
    check("ISO_IR 101", b"Wa\xb3\xeasa", "Wałęsa", None);
    check("ISO_IR 144", b"\xbb\xee\xda", "Люк", None);
    check("ISO_IR 126", b"\xc4\xe9\xef\xed", "Διον", None);
    check("ISO_IR 166", b"\xe1\xbb\xa7", "แปง", None);
    check("ISO_IR 13", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ", None);
    check("ISO_IR 148", b"\xdd\xfe", "İş", None);
    check("ISO_IR 192", "Müller=王".as_bytes(), "Müller=王", None);
    check("", b"DOE^JANE", "DOE^JANE", None);
}

#[test]
fn latin_sets_change_within_a_value_and_back_behind_a_delimiter() {
    let mixed = b"\xfc\x1b-L\xbb^\xfc";
    check("ISO 2022 IR 100\\ISO 2022 IR 144", mixed, "üЛ^ü", None);
    // Elsewhere than in names, these characters are text as any other.
    let declared = Declared::new("ISO 2022 IR 100\\ISO 2022 IR 144");
    assert_eq!(declared.decode(mixed).text, "üЛ^ќ");
    assert_eq!(declared.decode(b"\x1b-L\xbb=\xbb\\\xfc").text, "Л=Л\\ü");
}

#[test]
fn mislabelled_text_is_readable_and_said_to_be() {
    check("ISO_IR 100", "Müller".as_bytes(), "Müller", Some(Reading::Utf8));
    check("", "王^小东".as_bytes(), "王^小东", Some(Reading::Utf8));
    check("ISO_IR 144", "Иванов".as_bytes(), "Иванов", Some(Reading::Utf8));
    check("", b"M\xfcller", "Müller", Some(Reading::Latin1));
    check("ISO_IR 192", b"M\xfcller", "Müller", Some(Reading::Latin1));
    check("ISO_IR 13", b"\x8e\x52\x93\x63", "山田", Some(Reading::ShiftJis));
    check(
        "ISO_IR 192",
        &"王王".as_bytes()[..5],
        "王\u{fffd}",
        Some(Reading::Damaged),
    );
}

#[test]
fn misspelt_terms_are_understood() {
    for term in ["ISO IR 100", "ISO_2022_IR_100", "iso-ir 100", "ISO2022 IR 100"] {
        check(term, b"\xfc", "ü", None);
    }
}

#[test]
fn no_bytes_can_break_it() {
    let sets = [
        "",
        "ISO_IR 13",
        "\\ISO 2022 IR 87",
        "\\ISO 2022 IR 149",
        "GB18030",
        "ISO_IR 192",
        "x\\y",
    ];
    let mut state = 1_u32;
    for round in 0..4000 {
        let bytes: Vec<u8> = (0..round % 40)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let byte = (state >> 24) as u8;
                if byte > 0xe0 { ESCAPE } else { byte }
            })
            .collect();
        let decoded = Declared::new(sets[round % sets.len()]).decode(&bytes);
        assert!(decoded.text.len() <= 4 * bytes.len(), "{bytes:x?}");
    }
}
