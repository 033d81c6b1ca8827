//! A run's own data, opened again as the run parted them: any other split would show its network images that it learned
//! from. Reads run folders.

use std::path::{Path, PathBuf};

use crate::training::checkpoint::RunFolder;
use crate::training::dataset::Options;
use crate::training::evaluation::Origin;
use crate::training::request::Request;

/// Options that open a run's own data as it parted them; `None` where the folders are others, or the run does not say
/// which were its own. Without folders beside it the first one stands for all of the run's.
pub fn own_options(run: &Path, data: &Path, beside: &[PathBuf]) -> Option<Options> {
    let request = Request::of_run(run).ok()?;
    let own = &request.dataset.beside;
    let all_the_same = || beside.len() == own.len() && beside.iter().zip(own).all(|(one, other)| is_same(one, other));
    if !is_same(data, &request.data) || !(beside.is_empty() || all_the_same()) {
        return None;
    }
    let mut options = request.dataset;
    // The copy in the run's folder says what it learned from, whatever became of the named file since.
    let named = options.split_file.take().filter(|file| file.exists());
    options = RunFolder::at(run).with_kept_split(options);
    options.split_file = options.split_file.or(named);
    Some(options)
}

/// Whether two paths lead to one folder.
fn is_same(one: &Path, other: &Path) -> bool {
    let found = one.canonicalize();
    found.is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// What to say of images that are parted otherwise than those that the weights were trained on; `None` where they are
/// not, or the weights do not say.
pub fn split_warning(origin: &Origin) -> Option<&'static str> {
    let trained = origin.trained_split_id.as_ref()?;
    (*trained != origin.split_id).then_some(
        "The data are parted otherwise than those that the run learned from: unless these are other images, it may have \
         learned from some of them.",
    )
}
