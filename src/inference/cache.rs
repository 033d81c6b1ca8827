//! Findings that were computed already, bounded in bytes: the least recently used go first.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use crate::findings::Findings;
use crate::imaging::Radiograph;

/// Most bytes of findings that the window and `predict` keep: about ten images of 2000 x 2500 pixels.
pub const CACHE_BYTES: usize = 256 << 20;

/// What makes two results the same: the picture, the instance it belongs to, and both networks' weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `Radiograph::content_hash`.
    pub content_hash: [u8; 32],
    /// SOP Instance UID: equal pixels of two instances are two results.
    pub sop_instance_uid: Option<String>,
    /// SHA-256 of the classifier's and of the segmenter's weights.
    pub weights: [String; 2],
}

impl Key {
    /// Of a picture with the SHA-256 of a classifier's and of the segmenter's weights.
    pub fn of(image: &Radiograph, classifier: &str, segmenter: &str) -> Self {
        Self {
            content_hash: image.content_hash,
            sop_instance_uid: image.acquisition.sop_instance_uid.clone(),
            weights: [classifier.to_owned(), segmenter.to_owned()],
        }
    }
}

/// A cache of findings that never holds more than a given number of bytes.
#[derive(Debug)]
pub struct Cache {
    /// Most recently used first.
    entries: VecDeque<(Key, Arc<Findings>)>,
    bytes: usize,
    limit_bytes: usize,
}

impl Cache {
    /// An empty cache for at most `limit_bytes`.
    pub fn new(limit_bytes: usize) -> Self {
        Self {
            entries: VecDeque::new(),
            bytes: 0,
            limit_bytes,
        }
    }

    /// The findings under a key, which become the most recently used.
    pub fn get(&mut self, key: &Key) -> Option<Arc<Findings>> {
        let index = self.entries.iter().position(|(held, _)| held == key)?;
        let entry = self.entries.remove(index)?;
        let findings = Arc::clone(&entry.1);
        self.entries.push_front(entry);
        Some(findings)
    }

    /// Keeps findings under a key; what is larger than the whole cache is not kept.
    pub fn insert(&mut self, key: Key, findings: Arc<Findings>) {
        if let Some(index) = self.entries.iter().position(|(held, _)| *held == key) {
            self.remove(index);
        }
        let added = size_bytes(&findings);
        if added > self.limit_bytes {
            return;
        }
        while self.bytes + added > self.limit_bytes {
            self.remove(self.entries.len() - 1);
        }
        self.bytes += added;
        self.entries.push_front((key, findings));
    }

    /// Bytes held now, never above the limit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn remove(&mut self, index: usize) {
        if let Some((_, findings)) = self.entries.remove(index) {
            self.bytes -= size_bytes(&findings);
        }
    }
}

/// Heap and own bytes of findings; the pixels make up nearly all of it.
fn size_bytes(findings: &Findings) -> usize {
    let maps = findings.activation.values.len() + findings.activation.cells.len();
    size_of::<Findings>() + findings.mask.pixels.len() + maps * size_of::<f32>()
}
