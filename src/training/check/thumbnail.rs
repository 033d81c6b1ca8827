//! A small picture in a report: a PNG file that JSON and HTML carry as base64 (RFC 4648).

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::plane::SIDE;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A grey PNG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// The file.
    pub png: Vec<u8>,
}

impl Thumbnail {
    /// Of a kept plane; `None` if it cannot be encoded.
    pub fn of(greys: &[u8]) -> Option<Self> {
        let mut png = Vec::new();
        let side = SIDE as u32;
        PngEncoder::new(&mut png)
            .write_image(greys, side, side, ExtendedColorType::L8)
            .ok()?;
        Some(Self { png })
    }

    /// The file as base64.
    pub fn base64(&self) -> String {
        let mut text = String::with_capacity(self.png.len().div_ceil(3) * 4);
        for three in self.png.chunks(3) {
            let bits = three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
            for place in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
                text.push(if place <= three.len() { char::from(digit) } else { '=' });
            }
        }
        text
    }

    fn from_base64(text: &str) -> Option<Self> {
        let digits: Option<Vec<u32>> = text
            .trim_end_matches('=')
            .bytes()
            .map(|byte| {
                ALPHABET
                    .iter()
                    .position(|&digit| digit == byte)
                    .map(|value| value as u32)
            })
            .collect();
        let mut png = Vec::with_capacity(text.len() / 4 * 3);
        for four in digits?.chunks(4) {
            let bits = four.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - four.len()));
            png.extend(bits.to_be_bytes()[1..four.len()].iter());
        }
        Some(Self { png })
    }
}

impl Serialize for Thumbnail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.base64())
    }
}

impl<'de> Deserialize<'de> for Thumbnail {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_base64(&text).ok_or_else(|| de::Error::custom("a thumbnail is not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard_and_comes_back() {
        let encoded = |text: &[u8]| Thumbnail { png: text.to_vec() }.base64();
        for (text, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
        ] {
            assert_eq!(encoded(text), expected);
            assert_eq!(Thumbnail::from_base64(expected).unwrap().png, text);
        }
        assert!(Thumbnail::from_base64("Zm9v!").is_none());
    }
}
