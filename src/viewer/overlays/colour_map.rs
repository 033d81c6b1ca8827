//! Perceptually uniform colour maps, as matplotlib publishes them (CC0): every fifth entry, linear in between.

/// Entries of a published map that are kept here.
const POINTS: usize = 52;

/// A colour map of the activation map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourMap {
    /// Black, violet, orange, pale yellow.
    #[default]
    Inferno,
    /// Violet, green, yellow.
    Viridis,
    /// Blue to yellow, alike for people with and without colour vision deficiency.
    Cividis,
    /// Black to white.
    Grey,
}

impl ColourMap {
    /// Every map, in the order of the menu.
    pub const ALL: [Self; 4] = [Self::Inferno, Self::Viridis, Self::Cividis, Self::Grey];

    /// Name in the window.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inferno => "Inferno",
            Self::Viridis => "Viridis",
            Self::Cividis => "Cividis",
            Self::Grey => "Grey",
        }
    }

    /// Row of the map in the table that the shader reads.
    pub fn row(self) -> u32 {
        self as u32
    }

    /// RGB of a value in 0..=1.
    pub fn at(self, value: f32) -> [u8; 3] {
        let points = match self {
            Self::Inferno => INFERNO,
            Self::Viridis => VIRIDIS,
            Self::Cividis => CIVIDIS,
            Self::Grey => return [(value.clamp(0.0, 1.0) * 255.0).round() as u8; 3],
        };
        let position = value.clamp(0.0, 1.0) * (POINTS - 1) as f32;
        let below = (position as usize).min(POINTS - 2);
        let share = position - below as f32;
        [0, 1, 2].map(|c| {
            let [low, high] = [below, below + 1].map(|index| f32::from(points[3 * index + c]));
            (low * (1.0 - share) + high * share).round() as u8
        })
    }
}

const INFERNO: &[u8; 3 * POINTS] = b"\
    \x00\x00\x04\x02\x02\x0C\x05\x04\x17\x0A\x07\x22\x10\x09\x2D\x16\x0B\x39\x1E\x0C\x45\x26\x0C\x51\
    \x2F\x0A\x5B\x38\x09\x62\x40\x0A\x67\x49\x0B\x6A\x51\x0E\x6C\x59\x10\x6E\x61\x13\x6E\x69\x16\x6E\
    \x71\x19\x6E\x78\x1C\x6D\x80\x1F\x6C\x88\x22\x6A\x90\x25\x68\x98\x27\x66\xA0\x2A\x63\xA8\x2E\x5F\
    \xB0\x31\x5B\xB7\x35\x57\xBF\x39\x52\xC6\x3D\x4D\xCC\x42\x48\xD3\x47\x43\xD9\x4D\x3D\xDF\x53\x37\
    \xE4\x5A\x31\xE9\x61\x2B\xED\x69\x25\xF1\x71\x1F\xF4\x79\x18\xF7\x82\x12\xF9\x8B\x0B\xFA\x94\x07\
    \xFB\x9D\x07\xFC\xA6\x0C\xFC\xB0\x14\xFB\xBA\x1F\xFA\xC4\x2A\xF8\xCD\x37\xF6\xD7\x46\xF4\xE1\x56\
    \xF2\xEA\x69\xF2\xF2\x7D\xF5\xF9\x92\xFC\xFF\xA4";

const VIRIDIS: &[u8; 3 * POINTS] = b"\
    \x44\x01\x54\x46\x08\x5C\x47\x10\x63\x48\x17\x69\x48\x1D\x6F\x48\x24\x75\x47\x2A\x7A\x46\x30\x7E\
    \x45\x37\x81\x43\x3D\x84\x41\x42\x87\x3F\x48\x89\x3D\x4E\x8A\x3A\x53\x8B\x38\x59\x8C\x35\x5E\x8D\
    \x33\x63\x8D\x31\x68\x8E\x2E\x6D\x8E\x2C\x71\x8E\x2A\x76\x8E\x29\x7B\x8E\x27\x80\x8E\x25\x84\x8E\
    \x23\x89\x8E\x21\x8E\x8D\x20\x92\x8C\x1F\x97\x8B\x1E\x9C\x89\x1F\xA1\x88\x21\xA5\x85\x24\xAA\x83\
    \x28\xAE\x80\x2E\xB3\x7C\x35\xB7\x79\x3D\xBC\x74\x46\xC0\x6F\x50\xC4\x6A\x5A\xC8\x64\x65\xCB\x5E\
    \x70\xCF\x57\x7C\xD2\x50\x89\xD5\x48\x95\xD8\x40\xA2\xDA\x37\xB0\xDD\x2F\xBD\xDF\x26\xCA\xE1\x1F\
    \xD8\xE2\x19\xE5\xE4\x19\xF1\xE5\x1D\xFD\xE7\x25";

const CIVIDIS: &[u8; 3 * POINTS] = b"\
    \x00\x22\x4E\x00\x26\x56\x00\x2A\x5F\x00\x2D\x68\x00\x30\x70\x08\x33\x70\x16\x37\x70\x20\x3A\x6F\
    \x27\x3E\x6E\x2E\x41\x6D\x34\x45\x6C\x3A\x48\x6C\x3F\x4C\x6C\x44\x4F\x6C\x49\x53\x6C\x4E\x56\x6C\
    \x53\x5A\x6D\x57\x5D\x6D\x5C\x61\x6E\x60\x64\x6F\x65\x68\x70\x69\x6B\x71\x6D\x6F\x72\x72\x72\x74\
    \x76\x76\x76\x7A\x7A\x78\x7E\x7D\x78\x83\x81\x79\x88\x85\x78\x8D\x88\x78\x92\x8C\x78\x96\x90\x77\
    \x9B\x94\x76\xA0\x98\x75\xA5\x9C\x74\xAA\xA0\x73\xAF\xA4\x71\xB5\xA8\x6F\xBA\xAC\x6D\xBF\xB0\x6B\
    \xC4\xB4\x68\xC9\xB9\x65\xCF\xBD\x62\xD4\xC1\x5F\xDA\xC6\x5B\xDF\xCA\x57\xE5\xCF\x52\xEA\xD3\x4C\
    \xF0\xD8\x46\xF6\xDD\x3F\xFC\xE2\x36\xFE\xE8\x38";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_are_as_published() {
        assert_eq!(ColourMap::Inferno.at(0.0), [0, 0, 4]);
        assert_eq!(ColourMap::Inferno.at(1.0), [252, 255, 164]);
        assert_eq!(ColourMap::Viridis.at(0.0), [68, 1, 84]);
        assert_eq!(ColourMap::Viridis.at(1.0), [253, 231, 37]);
        assert_eq!(ColourMap::Cividis.at(2.0), [254, 232, 56]);
        assert_eq!(ColourMap::Grey.at(0.5), [128; 3]);
    }

    #[test]
    fn brightness_grows_along_every_map() {
        let brightness = |[r, g, b]: [u8; 3]| 0.2126 * f32::from(r) + 0.7152 * f32::from(g) + 0.0722 * f32::from(b);
        for map in ColourMap::ALL {
            let steps: Vec<f32> = (0..=50).map(|step| brightness(map.at(step as f32 / 50.0))).collect();
            assert!(
                steps.windows(2).all(|pair| pair[0] < pair[1]),
                "{}: {steps:?}",
                map.name()
            );
        }
    }
}
