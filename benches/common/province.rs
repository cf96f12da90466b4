//! A made-up province with everything pulled and nothing judged, of any size.

use std::fs;
use std::path::Path;

use crate::common::program::Program;
use crate::common::server::Server;
use crate::common::units::credit_code;

/// The business year of the placements.
pub const YEAR: &str = "2025";

/// The pulls that the province has; settings are what a verification knows of them.
const JOBS: [(&str, &str); 5] = [
    ("pull-certificate", "record = \"certificate\"\nsettles_after = \"45d\"\nstale_after = \"30d\"\n"),
    ("pull-dispatch-filing", "record = \"dispatch_filing\"\nsettles_after = \"45d\"\nstale_after = \"30d\"\n"),
    (
        "pull-medical",
        "record = \"insurance\"\nsettles_after = \"75d\"\nkeep = \"all\"\ncovers = { schemes = [\"medical\"] }\n[constants]\nscheme = \"medical\"\n",
    ),
    (
        "pull-pension",
        "record = \"insurance\"\nsettles_after = \"30d\"\nkeep = \"all\"\ncovers = { schemes = [\"pension\"] }\n[constants]\nscheme = \"pension\"\n",
    ),
    ("pull-wage", "record = \"wage\"\nsettles_after = \"45d\"\nkeep = \"all\"\n"),
];

/// The pulls, as job files under `folder`.
pub fn write_jobs(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("jobs"))?;
    for (name, settings) in JOBS {
        let (head, rest) = settings.split_once("[constants]").unwrap_or((settings, ""));
        let constants = if rest.is_empty() { String::new() } else { format!("[constants]{rest}") };
        let text = format!(
            "kind = \"pull\"\n{head}[source]\ntype = \"file\"\npath = \"none.csv\"\nformat = \"csv\"\nrereadable = true\n{constants}"
        );
        fs::write(folder.join("jobs").join(format!("{name}.toml")), text)?;
    }
    Ok(())
}

/// The schema and the jobs by the program itself, the rest by SQL. Twenty placements an employer.
pub fn make(server: &Server, program: &Program, database: &str, placements: u64) -> anyhow::Result<()> {
    eprintln!("making {placements} placements");
    server.create(database, None)?;
    program.prepare(server.url(database))?;
    program.run(&["verify", "--year", YEAR], &[("DATABASE_URL", server.url(database))])?;
    let units = program.folder.join("units.csv");
    let codes: Vec<String> = (0..placements / 20 + 200).map(credit_code).collect();
    fs::write(&units, codes.join("\n") + "\n")?;
    server.run(database, &[&format!("\\copy unit (uscc) from '{}'", units.display())])?;
    let placements = format!("placements={placements}");
    let path = program.folder.join("province.sql");
    script(server, database, &path, include_str!("province.sql"), &["-v", &placements])?;
    server.settle(database)
}

/// Runs a script that is written to `path` first.
pub fn script(server: &Server, database: &str, path: &Path, text: &str, arguments: &[&str]) -> anyhow::Result<()> {
    fs::write(path, text)?;
    let path = path.display().to_string();
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-f", &path]).collect();
    server.psql(database, &arguments).map(drop)
}
