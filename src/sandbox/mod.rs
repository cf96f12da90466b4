//! The agencies and the tax department as servers on loopback, to develop, demonstrate and test against.

mod certificates;
mod contracts;
mod deliveries;
pub mod divisions;
mod exchange;
mod filing_agency;
mod filings;
mod founding;
mod medical_agency;
mod months;
mod names;
mod neutral;
mod numbers;
mod pension_agency;
mod people;
pub mod province;
pub mod records;
pub mod rows;
mod server;
mod shelf;
pub mod stories;
pub mod tax;
pub mod tax_faults;
pub mod tax_ledger;
mod tax_mishaps;
mod tax_road;
pub mod tax_rules;
pub mod tax_statement;
mod units;
mod wage_agency;
#[cfg(test)]
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::clock;
use crate::crypto::SignatureAlgorithm;
use province::{Province, Spec};
use server::Server;
use tax::{Key, TaxDepartment, Tolerance};
use tax_faults::Plan;

/// Raised whenever the generator or a written form changes, so that files of an older one are made anew.
const EDITION: u32 = 1;

/// Where and how the sandbox runs.
pub struct Options {
    pub spec: Spec,
    /// Holds the written deliveries and the tax department's ledger; made if it is not there.
    pub directory: PathBuf,
    /// A Postgres in which the exchange database `<database>_exchange` may be made beside the one named.
    pub database_url: String,
    /// Port 0 takes any free ports; else wages are served on this one, pensions on the next, tax on the one after.
    pub listen: SocketAddr,
    /// Whether and how the tax department compares a message's time with its own.
    pub tolerance: Option<Tolerance>,
    /// What goes wrong at the tax department, by the machine's clock.
    pub faults: Plan,
}

/// How to reach the tax department.
#[derive(Clone)]
pub struct TaxAccess {
    /// Without a slash at the end; messages go to `{url}/declarations`.
    pub url: String,
    pub key_id: String,
    pub key: String,
    pub algorithm: SignatureAlgorithm,
}

/// A running sandbox; its servers end with it.
pub struct Sandbox {
    /// What the jobs need: `${NAME}` in `jobs/*.toml`.
    pub variables: BTreeMap<String, String>,
    /// Holds `employers.csv`, `affiliates.csv`, `placements.csv` and `contracts.csv`.
    pub imports: PathBuf,
    pub tax: TaxAccess,
    pub province: Arc<Province>,
    servers: Vec<Server>,
}

impl Sandbox {
    /// Answers what has been asked, then ends the servers.
    pub async fn stop(self) -> anyhow::Result<()> {
        for server in self.servers {
            server.stop().await?;
        }
        Ok(())
    }
}

/// Makes the province, writes what is delivered as files and tables unless it is there already, and starts the servers.
///
/// Starting again with the same spec finds everything in place; another spec replaces the deliveries but not what the tax
/// department remembers.
pub async fn start(options: Options) -> anyhow::Result<Sandbox> {
    let Options { spec, directory, database_url, listen, tolerance, faults } = options;
    let fingerprint = fingerprint(&spec);
    let generating = tokio::task::spawn_blocking({
        let (directory, fingerprint) = (directory.clone(), fingerprint.clone());
        move || -> anyhow::Result<(Province, PathBuf)> {
            let province = Province::generate(&spec);
            let written = write(&province, &directory, &fingerprint)?;
            Ok((province, written))
        }
    });
    let (province, written) = generating.await.context("making the province")??;
    let exchange_url = exchange::fill(&database_url, &province, &fingerprint).await?;
    let province = Arc::new(province);

    let token = secret(&spec, "wage token");
    let keys = vec![
        Key {
            id: "sandbox-sm3".into(),
            algorithm: SignatureAlgorithm::HmacSm3,
            secret: secret(&spec, "tax sm3").into(),
        },
        Key {
            id: "sandbox-sha256".into(),
            algorithm: SignatureAlgorithm::HmacSha256,
            secret: secret(&spec, "tax sha256").into(),
        },
    ];
    let department = TaxDepartment::open(&directory.join("tax-ledger.ndjson"), keys, tolerance)?;
    let department = department.with_faults(faults, Arc::new(clock::system_now));
    let port = |offset: u16| {
        let port = if listen.port() == 0 { 0 } else { listen.port().saturating_add(offset) };
        SocketAddr::new(listen.ip(), port)
    };
    let wages = Server::start(port(0), wage_agency::router(Arc::clone(&province), &token)).await?;
    let pensions = Server::start(port(1), pension_agency::router(Arc::clone(&province))).await?;
    let department = Server::start(port(2), tax::router(Arc::new(department))).await?;

    let tax = TaxAccess {
        url: department.url(),
        key_id: "sandbox-sm3".into(),
        key: secret(&spec, "tax sm3"),
        algorithm: SignatureAlgorithm::HmacSm3,
    };
    let path = |name: &str| written.join(name).display().to_string();
    let variables = [
        ("WAGE_AGENCY_URL", format!("{}/tax", wages.url())),
        ("WAGE_AGENCY_TOKEN", token),
        ("PENSION_AGENCY_URL", format!("{}/si", pensions.url())),
        ("MEDICAL_AGENCY_DIR", path("medical")),
        ("DISPATCH_FILING_DIR", path("dispatch-filing")),
        ("EXCHANGE_DATABASE_URL", exchange_url),
        ("RENZHENG_TAX_URL", tax.url.clone()),
        ("RENZHENG_TAX_KEY_ID", tax.key_id.clone()),
        ("RENZHENG_TAX_KEY", tax.key.clone()),
    ];
    Ok(Sandbox {
        variables: variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        imports: written.join("imports"),
        tax,
        province,
        servers: vec![wages, pensions, department],
    })
}

