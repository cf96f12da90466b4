//! The job files of the bench: one wage job for every way wages come.

use std::path::Path;

use anyhow::Context;

/// What stands in every pull of wages.
const WAGES: &str =
    "kind = \"pull\"\nrecord = \"wage\"\nafter = [\"pull-certificate\"]\nkeep = \"concerned\"\n\n[source]\n";

/// Name of a job and what it adds. Places are filled in when it runs.
const JOBS: [(&str, &str, &str); 5] = [
    (
        "pull-certificate",
        "kind = \"pull\"\nrecord = \"certificate\"\nkeep = \"all\"\n\n[source]\n",
        "type = \"file\"\npath = \"${CERTIFICATES}\"\nformat = \"csv\"\n",
    ),
    ("pull-wage-csv", WAGES, "type = \"file\"\npath = \"${WAGES}\"\nformat = \"csv\"\nrereadable = true\n"),
    (
        "pull-wage-gb18030",
        WAGES,
        "type = \"file\"\npath = \"${WAGES}\"\nformat = \"csv\"\nencoding = \"gb18030\"\nrereadable = true\n",
    ),
    (
        "pull-wage-database",
        WAGES,
        "type = \"database\"\nurl = \"${EXCHANGE_URL}\"\ntable = \"wage\"\nkey = \"xh\"\n\n\
         [source.person]\nwhere = \"id_number = $1\"\n",
    ),
    (
        "pull-wage-http",
        WAGES,
        "type = \"http\"\nurl = \"${AGENCY_URL}/wages\"\npaging = \"cursor\"\npage_size = 5000\nnext = \"/next\"\n\
         totals = \"/total\"\n\n[source.person]\nurl = \"${AGENCY_URL}/wages/query\"\n",
    ),
];

/// Writes all of them.
pub fn write(folder: &Path) -> anyhow::Result<()> {
    for (name, head, rest) in JOBS {
        let path = folder.join(format!("{name}.toml"));
        std::fs::write(&path, format!("{head}{rest}")).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
