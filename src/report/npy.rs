//! Arrays as `NumPy` files (NEP 1, format 1.0): a text header, then the numbers in row-major order, low byte first.

/// Numbers that `NumPy` knows.
pub trait Element: Copy {
    /// Its type string.
    const TYPE: &'static str;
    /// Its bytes, low byte first, appended.
    fn append(self, bytes: &mut Vec<u8>);
}

impl Element for i32 {
    const TYPE: &'static str = "<i4";

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }
}

impl Element for f64 {
    const TYPE: &'static str = "<f8";

    fn append(self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }
}

/// The data begin at a multiple of this.
const ALIGNMENT: usize = 64;
/// Mark, version and the header's length.
const BEFORE_HEADER: usize = 10;

/// A file of an array of this shape, row-major.
///
/// # Panics
/// If the shape has another number of elements than there are.
pub fn npy<T: Element>(elements: &[T], shape: &[usize]) -> Vec<u8> {
    assert_eq!(
        elements.len(),
        shape.iter().product::<usize>(),
        "the shape holds the elements"
    );
    let sides: Vec<String> = shape.iter().map(|side| format!("{side}, ")).collect();
    let mut header = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
        T::TYPE,
        sides.concat()
    );
    let filled = (BEFORE_HEADER + header.len() + 1).next_multiple_of(ALIGNMENT);
    header.extend(std::iter::repeat_n(' ', filled - BEFORE_HEADER - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for element in elements {
        element.append(&mut bytes);
    }
    bytes
}
