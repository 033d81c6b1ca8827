//! UIDs and coding schemes that the standard itself registers (PS3.6 annex A, PS3.16 table 8-1): they name no instance,
//! and stay. Other UIDs below the standard's root are somebody's invention, and may lead to an instance like any other.

use std::collections::HashSet;
use std::sync::LazyLock;

const TABLE: &str = include_str!("../../assets/deidentify/standard-uids.txt");
const ROOT: &str = "1.2.840.10008.";
/// Designators of coding schemes whose codes and meanings are the same words everywhere.
const CODING_SCHEMES: &str = "\
    ACR BARI BI C4 CD2 DC DCM DCMUID FMA HPC I10 I10P I11 I9 I9C IBSI ICDO3 ISO3166_1 ISO639_1 ISO639_2 ITIS_TSN LN MA \
    MGI MSH NCIt NDC NEU NYUMCCG PUBCHEM_CID RADELEMENT RADLEX RFC3066 RFC5646 RO RXNORM SCPECG SCT SNM3 SRT UBERON UCUM \
    UMLS 99SDM";

static REGISTERED: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});

/// Whether the standard registers a UID; padding is passed over.
pub(super) fn is_standard(uid: &str) -> bool {
    let rest = uid.trim_matches([' ', '\0']).strip_prefix(ROOT);
    rest.is_some_and(|rest| REGISTERED.contains(rest))
}

/// Whether the standard names a coding scheme; private and local ones are none that it does.
pub(super) fn is_coding_scheme(designator: &str) -> bool {
    CODING_SCHEMES.split(' ').any(|known| known == designator)
}

/// Whether a text is a UID, and so may name a file (PS3.5 9.1).
pub(super) fn is_uid(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|digit| digit.is_ascii_digit());
    text.len() <= 64 && text.split('.').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_registered_is_standard_and_nothing_else() {
        assert_eq!(REGISTERED.len(), 486);
        for uid in [
            "1.2.840.10008.1.2.1",
            "1.2.840.10008.5.1.4.1.1.1.1\0",
            "1.2.840.10008.2.16.4",
        ] {
            assert!(is_standard(uid), "{uid}");
        }
        for uid in ["1.2.840.10008.4711.1", "1.2.840.10008.", "1.2.3", ""] {
            assert!(!is_standard(uid), "{uid}");
        }
        assert!(REGISTERED.iter().all(|rest| is_uid(rest)));
    }

    #[test]
    fn schemes_of_the_standard_are_told_from_local_ones() {
        assert!(
            ["ACR", "SCT", "DCM", "MGI", "UMLS", "99SDM"]
                .into_iter()
                .all(is_coding_scheme)
        );
        assert!(
            !["99LOCAL", "L", "HOSPITAL", "", "MA MGI"]
                .into_iter()
                .any(is_coding_scheme)
        );
    }

    #[test]
    fn a_uid_has_digits_and_dots_alone() {
        assert!(is_uid("1.2.840.10008.1.2"));
        for text in ["", "1..2", "1.2.", "../1", "1.2 DOE", &"1".repeat(65)] {
            assert!(!is_uid(text), "{text}");
        }
    }
}
