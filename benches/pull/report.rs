//! What came out: a table for people, a file for programs.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::common::program::Ran;
use crate::lines::Line;

/// One line as it was measured.
pub struct Figure {
    pub line: Line,
    pub rows: u64,
    pub pull: Ran,
    /// `\copy` right before and right after.
    pub copies: [Duration; 2],
    /// What was written to the write-ahead log meanwhile.
    pub log_bytes: u64,
}

impl Figure {
    fn copy_seconds(&self) -> f64 {
        self.copies.map(|copy| copy.as_secs_f64()).into_iter().fold(f64::INFINITY, f64::min)
    }

    fn rows_per_second(&self) -> f64 {
        self.rows as f64 / self.pull.took.as_secs_f64()
    }

    /// The pull's speed as a share of the better `\copy`.
    pub fn ratio(&self) -> f64 {
        self.copy_seconds() / self.pull.took.as_secs_f64()
    }

    fn cells(&self) -> [String; 10] {
        let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
        [
            self.line.title().to_owned(),
            self.rows.to_string(),
            format!("{:.2}", self.pull.took.as_secs_f64()),
            format!("{:.0}", self.rows_per_second()),
            format!("{:.2}", self.copy_seconds()),
            format!("{:.2}", self.ratio()),
            self.line.goal().map_or_else(String::new, |goal| format!("{goal:.2}")),
            known(self.pull.peak_bytes.map(|bytes| format!("{:.0}", mebibytes(bytes)))),
            known(self.pull.processor_seconds.map(|seconds| format!("{seconds:.2}"))),
            format!("{:.1}", mebibytes(self.log_bytes)),
        ]
    }

    fn json(&self) -> Value {
        json!({
            "line": self.line.to_possible_value().map(|value| value.get_name().to_owned()),
            "rows": self.rows,
            "seconds": self.pull.took.as_secs_f64(),
            "rows_per_second": self.rows_per_second(),
            "copy_seconds": self.copies.map(|copy| copy.as_secs_f64()),
            "ratio": self.ratio(),
            "goal": self.line.goal(),
            "peak_bytes": self.pull.peak_bytes,
            "processor_seconds": self.pull.processor_seconds,
            "log_bytes": self.log_bytes,
            "report": self.pull.report,
        })
    }
}

const TITLES: [&str; 10] = ["pull", "rows", "s", "rows/s", "\\copy s", "ratio", "goal", "peak MiB", "CPU s", "WAL MiB"];

/// The table; the first column is text, the others are numbers.
pub fn table(figures: &[Figure]) -> String {
    let mut lines = vec![TITLES.map(str::to_owned)];
    lines.extend(figures.iter().map(Figure::cells));
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; TITLES.len()] = std::array::from_fn(width);
    let mut text = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            let (before, after) = if column == 0 { ("", padding.as_str()) } else { (padding.as_str(), "") };
            write!(line, "{before}{cell}{after}  ").expect("text grows");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// What the program tells of the stages of a pull, one a line; nothing where it tells none.
pub fn stages(report: &Value) -> String {
    let mut text = String::new();
    let told = |stage: &Value| stage.as_str().map_or_else(|| stage.to_string(), str::to_owned);
    match &report["stages"] {
        Value::Object(stages) => {
            for (name, stage) in stages {
                writeln!(text, "    {name}: {}", told(stage)).expect("text grows");
            }
        }
        Value::Array(stages) => {
            for stage in stages {
                writeln!(text, "    {}", told(stage)).expect("text grows");
            }
        }
        _ => {}
    }
    text
}

/// Writes everything that was measured.
pub fn write_json(path: &Path, facts: &[(&str, Value)], figures: &[Figure]) -> anyhow::Result<()> {
    let facts: serde_json::Map<String, Value> =
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let figures: Vec<Value> = figures.iter().map(Figure::json).collect();
    let text = serde_json::to_string_pretty(&json!({ "machine": facts, "pulls": figures }))?;
    std::fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
