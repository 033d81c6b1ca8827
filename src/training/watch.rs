//! A few images that are looked at after every epoch: what the network makes of them, as small pictures and numbers.

use serde::{Deserialize, Serialize};

/// Which images are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchList {
    /// Images by their names in the data.
    pub files: Vec<String>,
    /// Further images of the validation part, chosen by the seed, both classes alike.
    pub chosen: usize,
}
