//! The house is kept in order: who may know whom, what belongs where, and what is nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use renzheng::config::{check_jobs, read_jobs};
use renzheng::domain::ids::{ResidentId, Uscc};

use crate::source_text::{RustFile, is_name, names, project_files, read, root, rust_files};

/// Which rooms each room may use besides [`COMMON`].
const MAY_USE: &[(&str, &[&str])] = &[
    ("policy", &[]),
    ("config", &[]),
    ("http", &["config"]),
    ("sources", &["config", "http"]),
    ("store", &[]),
    ("ingest", &["sources", "store", "config"]),
    ("verify", &["store", "policy"]),
    ("declare", &["sources", "store", "verify", "policy"]),
    ("push", &["store", "config", "http"]),
    ("notify", &["store", "config", "http"]),
    ("schedule", &["ingest", "verify", "declare", "push", "notify", "store", "config"]),
    ("web", &["store", "verify", "declare", "push", "policy", "config"]),
    // it knows only the wire
    ("sandbox", &[]),
];

/// What everyone may use. These use nothing themselves, but the clock the domain's words.
const COMMON: &[&str] = &["domain", "clock", "crypto", "errors"];

/// The command line and the crate's roots see everything.
const SEE_ALL: &[&str] = &["cli", "lib", "main"];

/// Files whose code without tests is longer than [`LONGEST`], and why they are one thing all the same.
const LONG_FILES: &[(&str, &str)] = &[];
const LONGEST: usize = 500;

fn room_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    Some(inside.split_once('/').map_or_else(|| inside.trim_end_matches(".rs"), |(room, _)| room))
}

fn may_use(room: &str, other: &str) -> Option<bool> {
    if room == other || SEE_ALL.contains(&room) {
        return Some(true);
    }
    if COMMON.contains(&room) {
        return Some(room == "clock" && other == "domain");
    }
    let (_, others) = MAY_USE.iter().find(|(known, _)| *known == room)?;
    Some(COMMON.contains(&other) || others.contains(&other))
}

/// The rooms that are named after every `crate::` of a text, with the line from 1.
fn rooms_named(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        if code[..at].chars().next_back().is_some_and(is_name) {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let after = &code[at + prefix.len()..];
        let name = |text: &str| text.trim_start().chars().take_while(|sign| is_name(*sign)).collect::<String>();
        if let Some(group) = after.strip_prefix('{') {
            found.extend(top_level_parts(group).iter().map(|part| (line, name(part))));
        } else {
            found.push((line, name(after)));
        }
    }
    found
}