/// What tells one province and its written form from another.
fn fingerprint(spec: &Spec) -> String {
    let Spec { persons, seed, year, today } = spec;
    let text = format!("edition {EDITION}, {persons} persons, seed {seed}, year {year}, today {today}");
    hex::encode(&Sha256::digest(text)[..8])
}

/// A secret of the sandbox: the same for the same seed, since everything here is made up.
fn secret(spec: &Spec, of: &str) -> String {
    hex::encode(Sha256::digest(format!("renzheng sandbox {of} {}", spec.seed)))
}

/// Writes imports and file deliveries into `directory/province-<fingerprint>`, whole or not at all, and removes those of
/// other provinces. Gives the folder.
fn write(province: &Province, directory: &Path, fingerprint: &str) -> anyhow::Result<PathBuf> {
    let attempt = || format!("writing the province into {}", directory.display());
    std::fs::create_dir_all(directory).with_context(attempt)?;
    // Absolute, so that the jobs find it from wherever they run.
    let directory = directory.canonicalize().with_context(attempt)?;
    let folder = directory.join(format!("province-{fingerprint}"));
    if !folder.is_dir() {
        let partial = directory.join(format!("partial-{fingerprint}"));
        if partial.exists() {
            std::fs::remove_dir_all(&partial).with_context(attempt)?;
        }
        for part in ["imports", "medical", "dispatch-filing"] {
            std::fs::create_dir_all(partial.join(part)).with_context(attempt)?;
        }
        province.write_imports(&partial.join("imports"))?;
        medical_agency::write(province, &partial.join("medical"))?;
        filing_agency::write(province, &partial.join("dispatch-filing"))?;
        std::fs::rename(&partial, &folder).with_context(attempt)?;
    }
    for entry in std::fs::read_dir(&directory).with_context(attempt)? {
        let path = entry.with_context(attempt)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let ours = name.starts_with("province-") || name.starts_with("partial-");
        if ours && path != folder {
            std::fs::remove_dir_all(&path).with_context(attempt)?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::wire::{Scratch, ask};
    use super::*;

    fn province(seed: u64) -> Province {
        let today = NaiveDate::from_ymd_opt(2026, 4, 15).expect("day");
        Province::generate(&Spec { persons: 120, seed, year: 2025, today })
    }

    fn loopback() -> SocketAddr {
        "127.0.0.1:0".parse().expect("address")
    }

    #[tokio::test]
    async fn the_pages_of_wages_add_up_to_all_records_and_need_the_token() {
        let province = Arc::new(province(1));
        let server =
            Server::start(loopback(), wage_agency::router(Arc::clone(&province), "token")).await.expect("server");
        let bearer = [("Authorization", "Bearer token")];
        assert_eq!(ask(server.address, "GET", "/tax/v1/wages", &[], "").await.0, 401);
        let (mut rows, mut path) = (Vec::new(), "/tax/v1/wages?limit=100".to_owned());
        loop {
            let (status, page) = ask(server.address, "GET", &path, &bearer, "").await;
            assert_eq!((status, page["total"].as_u64()), (200, Some(province.wages.len() as u64)));
            rows.extend(page["data"]["rows"].as_array().expect("rows").clone());
            let Some(next) = page["data"]["next"].as_str() else { break };
            path = format!("/tax/v1/wages?limit=100&cursor={next}");
        }
        assert_eq!(rows.len(), province.wages.len());
        for (row, ours) in rows.iter().zip(&province.wages) {
            let text = province.wage_text(ours);
            assert_eq!(row["jlbh"], text.record_id.as_str());
            assert_eq!(row["srje"].as_str().unwrap_or_default(), text.amount);
            assert_eq!(row["skssq"].as_str().unwrap_or_default(), text.period.replace('-', ""));
        }
        server.stop().await.expect("stopped");
    }

    #[tokio::test]
    async fn wages_can_be_asked_for_since_an_instant_and_for_one_person() {
        let province = Arc::new(province(1));
        let server =
            Server::start(loopback(), wage_agency::router(Arc::clone(&province), "token")).await.expect("server");
        let bearer = [("Authorization", "Bearer token")];
        let since = "/tax/v1/wages?limit=10000&since=2025-10-01T00:00:00%2B08:00";
        let (_, page) = ask(server.address, "GET", since, &bearer, "").await;
        let first = rows::stamp_s(NaiveDate::from_ymd_opt(2025, 10, 1).expect("day"), 0);
        let expected = province.wages.iter().filter(|row| row.stamp_s >= first).count();
        assert!(expected > 0 && expected < province.wages.len());
        assert_eq!(page["data"]["rows"].as_array().map(Vec::len), Some(expected));
        assert_eq!(page["total"], expected);
        let person = province.placements[3].person;
        let body = serde_json::json!({ "zjhm": province.id_number(person).to_lowercase() }).to_string();
        let (_, answer) = ask(server.address, "POST", "/tax/v1/wages/query", &bearer, &body).await;
        let expected = province.wages.iter().filter(|row| row.person == person).count();
        assert_eq!(answer["total"], expected);
    }

    #[tokio::test]
    async fn the_pages_of_pensions_add_up_to_all_records() {
        let province = Arc::new(province(2));
        let server = Server::start(loopback(), pension_agency::router(Arc::clone(&province))).await.expect("server");
        let mut seen = 0;
        for page in 1.. {
            let path = format!("/si/v1/contributions?page={page}&page_size=150");
            let (_, answer) = ask(server.address, "GET", &path, &[], "").await;
            let rows = answer["rows"].as_array().expect("rows").clone();
            for (row, ours) in rows.iter().zip(&province.pension[seen..]) {
                assert_eq!(row["AAZ223"], province.pension_text(ours).record_id.as_str());
                assert!(["110", "120", "170"].contains(&row["AAE140"].as_str().unwrap_or("110")));
            }
            seen += rows.len();
            if rows.is_empty() {
                break;
            }
        }
        assert_eq!(seen, province.pension.len());
        let person = province.placements[0].person;
        let body = serde_json::json!({ "AAC002": province.id_number(person) }).to_string();
        let (_, answer) = ask(server.address, "POST", "/si/v1/contributions/query", &[], &body).await;
        assert_eq!(answer["total"], province.pension.iter().filter(|row| row.person == person).count());
    }

    #[test]
    fn files_are_written_once_the_same_for_the_same_spec_and_replaced_for_another() {
        let scratch = Scratch::new("files");
        let first = province(3);
        let fingerprint = fingerprint(&first.spec);
        let folder = write(&first, scratch.path(), &fingerprint).expect("written");
        let read = |folder: &Path, name: &str| std::fs::read(folder.join(name)).expect(name);
        let medical = "medical/staf_psn_clct_detl_0001.csv";
        let names = [medical, "dispatch-filing/dispatch_filings.xlsx", "imports/placements.csv"];
        let before: Vec<_> = names.iter().map(|name| read(&folder, name)).collect();

        let (text, _, malformed) = encoding_rs::GB18030.decode(&before[0]);
        assert!(!malformed);
        assert_eq!(text.lines().count(), first.medical.len() + 1);
        assert!(text.lines().next().is_some_and(|header| header.starts_with("clct_no,updt_time,vali_flag,certno")));

        assert_eq!(write(&first, scratch.path(), &fingerprint).expect("again"), folder);
        std::fs::remove_dir_all(&folder).expect("removed");
        write(&first, scratch.path(), &fingerprint).expect("anew");
        assert_eq!(names.iter().map(|name| read(&folder, name)).collect::<Vec<_>>(), before);

        let second = province(4);
        write(&second, scratch.path(), &super::fingerprint(&second.spec)).expect("replaced");
        assert!(!folder.exists());
        assert_eq!(std::fs::read_dir(scratch.path()).expect("folder").count(), 1);
    }

    #[test]
    fn neutral_files_hold_every_version_in_the_order_of_delivery() {
        let scratch = Scratch::new("neutral");
        let province = province(5);
        province.write_neutral(scratch.path()).expect("written");
        for (name, rows) in [
            ("wage", province.wages.len()),
            ("pension", province.pension.len()),
            ("medical", province.medical.len()),
            ("certificate", province.certificates.len()),
            ("dispatch_filing", province.filings.len()),
        ] {
            let mut table = csv::Reader::from_path(scratch.path().join(format!("{name}.csv"))).expect(name);
            assert_eq!(table.records().flatten().count(), rows, "{name}");
        }
        let mut table = csv::Reader::from_path(scratch.path().join("wage.csv")).expect("wages");
        let first = table.records().next().expect("a row").expect("readable");
        assert_eq!(&first[0], province.wage_text(&province.wages[0]).record_id);
    }
}
