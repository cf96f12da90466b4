//! What is measured: each line with its job, its delivery, what must come out, and the goal.

use anyhow::ensure;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::data::Population;
use crate::deliveries::Delivery;

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Line {
    /// The persons concerned, before all wages
    Certificates,
    /// First pull of a CSV delivery
    Csv,
    /// The same delivery again
    Again,
    /// The same rows in another order
    Reordered,
    /// The same rows, one in a hundred corrected
    Corrected,
    /// Another year of the same size into the tables that are full
    SecondYear,
    /// First pull of the delivery in GB 18030
    Gb18030,
    /// First pull from a table of another database
    Database,
    /// First pull over HTTP, pages of 5,000 rows
    Http,
    /// The same over HTTP again
    HttpAgain,
}

/// Lines that follow each other on one database. The first always fills it; the others need nothing but that.
pub const CHAINS: [&[Line]; 4] = [
    &[Line::Csv, Line::Again, Line::Reordered, Line::Corrected, Line::SecondYear],
    &[Line::Gb18030],
    &[Line::Database],
    &[Line::Http, Line::HttpAgain],
];

impl Line {
    pub fn title(self) -> &'static str {
        match self {
            Self::Certificates => "certificates, first pull",
            Self::Csv => "CSV, first pull",
            Self::Again => "CSV, same delivery again",
            Self::Reordered => "CSV, same rows in another order",
            Self::Corrected => "CSV, 1 % corrected",
            Self::SecondYear => "CSV, second year into full tables",
            Self::Gb18030 => "CSV in GB 18030, first pull",
            Self::Database => "database to database, first pull",
            Self::Http => "HTTP pages, first pull",
            Self::HttpAgain => "HTTP pages, again",
        }
    }

    pub fn job(self) -> &'static str {
        match self {
            Self::Certificates => "pull-certificate",
            Self::Gb18030 => "pull-wage-gb18030",
            Self::Database => "pull-wage-database",
            Self::Http | Self::HttpAgain => "pull-wage-http",
            Self::Csv | Self::Again | Self::Reordered | Self::Corrected | Self::SecondYear => "pull-wage-csv",
        }
    }

    /// The file that is pulled, or that holds the same rows: the yardstick copies it.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Certificates => Delivery::Certificates,
            Self::Reordered => Delivery::Reordered,
            Self::Corrected => Delivery::Corrected,
            Self::SecondYear => Delivery::SecondYear,
            Self::Gb18030 => Delivery::Gb18030,
            Self::Csv | Self::Again | Self::Database | Self::Http | Self::HttpAgain => Delivery::Wages,
        }
    }

    /// The least share of the yardstick's speed that is wanted.
    pub fn goal(self) -> Option<f64> {
        match self {
            Self::Csv => Some(0.30),
            Self::Again => Some(0.80),
            _ => None,
        }
    }

    /// A wrong result must not pass for speed: fails unless the program's report tells exactly what the delivery held.
    pub fn check(self, population: &Population, report: &Value) -> anyhow::Result<()> {
        let rows = self.delivery().rows(population);
        let (new, changed) = match self {
            Self::Again | Self::Reordered | Self::HttpAgain => (0, 0),
            Self::Corrected => (0, population.corrections()),
            _ => (rows, 0),
        };
        let outcome = if new + changed == 0 { "unchanged" } else { "published" };
        let counts = json!({
            "read": rows, "new": new, "changed": changed, "same": rows - new - changed, "older": 0, "refused": 0, "dropped": 0, "closed": 0,
        });
        ensure!(
            report["counts"] == counts && report["outcome"] == outcome && report["resumed"] == false,
            "{}: {counts}, {outcome}, was to come out; the program says {report}",
            self.title()
        );
        Ok(())
    }
}