/// The parts, separated by commas, of a group whose opening brace is behind.
fn top_level_parts(group: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0_usize, 0, Vec::new());
    for (at, sign) in group.char_indices() {
        match sign {
            '{' => depth += 1,
            ',' | '}' if depth == 0 => {
                parts.push(&group[begin..at]);
                begin = at + 1;
                if sign == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// How many `super::` lead from a file to the crate's root.
fn depth_of(path: &str) -> usize {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').count()
}

#[track_caller]
fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

fn of_src(file: &RustFile) -> bool {
    file.path.starts_with("src/")
}

/// Tests of a room may use what the room may not: the sandbox it talks to.
fn is_test_module(file: &RustFile) -> bool {
    file.path.ends_with("/tests.rs") || file.path.ends_with("/testing.rs") || file.path.contains("/tests/")
}

fn begins_with_one_of(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

#[test]
fn a_room_uses_only_the_rooms_it_may_know() {
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| of_src(file) && !is_test_module(file)) {
        let room = room_of(&file.path).expect("a file of src");
        for (line, other) in rooms_named(&file.code) {
            match may_use(room, &other) {
                Some(true) => {}
                Some(false) => found.push(format!("{}:{line}: {room} may not use {other}", file.path)),
                None => found.push(format!("{}:{line}: the room {room} is not in the table", file.path)),
            }
        }
        let to_root = "super::".repeat(depth_of(&file.path));
        let climbing = file.production_lines().filter(|(_, line)| {
            names(&line.replace(&to_root, "the_root "), "the_root")
                && !file.path.ends_with("lib.rs")
                && !file.path.ends_with("main.rs")
        });
        found.extend(climbing.map(|(line, _)| format!("{}:{line}: reaches other rooms through `super`", file.path)));
    }
    assert_none(&found, "edges that are not in the table");
}

#[test]
fn rooms_in_groups_are_seen() {
    let code = "use crate::{store::{Store, runs}, verify};\nlet x = crate::policy::load();\nmy_crate::push();";
    let found: Vec<(usize, String)> = rooms_named(code);
    let expected = [(1, "store"), (1, "verify"), (2, "policy")].map(|(line, room)| (line, room.to_owned()));
    assert_eq!(found, expected);
}

#[test]
fn a_library_is_used_only_where_it_belongs() {
    const FENCES: &[(&str, &[&str])] = &[
        ("sqlx", &["src/store/", "src/sources/database/", "src/sandbox/"]),
        ("polars", &["src/sources/", "src/ingest/", "src/store/frames.rs", "src/verify/"]),
        ("axum", &["src/web/", "src/sandbox/"]),
        ("lettre", &["src/notify/"]),
        ("std::env", &["src/config/"]),
        ("reqwest::ClientBuilder", &["src/http.rs"]),
        ("reqwest::blocking", &[]),
    ];
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| of_src(file)) {
        for (wanted, places) in FENCES.iter().filter(|(_, places)| !begins_with_one_of(&file.path, places)) {
            let lines = file.production_lines().filter(|(_, line)| names(line, wanted));
            found.extend(lines.map(|(line, _)| format!("{}:{line}: {wanted} belongs in {places:?}", file.path)));
        }
        if file.path != "src/http.rs" && names(&file.code, "reqwest") {
            let built = |line: &str| ["Client::new", "Client::builder"].iter().any(|wanted| names(line, wanted));
            let lines = file.production_lines().filter(|(_, line)| built(line));
            found.extend(lines.map(|(line, _)| format!("{}:{line}: clients are built in src/http.rs", file.path)));
        }
    }
    assert_none(&found, "libraries on the wrong side of their fence");
}

#[test]
fn time_is_read_only_by_the_clock() {
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| file.path != "src/clock.rs") {
        for wanted in ["Utc::now", "Local::now", "SystemTime::now"] {
            let lines = file.lines().filter(|(_, line)| names(line, wanted));
            found.extend(lines.map(|(line, _)| format!("{}:{line}: {wanted}", file.path)));
        }
    }
    assert_none(&found, "time that is not handed in");
}

#[test]
fn nothing_outside_the_store_writes_a_lease() {
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| of_src(file) && !file.path.starts_with("src/store/")) {
        for wanted in ["lease_token", "lease_expires_at", "lease_s"] {
            let lines = file.production_lines().filter(|(_, line)| names(line, wanted));
            found.extend(lines.map(|(line, _)| format!("{}:{line}: {wanted}", file.path)));
        }
    }
    assert_none(&found, "leases written outside src/store");
}

#[test]
fn only_the_use_cases_save_a_declaration() {
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| of_src(file)) {
        if begins_with_one_of(&file.path, &["src/declare/", "src/store/"]) {
            continue;
        }
        let lines = file.production_lines().filter(|(_, line)| names(line, "save_declaration"));
        found.extend(lines.map(|(line, _)| format!("{}:{line}", file.path)));
    }
    assert_none(&found, "declarations saved outside src/declare");
}

#[test]
fn every_file_opens_with_a_sentence_that_says_its_role() {
    let opens = |file: &RustFile| {
        let sentence = file.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        let paragraph: Vec<&str> = file.text.lines().map_while(|line| line.strip_prefix("//! ")).collect();
        sentence.is_some_and(|sentence| sentence.len() > 10)
            && paragraph.last().is_some_and(|last| last.ends_with(['.', ':', '`', ')']))
            || file.text.starts_with("#![doc = include_str!(")
    };
    let found: Vec<String> = rust_files().into_iter().filter(|file| !opens(file)).map(|file| file.path).collect();
    assert_none(&found, "files that do not open with `//!` and a sentence");
}

