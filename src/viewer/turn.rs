//! The eight ways to lay a picture on the screen: quarter turns, seen from the front or from behind. Everything that
//! lies on the picture, orientation letters too, goes through here.

use crate::imaging::Radiograph;

/// Quarter turns clockwise of a picture that is or is not mirrored before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Turn {
    /// 0..=3.
    quarters: u8,
    /// Left and right exchanged, before it is turned.
    mirrored: bool,
}

/// Letters at the edges of the screen; empty where the file does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgeLetters {
    /// At the left.
    pub left: String,
    /// At the right.
    pub right: String,
    /// At the top.
    pub top: String,
    /// At the bottom.
    pub bottom: String,
}

impl Turn {
    /// A quarter turn clockwise more.
    #[must_use]
    pub fn right(self) -> Self {
        self.turned(1)
    }

    /// A quarter turn counter-clockwise more.
    #[must_use]
    pub fn left(self) -> Self {
        self.turned(3)
    }

    /// Left and right of the screen exchanged.
    #[must_use]
    pub fn flipped_across(self) -> Self {
        // A mirror behind a turn is the mirror before the opposite turn.
        Self {
            quarters: (4 - self.quarters) % 4,
            mirrored: !self.mirrored,
        }
    }

    /// Top and bottom of the screen exchanged.
    #[must_use]
    pub fn flipped_down(self) -> Self {
        self.flipped_across().turned(2)
    }

    fn turned(self, quarters: u8) -> Self {
        Self {
            quarters: (self.quarters + quarters) % 4,
            ..self
        }
    }

    /// Whether columns of the picture lie across the screen.
    pub fn exchanges_axes(self) -> bool {
        self.quarters % 2 == 1
    }

    /// Whether the picture is seen from behind: its letters would be unreadable.
    pub fn is_mirrored(self) -> bool {
        self.mirrored
    }

    /// Whether the picture lies as it is stored.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// A pair that belongs to the picture's x and y as one that belongs to the screen's, or the other way round.
    pub fn exchanged<T>(self, [x, y]: [T; 2]) -> [T; 2] {
        if self.exchanges_axes() { [y, x] } else { [x, y] }
    }

    /// A position in the picture of a size to one in the turned picture.
    pub fn apply(self, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> [f64; 2] {
        let x = if self.mirrored { width - x } else { x };
        match self.quarters {
            0 => [x, y],
            1 => [height - y, x],
            2 => [width - x, height - y],
            _ => [y, width - x],
        }
    }

    /// The inverse of [`Turn::apply`]; the size is that of the picture before it was turned.
    pub fn undo(self, [u, v]: [f64; 2], [width, height]: [f64; 2]) -> [f64; 2] {
        let [x, y] = match self.quarters {
            0 => [u, v],
            1 => [v, height - u],
            2 => [width - u, height - v],
            _ => [width - v, u],
        };
        [if self.mirrored { width - x } else { x }, y]
    }

    /// What it is in words, for the corner of the picture; empty for a picture as it is stored.
    pub fn words(self) -> String {
        let turned = match self.quarters {
            0 => "",
            1 => "Turned 90°",
            2 => "Turned 180°",
            _ => "Turned 270°",
        };
        let mirrored = if self.mirrored { "Mirrored" } else { "" };
        let words = [mirrored, turned].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join("  ")
    }

    /// Letters at the screen's edges from Patient Orientation (0020,0020): rows run to the first, columns to the
    /// second (PS3.3 C.7.6.1.1.1). Nothing where the file says nothing.
    pub fn letters(self, radiograph: &Radiograph) -> EdgeLetters {
        let Some([along_rows, along_columns]) = &radiograph.acquisition.patient_orientation else {
            return EdgeLetters::default();
        };
        // Right, bottom, left, top of the stored picture, clockwise.
        let mut around = [
            along_rows.clone(),
            along_columns.clone(),
            opposite(along_rows),
            opposite(along_columns),
        ];
        if self.mirrored {
            around.swap(0, 2);
        }
        around.rotate_right(usize::from(self.quarters));
        let [right, bottom, left, top] = around;
        EdgeLetters {
            left,
            right,
            top,
            bottom,
        }
    }
}

/// The direction on the other side; letters that stand for none stay away.
fn opposite(direction: &str) -> String {
    let other = |letter| match letter {
        'L' => Some('R'),
        'R' => Some('L'),
        'A' => Some('P'),
        'P' => Some('A'),
        'H' => Some('F'),
        'F' => Some('H'),
        _ => None,
    };
    direction.chars().filter_map(other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Turn> {
        (0..8).map(|i| Turn {
            quarters: i % 4,
            mirrored: i >= 4,
        })
    }

    #[test]
    fn every_turn_is_undone() {
        let (size, at) = ([7.0, 4.0], [1.5, 3.0]);
        for turn in all() {
            assert_eq!(turn.undo(turn.apply(at, size), size), at, "{turn:?}");
            assert_eq!(turn.right().left(), turn);
            assert_eq!(turn.flipped_across().flipped_across(), turn);
            assert_eq!(turn.flipped_down().flipped_down(), turn);
        }
    }

    #[test]
    fn a_flip_exchanges_the_sides_of_the_screen() {
        let (size, at) = ([7.0, 4.0], [1.5, 3.0]);
        for turn in all() {
            let turned = turn.exchanged(size);
            let before = turn.apply(at, size);
            let across = turn.flipped_across().apply(at, size);
            assert_eq!(across, [turned[0] - before[0], before[1]], "{turn:?}");
            let down = turn.flipped_down().apply(at, size);
            assert_eq!(down, [before[0], turned[1] - before[1]], "{turn:?}");
            let right = turn.right().apply(at, size);
            assert_eq!(right, [turned[1] - before[1], before[0]], "{turn:?}");
        }
    }
}
