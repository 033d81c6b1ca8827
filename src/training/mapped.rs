//! Files as read-only memory: the system reads their pages when they are looked at and drops them when memory is short.

use std::fs::File;
use std::io;
use std::ops::Deref;

use memmap2::Mmap;

/// A file's bytes. The file may be deleted meanwhile; its bytes stay until this is dropped.
#[derive(Debug)]
pub struct Mapped(Mmap);

impl Mapped {
    /// Maps a file that was written whole and is never changed afterwards.
    ///
    /// # Errors
    /// If the system cannot map it, such as an empty one.
    #[allow(unsafe_code)] // another process could change what is mapped
    pub fn of(file: &File) -> io::Result<Self> {
        // SAFETY: the only files mapped are packs of the input cache. They get their name when all bytes are there,
        // and nothing opens them for writing again; what is read of them are integers, of which every bit pattern is one.
        let map = unsafe { Mmap::map(file)? };
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
