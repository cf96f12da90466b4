//! `renzheng config`: every setting in force, and where it comes from. What is secret is not shown.

use super::context::settings;
use super::output::Output;
use super::table::table;
use super::{Common, Ended};
use crate::config::{Origin, SettingLine};

pub(super) fn run(common: &Common, out: Output) -> anyhow::Result<Ended> {
    let (settings, _) = settings(common)?;
    if out.is_json() {
        for line in &settings.lines {
            out.json(line)?;
        }
    } else {
        let rows: Vec<Vec<String>> = settings.lines.iter().map(row).collect();
        out.line(table(&["setting", "value", "from"], &rows, &[]))?;
    }
    Ok(Ended::Done)
}

fn row(line: &SettingLine) -> Vec<String> {
    let from = match (&line.origin, &line.value) {
        (Origin::Flag, _) => "flag".to_owned(),
        (Origin::Variable { variable }, _) => variable.clone(),
        (Origin::File { line }, _) => format!("renzheng.toml:{line}"),
        (Origin::Default, Some(_)) => "default".to_owned(),
        (Origin::Default, None) => "not set".to_owned(),
    };
    vec![line.key.clone(), line.value.clone().unwrap_or_else(|| "–".to_owned()), from]
}
