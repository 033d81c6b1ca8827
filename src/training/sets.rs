//! Numbered things that are joined pair by pair.

/// Sets of them; each is known by its first member.
pub(super) struct Sets(Vec<usize>);

impl Sets {
    /// So many things, each alone.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// Makes one set of those of two things.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.0[one.max(other)] = one.min(other);
    }

    /// The first of a thing's set; ways to it are halved as they are gone.
    pub(super) fn first(&mut self, of: usize) -> usize {
        let mut at = of;
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }
}
