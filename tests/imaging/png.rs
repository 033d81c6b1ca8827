//! PNG files put together by their chunks, for what no encoder writes (PNG 1.2, chapter 3).

use flate2::Crc;

/// A chunk with its check sum.
pub fn chunk(kind: [u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(&kind);
    sum.update(data);
    let length = (data.len() as u32).to_be_bytes();
    [&length[..], &kind, data, &sum.sum().to_be_bytes()].concat()
}

/// A file of this size, bits a sample and colour type, with chunks of one's own before its compressed data.
pub fn file([width, height]: [u32; 2], bits: u8, colour_type: u8, before: &[u8], data: &[u8]) -> Vec<u8> {
    let header = [
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[bits, colour_type, 0, 0, 0],
    ]
    .concat();
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(*b"IHDR", &header),
        before.to_vec(),
        chunk(*b"IDAT", data),
        chunk(*b"IEND", &[]),
    ]
    .concat()
}
