//! Frames that are not what their data set says.

use super::codec::{Family, LOSSY};
use super::codestream::{self, Jpeg2000};

/// High-Throughput JPEG 2000 that loses nothing.
const HIGH_THROUGHPUT_LOSSLESS: [&str; 2] = ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202"];

/// What a codestream is.
pub(super) struct Found {
    pub family: Family,
    /// A transfer syntax that it may have.
    pub uid: &'static str,
    /// It says itself that something was lost.
    pub is_lossy: bool,
}

/// What a codestream is where its data set names that of another codec, or one
/// that loses nothing and the codestream does.
pub(super) fn found(family: Family, uid: &str, frame: &[u8]) -> Option<Found> {
    if !matches!(
        family,
        Family::Jpeg | Family::JpegLs | Family::Jpeg2000 | Family::JpegXl
    ) {
        return None;
    }
    let is = |marks: &[&[u8]]| marks.iter().any(|mark| frame.starts_with(mark));
    let (found, found_uid, is_lossy) = if is(&[b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "]) {
        let is_lossy = Jpeg2000::read(frame).is_ok_and(|codestream| codestream.header.is_lossy);
        let is_high_throughput = HIGH_THROUGHPUT_LOSSLESS.contains(&uid);
        let found_uid = if is_high_throughput {
            "1.2.840.10008.1.2.4.203"
        } else {
            "1.2.840.10008.1.2.4.91"
        };
        (Family::Jpeg2000, found_uid, is_lossy)
    } else if is(&[b"\xff\x0a", b"\0\0\0\x0cJXL "]) {
        (Family::JpegXl, "1.2.840.10008.1.2.4.112", false)
    } else {
        let header = codestream::jpeg(frame).ok()?;
        let (found, found_uid) = match header.process {
            0xf7 => (Family::JpegLs, "1.2.840.10008.1.2.4.81"),
            0xc3 => (Family::Jpeg, "1.2.840.10008.1.2.4.70"),
            _ => (Family::Jpeg, "1.2.840.10008.1.2.4.51"),
        };
        (found, found_uid, header.is_lossy)
    };
    let is_wrong = found != family || is_lossy && !LOSSY.contains(&uid);
    is_wrong.then_some(Found {
        family: found,
        uid: found_uid,
        is_lossy,
    })
}
