//! Times of files.
#![allow(dead_code, reason = "every test program uses its own part")]

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// An age at which nobody is at work on a file any more.
pub const SETTLED: Duration = Duration::from_secs(100);

/// Sets the time of a file: indexes and caches trust those of files alone that nobody has been at for a while.
pub fn set_age(path: &Path, age: Duration) {
    let file = File::options().append(true).open(path).expect("the file is there");
    file.set_modified(SystemTime::now() - age).expect("its time can be set");
}
