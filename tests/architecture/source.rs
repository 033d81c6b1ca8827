//! One file of `src/`: the paths that it names and the words that it uses. Knows no rule.

use std::path::{Path, PathBuf};

use crate::tokens::{Token, tokens};

/// One source file.
pub struct Source {
    /// From the package's folder, with `/`.
    pub path: String,
    pub text: String,
    tokens: Vec<Token>,
    /// Module path; empty for `lib.rs`, `main` for the program.
    pub module: Vec<String>,
}

/// A path such as `crate::nn::Tensor`, as it stands in the text.
pub struct Named {
    pub segments: Vec<String>,
    /// Inline modules around it.
    pub inside: Vec<String>,
    /// Whether `use` stands right before it.
    pub imported: bool,
    pub line: usize,
}

/// A word with its surroundings.
pub struct Word {
    pub text: String,
    /// What stands right before it, such as `.`, `fn` or nothing.
    pub before: String,
    /// What stands right after it.
    pub after: String,
    pub line: usize,
    pub in_test: bool,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let inner = path.trim_start_matches("src/").trim_end_matches(".rs");
        let module = inner
            .split('/')
            .filter(|part| !matches!(*part, "mod" | "lib"))
            .map(str::to_owned)
            .collect();
        Self {
            path: path.into(),
            text: text.into(),
            tokens: tokens(text),
            module,
        }
    }

    /// The top-level module, or `lib`.
    pub fn top(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }

    /// A fault's line in the report.
    pub fn says(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }

    /// Every path in the text, those of a `use` tree one by one.
    pub fn paths(&self) -> Vec<Named> {
        let mut found = Vec::new();
        let mut open: Vec<Option<String>> = Vec::new();
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            if token.is_word() {
                let inside: Vec<String> = open.iter().flatten().cloned().collect();
                at = self.path_tree(at, &[], &inside, &mut found);
                continue;
            }
            match token.text.as_str() {
                "{" => open.push((at >= 2 && self.text_at(at - 2) == "mod").then(|| self.text_at(at - 1).to_owned())),
                "}" => drop(open.pop()),
                _ => {}
            }
            at += 1;
        }
        found
    }

    fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }

    /// Reads `a::b`, `a::{b, c::d}` or `a::*` that begins at a place; returns the place behind it.
    fn path_tree(&self, start: usize, prefix: &[String], inside: &[String], found: &mut Vec<Named>) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = start;
        loop {
            segments.push(self.text_at(at).to_owned());
            at += 1;
            if self.text_at(at) != "::" {
                break;
            }
            at += 1;
            if self.text_at(at) == "{" {
                at += 1;
                while at < self.tokens.len() && self.text_at(at) != "}" {
                    let is_path = self.tokens[at].is_word() || self.text_at(at) == "*";
                    at = if is_path {
                        self.path_tree(at, &segments, inside, found)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
            if !self.tokens.get(at).is_some_and(Token::is_word) && self.text_at(at) != "*" {
                break; // a turbofish
            }
        }
        let imported = start > 0 && self.text_at(start - 1) == "use";
        let bare = segments.len() == 1 && matches!(segments[0].as_str(), "crate" | "self" | "super");
        if bare && !imported {
            return at; // `pub(crate)` or a receiver
        }
        found.push(Named {
            segments,
            inside: inside.to_vec(),
            imported,
            line: self.tokens[start].line,
        });
        at
    }

    /// Every word in the text, and whether it belongs to a test.
    pub fn words(&self) -> Vec<Word> {
        let mut found = Vec::new();
        let mut depth = 0_usize;
        // Braces that are open around the test item that a marker stood before.
        let mut test_item: Option<usize> = None;
        for (at, token) in self.tokens.iter().enumerate() {
            match token.text.as_str() {
                "#" if test_item.is_none() && self.marks_test(at) => test_item = Some(depth),
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                _ => {}
            }
            if token.is_word() {
                found.push(Word {
                    text: token.text.clone(),
                    before: self.text_at(at.wrapping_sub(1)).to_owned(),
                    after: self.text_at(at + 1).to_owned(),
                    line: token.line,
                    in_test: test_item.is_some() || self.module.iter().any(|part| part == "tests"),
                });
            }
            if matches!(token.text.as_str(), "}" | ";") && test_item == Some(depth) {
                test_item = None;
            }
        }
        found
    }

    /// Whether `#[test]`, `#[cfg(test)]` or `#[cfg(all(test, …))]` begins at a place.
    fn marks_test(&self, at: usize) -> bool {
        let begin: Vec<&str> = self.tokens[at..]
            .iter()
            .take(6)
            .map(|token| token.text.as_str())
            .collect();
        matches!(
            begin.as_slice(),
            ["#", "[", "test", "]", ..] | ["#", "[", "cfg", "(", "test", ..] | ["#", "[", "cfg", "(", "all", "("]
        )
    }

    /// The path from the crate's root, or `None` if it does not begin with `crate`, `self` or `super`.
    pub fn resolve(&self, named: &Named) -> Option<Vec<String>> {
        let mut at: Vec<String> = self.module.iter().chain(&named.inside).cloned().collect();
        let mut rest = named.segments.as_slice();
        match rest.first()?.as_str() {
            "crate" => at.clear(),
            "self" | "super" => {}
            _ => return None,
        }
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" | "self" => {}
                "super" => {
                    at.pop();
                }
                _ => break,
            }
            rest = others;
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }
}

/// Every file below `src/`, in the order of their paths.
pub fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    rust_files(&root.join("src"), &mut files);
    assert!(files.len() > 10, "src/ is not where this test looks for it");
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(root).expect("the file was found below the root");
        let path = path.to_str().expect("source files have plain names").replace('\\', "/");
        Source::new(
            &path,
            &std::fs::read_to_string(file).expect("a source file can be read"),
        )
    };
    files.iter().map(read).collect()
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a source folder can be listed").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
    into.sort();
}
