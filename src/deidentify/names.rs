//! Which source of a batch has which name in the output folder: the one that an earlier batch wrote under it, else the
//! first of those that ask for it, whichever of them is treated first.

use std::collections::HashMap;

/// The names; sources stand here as their numbers in the order of the batch.
#[derive(Default)]
pub(super) struct Names(HashMap<String, Claim>);

/// Who asks for a name.
struct Claim {
    holder: usize,
    /// The holder was written under it by an earlier batch, and keeps it.
    is_reserved: bool,
    refused: Vec<usize>,
}

/// A name that another source got than the first that asked for it.
pub(super) struct Contest {
    /// The source that has it now.
    pub first: usize,
    /// All others that asked for it.
    pub others: Vec<usize>,
}

impl Names {
    /// Keeps a name for the source that an earlier batch wrote under it.
    pub(super) fn reserve(&mut self, name: String, source: usize) {
        self.0.entry(name).or_insert_with(|| Claim::of(source, true));
    }

    /// Whether a name is a source's.
    pub(super) fn is_of(&self, name: &str, source: usize) -> bool {
        self.0.get(name).is_some_and(|claim| claim.holder == source)
    }

    /// Takes a name for a source.
    ///
    /// # Errors
    /// The source that has it.
    pub(super) fn take(&mut self, name: &str, source: usize) -> Result<(), usize> {
        match self.0.get_mut(name) {
            Some(claim) if claim.holder != source => {
                claim.refused.push(source);
                Err(claim.holder)
            }
            Some(_) => Ok(()),
            None => {
                self.0.insert(name.to_owned(), Claim::of(source, false));
                Ok(())
            }
        }
    }

    /// Once all sources have asked: gives each name to the first that did. What the one that had it wrote is to be
    /// replaced.
    pub(super) fn settle(&mut self) -> Vec<Contest> {
        self.0.values_mut().filter_map(Claim::settle).collect()
    }
}

impl Claim {
    fn of(holder: usize, is_reserved: bool) -> Self {
        Self {
            holder,
            is_reserved,
            refused: Vec::new(),
        }
    }

    fn settle(&mut self) -> Option<Contest> {
        let first = self.refused.iter().copied().min()?;
        if self.is_reserved || self.holder < first {
            return None;
        }
        self.refused.retain(|&source| source != first);
        self.refused.push(std::mem::replace(&mut self.holder, first));
        Some(Contest {
            first,
            others: self.refused.clone(),
        })
    }
}
