//! The text format in which Prometheus reads figures, version 0.0.4.

use std::fmt::Write as _;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    Gauge,
    /// `…_count` and `…_sum`.
    Summary,
}

/// Names and values.
pub(super) type Labels<'a> = Vec<(&'static str, &'a str)>;

/// Families that were written so far.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// One family. What has no samples is left out: unknown is not 0.
    pub(super) fn family<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        let samples = samples.into_iter().map(|(labels, value)| ("", labels, value));
        self.write(name, kind, help, samples);
    }

    /// A summary without quantiles: how many, and their sum.
    pub(super) fn summary<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64, f64)>,
    ) {
        let samples = samples
            .into_iter()
            .flat_map(|(labels, count, sum)| [("_count", labels.clone(), count), ("_sum", labels, sum)]);
        self.write(name, Kind::Summary, help, samples);
    }

    fn write<'a>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl Iterator<Item = (&'static str, Labels<'a>, f64)>,
    ) {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return;
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Summary => "summary",
        };
        let mut text = format!("# HELP {name} {}\n# TYPE {name} {kind}\n", escape(help, false));
        for (ending, labels, value) in samples {
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value, true))).collect();
            let braces = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            // text grows without failing
            let _written = writeln!(text, "{name}{ending}{braces} {value}");
        }
        self.text.push_str(&text);
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn escape(text: &str, quoted: bool) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n");
    if quoted { text.replace('"', "\\\"") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_are_escaped_and_families_without_samples_left_out() {
        let mut exposition = Exposition::default();
        exposition.family("a_total", Kind::Counter, "one\\two\nthree", [(vec![("job", "x\"y\\z\n")], 3.0)]);
        exposition.family("b", Kind::Gauge, "nothing", Vec::new());
        exposition.family("c", Kind::Gauge, "half", [(Vec::new(), 0.5)]);
        exposition.summary("d_seconds", "times", [(vec![("job", "x")], 2.0, 3.25)]);
        assert_eq!(
            exposition.into_text(),
            "# HELP a_total one\\\\two\\nthree\n# TYPE a_total counter\na_total{job=\"x\\\"y\\\\z\\n\"} 3\n\
             # HELP c half\n# TYPE c gauge\nc 0.5\n\
             # HELP d_seconds times\n# TYPE d_seconds summary\nd_seconds_count{job=\"x\"} 2\nd_seconds_sum{job=\"x\"} 3.25\n"
        );
    }
}
