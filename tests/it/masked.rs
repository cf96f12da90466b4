//! What the program said, with what differs from run to run left out: instants, ids and seconds.

/// Masks instants `[at]`, ids `[id]` and measured times and speeds `[s]`, hashes `[hash]`; columns that they stretch are closed up.
pub fn masked(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(masked_line).collect();
    lines.join("\n")
}

fn masked_line(line: &str) -> String {
    let mut said = String::new();
    let mut word = String::new();
    for sign in line.chars().chain(['\n']) {
        if sign.is_ascii_alphanumeric() || "-:+.".contains(sign) {
            word.push(sign);
            continue;
        }
        let word_masked = masked_word(&word, &said);
        said.push_str(&word_masked);
        word.clear();
        if !(sign == ' ' && said.ends_with("  ")) {
            said.push(sign);
        }
    }
    said.trim_end().to_owned()
}

/// Measured times have a fraction and stand between blanks or after a colon; a ratio of the settings stands elsewhere.
fn masked_word(word: &str, before: &str) -> String {
    let inner = word.trim_start_matches(':');
    let (colon, bare) = (&word[..word.len() - inner.len()], inner.trim_end_matches([':', '.']));
    let rest = &inner[bare.len()..];
    let measured =
        !colon.is_empty() || (before.ends_with(' ') && !before.ends_with("ratio  ") && !before.ends_with("= "));
    let fraction = measured && bare.contains(['.', 'e']) && bare.parse::<f64>().is_ok();
    let is_hash = bare.len() == 16 && bare.bytes().all(|sign| sign.is_ascii_digit() || (b'a'..=b'f').contains(&sign));
    if uuid::Uuid::parse_str(bare).is_ok() {
        format!("{colon}[id]{rest}")
    } else if chrono::DateTime::parse_from_rfc3339(bare).is_ok() {
        format!("{colon}[at]{rest}")
    } else if fraction || (!colon.is_empty() && before.ends_with("_per_s\"")) {
        format!("{colon}[s]{rest}")
    } else if is_hash {
        format!("{colon}[hash]{rest}")
    } else {
        word.to_owned()
    }
}

#[test]
fn what_differs_is_masked_and_what_does_not_is_kept() {
    assert_eq!(
        masked("7  2026-04-15T02:00:00.5+08:00   job-a  0.3  019d8ec6-1a00-7000-8000-000000000001: 12."),
        "7  [at]  job-a  [s]  [id]: 12."
    );
    assert_eq!(
        masked("{\"fetch_s\":0.002,\"rows_per_s\":305,\"read\":2} contract 75ebec964d9f6fe7 = 0.3"),
        "{\"fetch_s\":[s],\"rows_per_s\":[s],\"read\":2} contract [hash] = 0.3"
    );
}