#[test]
fn nothing_is_left_undone_ignored_or_switched_off() {
    let nowhere = ["#[ignore", "#[should_panic", "todo!", "unimplemented!", ".unwrap()", "#[allow(", "#![allow("];
    let mut found = Vec::new();
    for file in rust_files() {
        for (line, code) in file.lines() {
            let words = nowhere.iter().filter(|wanted| code.contains(**wanted)).copied();
            let keywords = ["unsafe", "dbg!"].into_iter().filter(|wanted| names(code, wanted));
            found.extend(words.chain(keywords).map(|wanted| format!("{}:{line}: {wanted}", file.path)));
        }
    }
    assert_none(&found, "what is nowhere");
}

#[test]
fn no_test_sleeps() {
    let mut found = Vec::new();
    for file in rust_files() {
        for wanted in ["thread::sleep", "time::sleep", "sleep_until"] {
            let lines = file.test_lines().filter(|(_, line)| names(line, wanted));
            found.extend(lines.map(|(line, _)| format!("{}:{line}: {wanted}", file.path)));
        }
    }
    assert_none(&found, "tests that wait instead of asking");
}

/// A half-width mark between two ideographs, or between one and what is put in there: `通过,也` for `通过，也`, `缺少:{}` for `缺少：{}`.
fn has_half_width_mark(line: &str) -> bool {
    let ideograph = |sign: char| ('\u{4e00}'..='\u{9fff}').contains(&sign);
    let signs: Vec<char> = line.chars().collect();
    signs.windows(3).any(|three| {
        let (before, after) = (ideograph(three[0]), ideograph(three[2]));
        let sides = (before || "}”".contains(three[0])) && (after || "{“".contains(three[2]));
        ",;:!?".contains(three[1]) && sides && (before || after)
    })
}

#[test]
fn chinese_sentences_have_chinese_punctuation() {
    for wrong in ["未通过,也", "缺少:{}", "{month}:未"] {
        assert!(has_half_width_mark(wrong), "{wrong}");
    }
    assert!(!has_half_width_mark("未通过，也 (甲, 乙) {a}:{b}"));
    let mut found = Vec::new();
    for file in rust_files().iter().filter(|file| of_src(file)) {
        let lines = file.text.lines().take(file.tests_from).enumerate().filter(|(_, line)| has_half_width_mark(line));
        found.extend(lines.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim())));
    }
    assert_none(&found, "half-width punctuation in Chinese text");
}

#[test]
fn files_stay_short() {
    let long: BTreeMap<String, usize> = rust_files()
        .into_iter()
        .filter(of_src)
        .map(|file| (file.path.clone(), file.production_lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .collect();
    let known: BTreeSet<&str> = LONG_FILES.iter().map(|(path, _)| *path).collect();
    let grown = long.iter().filter(|(path, _)| !known.contains(path.as_str()));
    let found: Vec<String> = grown.map(|(path, lines)| format!("{path}: {lines} lines")).collect();
    assert_none(&found, "files that hold more than one thing");
    let shrunk = known.into_iter().filter(|path| !long.contains_key(*path));
    assert_none(&shrunk.map(str::to_owned).collect::<Vec<_>>(), "files that are short again: take them off the list");
}

#[test]
fn the_top_level_holds_only_what_was_agreed() {
    let agreed =
        ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "benches", "fixtures", "jobs", "schemas", "src", "tests"];
    let top: BTreeSet<String> =
        project_files().iter().filter_map(|path| path.split('/').next().map(str::to_owned)).collect();
    let found: Vec<String> =
        top.into_iter().filter(|entry| !entry.starts_with('.') && !agreed.contains(&entry.as_str())).collect();
    assert_none(&found, "entries at the top that nobody agreed on");
}

#[test]
fn nothing_refers_to_the_outside() {
    // put together so that this file does not find itself
    let machines = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]].map(|parts| parts.concat());
    let up = ["..", "/"].concat();
    let mut found = Vec::new();
    for path in project_files() {
        let depth = path.matches('/').count();
        let beyond = up.repeat(depth + 1);
        for (at, line) in read(&path).lines().enumerate() {
            let outside = machines.iter().any(|machine| line.contains(machine.as_str())) || line.contains(&beyond);
            if outside {
                found.push(format!("{path}:{}", at + 1));
            }
        }
    }
    assert_none(&found, "paths that lead out of the project");
}

