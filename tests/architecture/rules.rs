//! The rules, each a function from one source file to its faults.

use crate::source::{Named, Source, Word};
use crate::{BELONGS, MAY_USE};

/// Names that say nothing.
const EMPTY_WORDS: [&str; 6] = ["util", "utils", "helper", "helpers", "manager", "managers"];

/// Lines of a file, tests included.
pub const MOST_LINES: usize = 600;

/// Lines above an unsafe block in which its reason may stand.
const REASON_LINES: usize = 4;

/// Paths of this crate that the table does not allow.
pub fn dependencies(source: &Source) -> Vec<String> {
    let allowed = MAY_USE
        .iter()
        .find(|(module, _)| *module == source.top())
        .map_or(&[][..], |(_, uses)| *uses);
    let may = |path: &[String]| {
        path[0] == source.top()
            || allowed
                .iter()
                .any(|uses| uses.split("::").eq(path.iter().take(uses.split("::").count())))
    };
    let fault = |named: Named| {
        let path = match named.segments[0].as_str() {
            "recovnet" if source.top() == "main" => named.segments[1..].to_vec(),
            _ => source.resolve(&named)?,
        };
        (path.is_empty() || !may(&path)).then(|| {
            source.says(
                named.line,
                &format!("{} may not use crate::{}", source.top(), path.join("::")),
            )
        })
    };
    source.paths().into_iter().filter_map(fault).collect()
}

/// Outside crates away from their modules.
pub fn outside_crates(source: &Source) -> Vec<String> {
    let owners = |name: &str| {
        let matches = |pattern: &str| match pattern.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        BELONGS
            .iter()
            .find(|(pattern, _)| matches(pattern))
            .map(|(_, owners)| *owners)
    };
    let fault = |named: Named| {
        let name = &named.segments[0];
        let homes = owners(name).filter(|homes| !homes.contains(&source.top()))?;
        let is_path = named.imported || named.segments.len() > 1;
        is_path.then(|| source.says(named.line, &format!("{name} belongs to {} only", homes.join(", "))))
    };
    source.paths().into_iter().filter_map(fault).collect()
}

/// Unsafe code outside `files`, or without its reason.
pub fn unsafety(source: &Source, files: &[&str]) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let fault = |word: Word| {
        if !files.contains(&source.path.as_str()) {
            return Some(source.says(word.line, "unsafe outside the named files"));
        }
        let above = &lines[word.line.saturating_sub(REASON_LINES + 1)..word.line];
        let said = above
            .iter()
            .any(|line| line.contains("SAFETY:") || line.contains("# Safety"));
        (word.after.starts_with('{') && !said).then(|| source.says(word.line, "unsafe without its SAFETY: reason"))
    };
    source
        .words()
        .into_iter()
        .filter(|word| word.text == "unsafe")
        .filter_map(fault)
        .collect()
}

/// Files that are too long.
pub fn length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    let fault = || source.says(lines, &format!("more than {MOST_LINES} lines"));
    (lines > MOST_LINES).then(fault).into_iter().collect()
}

/// Files that do not say what they are.
pub fn module_doc(source: &Source) -> Vec<String> {
    let fault = || source.says(1, "does not begin with a module doc (//!)");
    (!source.text.starts_with("//!")).then(fault).into_iter().collect()
}

/// Files and items with names that say nothing.
pub fn names(source: &Source) -> Vec<String> {
    let empty = |name: &str| words(name).iter().any(|word| EMPTY_WORDS.contains(&word.as_str()));
    let file = source
        .module
        .iter()
        .filter(|part| empty(part) || *part == "data")
        .map(|part| (1, part.clone()));
    let declares = ["mod", "struct", "enum", "trait", "fn", "type", "const", "static"];
    let declared = source
        .words()
        .into_iter()
        .filter(|word| declares.contains(&word.before.as_str()));
    let declared = declared
        .filter(|word| empty(&word.text))
        .map(|word| (word.line, word.text));
    file.chain(declared)
        .map(|(line, name)| source.says(line, &format!("the name {name} says nothing")))
        .collect()
}

/// `ModelManager` and `model_manager` to `model`, `manager`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        if letter == '_' || letter.is_uppercase() {
            words.push(String::new());
        }
        if letter != '_' {
            words
                .last_mut()
                .expect("there is one from the start")
                .extend(letter.to_lowercase());
        }
    }
    words
}

/// Unwrapping outside tests.
pub fn unwraps(source: &Source) -> Vec<String> {
    let unwraps = source
        .words()
        .into_iter()
        .filter(|word| !word.in_test && word.before == ".");
    let unwraps = unwraps.filter(|word| matches!(word.text.as_str(), "unwrap" | "unwrap_err"));
    unwraps
        .map(|word| source.says(word.line, "unwrap outside a test"))
        .collect()
}

/// Colours made outside the theme.
pub fn colours(source: &Source) -> Vec<String> {
    if source.module.iter().any(|part| part == "theme") {
        return Vec::new();
    }
    let constructs = |named: &Named| {
        let [.., kind, constructor] = named.segments.as_slice() else {
            return false;
        };
        let plain = constructor.starts_with("from_") || constructor.chars().all(|c| c.is_uppercase() || c == '_');
        kind == "Color32" && plain && !matches!(constructor.as_str(), "TRANSPARENT" | "PLACEHOLDER")
    };
    let fault = |named: Named| source.says(named.line, &format!("{} outside the theme", named.segments.join("::")));
    source.paths().into_iter().filter(constructs).map(fault).collect()
}
