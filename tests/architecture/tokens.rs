//! Rust text to tokens: enough to tell code from comments and strings. Knows no grammar.

/// A word, `::`, or one other character; comments, strings and characters are left out.
pub struct Token {
    pub text: String,
    pub line: usize,
}

impl Token {
    pub fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c.is_alphabetic() || c == '_')
    }
}

/// The text without comments, strings, characters and lifetimes.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while !rest.is_empty() {
        let skip = skipped(rest);
        let end = if skip > 0 { skip } else { token_end(rest) };
        let (taken, others) = rest.split_at(end);
        if skip == 0 && !taken.starts_with(char::is_whitespace) {
            found.push(Token {
                text: taken.to_owned(),
                line,
            });
        }
        line += taken.matches('\n').count();
        rest = others;
    }
    found
}

/// Bytes of the token or the blank that a text begins with.
fn token_end(text: &str) -> usize {
    match word_end(text) {
        0 if text.starts_with("::") => 2,
        0 => text.chars().next().map_or(0, char::len_utf8),
        end => end,
    }
}

fn word_end(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len())
}

/// Bytes of the comment, string, character or lifetime that a text begins with; 0 if with none.
fn skipped(text: &str) -> usize {
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return end_of(text, 2, "*/");
    }
    if let Some(inside) = text.strip_prefix('\'') {
        let mut letters = inside.chars();
        return match (letters.next(), letters.next()) {
            (Some('\\'), _) => string_end(text, 1, '\''),
            (Some(letter), Some('\'')) => letter.len_utf8() + 2,
            _ => 1 + word_end(inside),
        };
    }
    let marker = ["br", "cr", "b", "c", "r", ""]
        .into_iter()
        .find(|marker| text.starts_with(marker))
        .unwrap_or_default();
    let behind = &text[marker.len()..];
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let begin = marker.len() + hashes + 1;
    if marker.ends_with('r') && behind[hashes..].starts_with('"') {
        return end_of(text, begin, &format!("\"{}", "#".repeat(hashes)));
    }
    if behind.starts_with('"') {
        return string_end(text, begin, '"');
    }
    0
}

/// Place behind the first `end` from a place on.
fn end_of(text: &str, from: usize, end: &str) -> usize {
    text[from..].find(end).map_or(text.len(), |at| from + at + end.len())
}

/// Place behind the closing quote of a string with escapes.
fn string_end(text: &str, begin: usize, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text[begin..].char_indices() {
        if letter == quote && !escaped {
            return begin + at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    text.len()
}
