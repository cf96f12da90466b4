//! Data on stdout: text for people, JSON lines for programs.

use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Format;

/// Where a command's data goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    format: Format,
    /// ID numbers and names are shown whole.
    pub(super) reveal: bool,
}

impl Output {
    pub(super) fn new(format: Format, reveal: bool) -> Self {
        Self { format, reveal }
    }

    pub(super) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// One line of text.
    #[expect(clippy::unused_self, reason = "speaks where the others speak")]
    pub(super) fn line(self, text: impl AsRef<str>) -> std::io::Result<()> {
        writeln!(std::io::stdout().lock(), "{}", text.as_ref())
    }

    /// One JSON line.
    #[expect(clippy::unused_self, reason = "speaks where the others speak")]
    pub(super) fn json(self, value: &impl Serialize) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        std::io::stdout().lock().write_all(&line)?;
        Ok(())
    }

    /// The value as JSON, or told by `text`.
    pub(super) fn value<T: Serialize>(self, value: &T, text: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        if self.is_json() { self.json(value) } else { Ok(self.line(text(value))?) }
    }
}

/// A bar on stderr while something long goes on; nothing unless stderr is a terminal.
pub(super) fn progress(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}: {human_pos} {msg} ({per_sec}, {elapsed})") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// From here on the bar knows about how much there is.
pub(super) fn with_estimate(bar: &ProgressBar, all: u64) {
    if bar.length() != Some(all) {
        let template = "{spinner} {prefix}: [{wide_bar}] {human_pos} of {human_len} {msg} ({per_sec}, {eta} left)";
        if bar.length().is_none()
            && let Ok(style) = ProgressStyle::with_template(template)
        {
            bar.set_style(style);
        }
        bar.set_length(all);
    }
}