#[test]
fn the_jobs_are_without_mistakes() {
    let (jobs, mut errors) = read_jobs(&root().join("jobs"));
    errors.extend(check_jobs(&jobs));
    assert_none(&errors.iter().map(ToString::to_string).collect::<Vec<_>>(), "mistakes in jobs");
    assert!(!jobs.is_empty(), "there are jobs");
}

/// Words of letters and digits with their line from 1.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines.flat_map(|(at, line)| line.split(|sign: char| !sign.is_ascii_alphanumeric()).map(move |word| (at + 1, word)))
}

/// The resident ID that a word is or, as a certificate number, begins with.
fn resident_id(word: &str) -> Option<&str> {
    let id = word.get(..18)?;
    let certificate = word.len() >= 20 && word.len() <= 24 && word[18..20].bytes().all(|byte| byte.is_ascii_digit());
    ((word.len() == 18 || certificate) && ResidentId::parse(id).is_ok()).then_some(id)
}

/// The unit's code that a word is: six digits say where it was registered.
fn unit_code(word: &str) -> Option<&str> {
    let shaped = word.len() == 18 && word.is_ascii() && word[2..8].bytes().all(|byte| byte.is_ascii_digit());
    (shaped && !word.bytes().any(|byte| byte.is_ascii_lowercase()) && Uscc::parse(word).is_ok()).then_some(word)
}

#[test]
fn no_number_in_the_project_can_be_a_real_persons_or_units() {
    /// The published specimen by which check digits are explained.
    const SPECIMEN: &str = "53010219200508011X";
    let mut found = Vec::new();
    for path in project_files() {
        for (line, word) in words(&read(&path)) {
            if let Some(id) = resident_id(word) {
                if !id.starts_with("3600") && id != SPECIMEN {
                    found.push(format!("{path}:{line}: an ID number outside the area codes 3600xx"));
                }
            } else if unit_code(word).is_some_and(|code| &code[2..8] != "369900") {
                found.push(format!("{path}:{line}: a unit's code outside the area 369900"));
            }
        }
    }
    assert_none(&found, "numbers that could be real");
}

#[test]
fn every_rule_of_the_database_has_a_name_of_its_own() {
    let (mut found, mut named) = (Vec::new(), BTreeSet::new());
    let migrations = project_files().into_iter().filter(|path| {
        path.starts_with("schemas/migrations/") && Path::new(path).extension().is_some_and(|ending| ending == "sql")
    });
    for path in migrations {
        let tokens = sql_tokens(&read(&path));
        for (at, (line, token)) in tokens.iter().enumerate() {
            let back = |steps: usize| at.checked_sub(steps).map_or("", |before| tokens[before].1.as_str());
            let rule = match token.as_str() {
                "check" => tokens.get(at + 1).is_some_and(|(_, next)| next == "("),
                "unique" => back(1) != "create",
                _ => false,
            };
            if rule && back(2) != "constraint" {
                found.push(format!("{path}:{line}: `{token}` without `constraint <name>`"));
            } else if rule && !named.insert(back(1).to_owned()) {
                found.push(format!("{path}:{line}: the name {} is taken", back(1)));
            }
        }
    }
    assert_none(&found, "rules of the database without a name of their own");
}

/// Words and signs of SQL in lower case with their line from 1; comments and texts are left out.
fn sql_tokens(sql: &str) -> Vec<(usize, String)> {
    let mut tokens: Vec<(usize, String)> = Vec::new();
    let mut in_text = false;
    for (at, line) in sql.lines().enumerate() {
        let mut word = String::new();
        let mut signs = line.chars().peekable();
        while let Some(sign) = signs.next() {
            if !in_text && sign == '-' && signs.peek() == Some(&'-') {
                break;
            }
            in_text ^= sign == '\'';
            if !in_text && is_name(sign) {
                word.extend(sign.to_lowercase());
                continue;
            }
            if !word.is_empty() {
                tokens.push((at + 1, std::mem::take(&mut word)));
            }
            if !in_text && !sign.is_whitespace() {
                tokens.push((at + 1, sign.to_string()));
            }
        }
        if !word.is_empty() {
            tokens.push((at + 1, word));
        }
    }
    tokens
}
