//! DICOM files put together from bytes: elements in Explicit VR Little Endian.

/// An element of a short value, padded with a space where it is odd; OB, OW and SQ have the long form.
pub fn element(tag: (u16, u16), vr: [u8; 2], value: &[u8]) -> Vec<u8> {
    let mut bytes = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    let mut value = value.to_vec();
    if value.len() % 2 == 1 {
        value.push(b' ');
    }
    bytes.extend(vr);
    if [*b"OB", *b"OW", *b"SQ"].contains(&vr) {
        bytes.extend([0, 0]);
        bytes.extend((value.len() as u32).to_le_bytes());
    } else {
        bytes.extend((value.len() as u16).to_le_bytes());
    }
    bytes.extend(value);
    bytes
}

/// A file of these elements.
pub fn with_meta(body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes.extend(b"DICM");
    bytes.extend(element((2, 0x10), *b"UI", b"1.2.840.10008.1.2.1"));
    bytes.extend(body);
    bytes
}
