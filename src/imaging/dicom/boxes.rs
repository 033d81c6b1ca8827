//! The boxes that JP2 (ITU-T T.800 I.4) and JPEG XL (ISO/IEC 18181-2 clause 4) put around a codestream.

/// A box: all of it, its type and its content.
pub(super) struct Block<'a> {
    pub whole: &'a [u8],
    pub kind: [u8; 4],
    pub content: &'a [u8],
}

/// The next box and what follows. One cut short goes to the end of the bytes; `None` where there is no whole header.
pub(super) fn next(bytes: &[u8]) -> Option<(Block<'_>, &[u8])> {
    let (size, rest) = bytes.split_first_chunk::<4>()?;
    let (&kind, _) = rest.split_first_chunk::<4>()?;
    let (header, size) = match u32::from_be_bytes(*size) {
        0 => (8, bytes.len()),
        1 => {
            let size = u64::from_be_bytes(*bytes.get(8..)?.first_chunk()?);
            (16, usize::try_from(size).unwrap_or(usize::MAX))
        }
        size => (8, size as usize),
    };
    let (whole, after) = bytes.split_at(size.clamp(header, bytes.len()));
    let content = &whole[header..];
    Some((Block { whole, kind, content }, after))
}
