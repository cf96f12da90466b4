//! The project's own files as text: which are committed, and the code of a Rust file without comments and literals.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file of the project; what is not UTF-8 is replaced.
pub fn read(path: &str) -> String {
    let bytes = std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The files that belong to the project, relative to [`root`], sorted: those git knows or would add, or without git all but what
/// building and running leave behind.
pub fn project_files() -> Vec<String> {
    let mut files = if root().join(".git").exists() { listed_by_git() } else { Vec::new() };
    if files.is_empty() {
        walk(root(), &mut files);
    }
    files.sort();
    files.dedup();
    files
}

fn listed_by_git() -> Vec<String> {
    let listing = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .current_dir(root())
        .output();
    let Ok(listing) = listing else { return Vec::new() };
    let names = String::from_utf8_lossy(&listing.stdout).into_owned();
    names.split('\0').filter(|name| !name.is_empty() && root().join(name).is_file()).map(str::to_owned).collect()
}

fn walk(folder: &Path, files: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the project");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    for path in paths {
        let relative = path.strip_prefix(root()).expect("inside the project").to_string_lossy().into_owned();
        if ["target", "var", ".git"].contains(&relative.as_str()) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(relative);
        }
    }
}

/// One Rust file.
pub struct RustFile {
    /// Relative to the project's folder.
    pub path: String,
    pub text: String,
    /// The text with comments and the contents of literals blanked out; lines stay where they are.
    pub code: String,
    /// The lines from this one on (from 0) are tests.
    pub tests_from: usize,
}

impl RustFile {
    /// Lines of code with their number from 1, tests included.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(at, line)| (at + 1, line))
    }

    /// Lines of code with their number from 1, without the tests.
    pub fn production_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().take(self.tests_from)
    }

    /// Lines of tests with their number from 1.
    pub fn test_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().skip(self.tests_from)
    }
}

/// Every Rust file of `src`, `tests` and `benches`.
pub fn rust_files() -> Vec<RustFile> {
    let is_rust = |path: &String| {
        Path::new(path).extension().is_some_and(|extension| extension == "rs")
            && ["src/", "tests/", "benches/"].iter().any(|folder| path.starts_with(folder))
    };
    let mut files: Vec<RustFile> = project_files()
        .into_iter()
        .filter(is_rust)
        .map(|path| {
            let text = read(&path);
            let code = code_of(&text);
            let tests_from = if path.starts_with("src/") { first_line_of_tests(&code) } else { 0 };
            RustFile { path, text, code, tests_from }
        })
        .collect();
    let of_tests: Vec<String> = files.iter().flat_map(test_modules).collect();
    for file in &mut files {
        if of_tests
            .iter()
            .any(|module| file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/")))
        {
            file.tests_from = 0;
        }
    }
    files
}

/// Where `#[cfg(test)] mod tests {` begins.
fn first_line_of_tests(code: &str) -> usize {
    let lines: Vec<&str> = code.lines().collect();
    let begins = |pair: &[&str]| {
        pair[0].trim() == "#[cfg(test)]"
            && pair[1].trim_start().starts_with("mod ")
            && pair[1].trim_end().ends_with('{')
    };
    lines.windows(2).position(begins).unwrap_or(lines.len())
}

/// The paths, without ending, of the modules that a file declares as tests in files of their own.
fn test_modules(file: &RustFile) -> Vec<String> {
    let folder = file.path.trim_end_matches(".rs").trim_end_matches("mod").trim_end_matches('/');
    let lines: Vec<&str> = file.code.lines().map(str::trim).collect();
    let declared = lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]").filter_map(|pair| {
        let name = pair[1].strip_prefix("mod ")?.strip_suffix(';')?;
        Some(format!("{folder}/{name}"))
    });
    declared.collect()
}

/// Blanks out comments and the contents of strings and characters.
pub fn code_of(text: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < signs.len() {
        let end = literal_or_comment_end(&signs, at);
        if end == at {
            code.push(signs[at]);
            at += 1;
        } else {
            code.extend(signs[at..end].iter().map(|sign| if *sign == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    code
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn literal_or_comment_end(signs: &[char], at: usize) -> usize {
    let sign = |offset: usize| signs.get(at + offset).copied().unwrap_or('\0');
    let before = at.checked_sub(1).map_or(' ', |before| signs[before]);
    match sign(0) {
        '/' if sign(1) == '/' => (at..signs.len()).find(|end| signs[*end] == '\n').unwrap_or(signs.len()),
        '/' if sign(1) == '*' => block_comment_end(signs, at),
        '"' => quoted_end(signs, at, '"'),
        'r' if !is_name(before) || matches!(before, 'b' | 'c') => raw_string_end(signs, at),
        // a lifetime has no closing quote after its first sign
        '\'' if sign(1) == '\\' || (sign(1) != '\'' && sign(2) == '\'') => quoted_end(signs, at, '\''),
        _ => at,
    }
}

fn block_comment_end(signs: &[char], at: usize) -> usize {
    let (mut depth, mut end) = (0_usize, at);
    while end < signs.len() {
        match (signs[end], signs.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end
}

fn quoted_end(signs: &[char], at: usize, quote: char) -> usize {
    let mut end = at + 1;
    while end < signs.len() && signs[end] != quote {
        end += if signs[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(signs.len())
}

fn raw_string_end(signs: &[char], at: usize) -> usize {
    let hashes = signs[at + 1..].iter().take_while(|sign| **sign == '#').count();
    let open = at + 1 + hashes;
    if signs.get(open) != Some(&'"') {
        return at;
    }
    let closes = |end: &usize| signs[*end] == '"' && (1..=hashes).all(|hash| signs.get(end + hash) == Some(&'#'));
    (open + 1..signs.len()).find(closes).map_or(signs.len(), |end| end + 1 + hashes)
}

pub fn is_name(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// Whether a line holds a name or path as a whole: `sqlx`, `Utc::now`.
pub fn names(line: &str, wanted: &str) -> bool {
    line.match_indices(wanted).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + wanted.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[test]
fn code_is_what_remains_without_comments_and_literals() {
    let text = "let a = \"x // y\"; // sqlx\nlet b = r#\"a \" b\"#; /* one /* two */ */ let c = '\"'; fn f<'a>(d: &'a str) {}\n";
    let code = code_of(text);
    assert_eq!(
        code.split_whitespace().collect::<Vec<_>>().join(" "),
        "let a = ; let b = ; let c = ; fn f<'a>(d: &'a str) {}"
    );
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(names("use sqlx::PgPool;", "sqlx") && !names("use sqlxx;", "sqlx"));
}
