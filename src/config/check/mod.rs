//! What a job file may not say although each key for itself is well formed: impossible values and contradictions.

mod deliver;
mod origin;

use std::collections::{BTreeMap, BTreeSet};

use super::error::ConfigError;
use super::job::{Delivery, Job, JobKind, Keep, StampFrom};
use super::record::fields_of;
use super::source::SourceSettings;
use crate::domain::facts::RecordKind;

/// Everything wrong with the jobs, each for itself and together.
pub fn check_jobs(jobs: &[Job]) -> Vec<ConfigError> {
    let by_name: BTreeMap<&str, &Job> = jobs.iter().map(|job| (job.name.as_str(), job)).collect();
    let mut errors = Vec::new();
    for job in jobs {
        let mut found = Findings { job, errors: &mut errors };
        found.check_values();
        found.check_order(&by_name);
        found.check_export();
        if job.kind == JobKind::Pull {
            found.check_pull(&by_name);
        } else {
            found.check_not_a_pull();
        }
    }
    errors
}

struct Findings<'a> {
    job: &'a Job,
    errors: &'a mut Vec<ConfigError>,
}

impl Findings<'_> {
    fn refuse(&mut self, key: &str, what: impl Into<String>) {
        self.errors.push(self.job.error_at(key, what));
    }

    fn refuse_if(&mut self, wrong: bool, key: &str, what: &str) {
        if wrong {
            self.refuse(key, what);
        }
    }

    fn check_values(&mut self) {
        let job = self.job;
        self.refuse_if(job.timeout.duration().is_zero(), "timeout", "is nothing: accepted is a span such as `2h`");
        let attempts = job.retry.attempts;
        self.refuse_if(!(1..=100).contains(&attempts), "retry.attempts", "is not 1 to 100");
        self.refuse_if(job.pause_after == Some(0), "pause_after", "is 0: accepted is a number of failed runs from 1");
        let stands_still = job.no_progress_timeout.is_some_and(|limit| limit.duration().is_zero());
        self.refuse_if(stands_still, "no_progress_timeout", "is nothing: accepted is a span such as `10m`");
        let longer = job.retry.backoff > job.retry.max_backoff;
        self.refuse_if(longer, "retry.backoff", "is longer than `max_backoff`");
        for (key, ratio) in [
            ("gates.max_invalid_ratio", job.gates.max_invalid_ratio),
            ("gates.max_drop_ratio", job.gates.max_drop_ratio),
        ] {
            self.refuse_if(!(0.0..=1.0).contains(&ratio), key, "is not a ratio from 0 to 1");
        }
        let days = &job.days_before;
        let twice = days.iter().enumerate().any(|(at, one)| days[..at].contains(one));
        self.refuse_if(
            twice || days.iter().any(|one| *one > 366),
            "days_before",
            "holds a number twice, or one above 366: accepted are days before the end of the window, such as `[30, 7, 1]`",
        );
        let is_division =
            |code: &String| matches!(code.len(), 2 | 4 | 6) && code.bytes().all(|byte| byte.is_ascii_digit());
        self.refuse_if(
            !job.covers.divisions.iter().all(is_division),
            "covers.divisions",
            "holds what is not the two, four or six first digits of a division code, such as `3601`",
        );
        let period = &job.formats.period;
        let parts: Vec<&str> = period.split('%').skip(1).collect();
        let year_and_month = parts.len() == 2
            && parts.iter().any(|part| part.starts_with('Y'))
            && parts.iter().any(|part| part.starts_with('m'));
        self.refuse_if(
            !year_and_month,
            "formats.period",
            "is not a form with one `%Y`, one `%m` and nothing else that varies, such as `%Y%m`",
        );
    }

    fn check_order(&mut self, by_name: &BTreeMap<&str, &Job>) {
        let job = self.job;
        for (at, name) in job.after.iter().enumerate() {
            if *name == job.name {
                self.refuse("after", "names the job itself");
            } else if !by_name.contains_key(name.as_str()) {
                let known = by_name.keys().filter(|known| **known != job.name).map(|known| format!("`{known}`"));
                let known = known.collect::<Vec<_>>().join(", ");
                self.refuse("after", format!("names `{name}`, which is no job here: there are {known}"));
            }
            self.refuse_if(job.after[..at].contains(name), "after", "names a job twice");
        }
        let before = jobs_before(job, by_name);
        self.refuse_if(
            before.contains(job.name.as_str()) && !job.after.contains(&job.name),
            "after",
            "leads back to the job itself: no job of the circle could begin",
        );
    }

    fn check_export(&mut self) {
        match (&self.job.deliver, self.job.kind) {
            (Some(deliver), JobKind::Export) => self.check_deliver(deliver),
            (None, JobKind::Export) => self.refuse("deliver", "is missing: an export says where its files go"),
            (Some(_), kind) => {
                let what = format!("has no place in a job of kind `{kind}`: only an export writes files");
                self.refuse("deliver", what);
            }
            (None, _) => {}
        }
    }

    fn check_not_a_pull(&mut self) {
        let job = self.job;
        let what = format!("has no place in a job of kind `{}`: only a pull reads a source", job.kind);
        for (given, key) in [
            (job.record.is_some(), "record"),
            (job.source.is_some(), "source"),
            (job.keep_given.is_some(), "keep"),
            (job.missing_given.is_some(), "missing"),
            (job.delivery == Delivery::Full, "delivery"),
            (!job.covers.schemes.is_empty() || !job.covers.divisions.is_empty(), "covers"),
            (!job.fields.is_empty(), "fields"),
            (job.key.record_id.is_some() || job.key.updated_at.is_some(), "key"),
            (!job.constants.is_empty(), "constants"),
            (!job.values.is_empty(), "values"),
            (job.no_progress_timeout.is_some(), "no_progress_timeout"),
        ] {
            self.refuse_if(given, key, &what);
        }
    }

    fn check_pull(&mut self, by_name: &BTreeMap<&str, &Job>) {
        let job = self.job;
        let Some(record) = job.record else {
            let kinds = RecordKind::ALL.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
            self.refuse("record", format!("is missing: a pull says what it reads, one of {kinds}"));
            return;
        };
        self.check_names(record);
        self.refuse_if(
            job.missing_given.is_some() && job.delivery != Delivery::Full,
            "missing",
            "means nothing unless `delivery = \"full\"`: other deliveries never hold everything",
        );
        self.refuse_if(
            !job.covers.schemes.is_empty() && record != RecordKind::Insurance,
            "covers.schemes",
            "has no place here: only records of kind `insurance` have a scheme",
        );
        if let Some(source) = &job.source {
            self.check_placeholders(&source.texts());
        }
        match &job.source {
            None => self.refuse("source", "is missing: a pull says where it reads from"),
            Some(SourceSettings::Http(http)) => self.check_http(http),
            Some(SourceSettings::File(file)) => self.check_file(file),
            Some(SourceSettings::Database(database)) => self.check_database(database),
        }
        if job.keep() == Keep::Concerned {
            self.check_concerned(record, by_name);
        }
    }

    /// Names on our side must exist, and no field may come from two places.
    fn check_names(&mut self, record: RecordKind) {
        let job = self.job;
        let known: Vec<&str> = fields_of(record).iter().map(|(field, _)| field.name).collect();
        let tables = [("fields", job.fields.keys().collect::<Vec<_>>()), ("constants", job.constants.keys().collect())];
        let tables = tables.into_iter().chain([("values", job.values.keys().collect())]);
        for (table, names) in tables {
            for name in names {
                if !known.contains(&name.as_str()) {
                    let key = format!("{table}.{name}");
                    self.refuse(&key, format!("is no field of `{record}`: there are {}", known.join(", ")));
                }
            }
        }
        for name in job.constants.keys().filter(|name| job.fields.contains_key(*name)) {
            self.refuse(&format!("constants.{name}"), "is also among `fields`: a field has one origin");
        }
        for name in ["id_number", "record_id", "updated_at", "certificate_number"] {
            self.refuse_if(
                job.constants.contains_key(name),
                &format!("constants.{name}"),
                "cannot be the same for every record",
            );
        }
        if let Some(columns) = &job.key.record_id {
            self.refuse_if(columns.is_empty(), "key.record_id", "names no column");
            self.refuse_if(
                job.fields.contains_key("record_id"),
                "key.record_id",
                "contradicts `fields.record_id`: the identity has one origin",
            );
        }
        self.refuse_if(
            job.key.updated_at == Some(StampFrom::Delivery) && job.fields.contains_key("updated_at"),
            "key.updated_at",
            "contradicts `fields.updated_at`: the instant has one origin",
        );
    }

    /// `keep = "concerned"` drops at the door, so it must be known who is concerned, and what was dropped must be
    /// there to be had later.
    fn check_concerned(&mut self, record: RecordKind, by_name: &BTreeMap<&str, &Job>) {
        let job = self.job;
        self.refuse_if(
            record == RecordKind::Certificate,
            "keep",
            "is a contradiction: certificates say who is concerned; write `keep = \"all\"` or leave it out",
        );
        self.refuse_if(
            record == RecordKind::DispatchFiling,
            "keep",
            "is a contradiction: a dispatch filing concerns no person; write `keep = \"all\"` or leave it out",
        );
        let is_certificates = |name: &str| by_name.get(name).is_some_and(|job| is_certificate_pull(job));
        let follows_certificates = jobs_before(job, by_name).into_iter().any(is_certificates);
        self.refuse_if(
            record == RecordKind::Wage && !follows_certificates,
            "after",
            "leads to no job that pulls certificates: with `keep = \"concerned\"` wages are read when it is known whom \
             they concern; name that job here or write `keep = \"all\"`",
        );
        let lost = matches!(&job.source, Some(SourceSettings::File(file)) if !file.rereadable)
            && matches!(record, RecordKind::Wage | RecordKind::Insurance);
        self.refuse_if(
            lost,
            "keep",
            "is a contradiction: what `concerned` drops could not be had again; write `keep = \"all\"`, or \
             `rereadable = true` under `[source]` where the files stay",
        );
    }
}

fn is_certificate_pull(job: &Job) -> bool {
    job.kind == JobKind::Pull && job.record == Some(RecordKind::Certificate)
}

/// The names of all jobs that a job waits for, directly or not.
fn jobs_before<'a>(job: &'a Job, by_name: &BTreeMap<&str, &'a Job>) -> BTreeSet<&'a str> {
    let mut before = BTreeSet::new();
    let mut open: Vec<&'a Job> = vec![job];
    while let Some(job) = open.pop() {
        for name in &job.after {
            if before.insert(name.as_str())
                && let Some(job) = by_name.get(name.as_str())
            {
                open.push(job);
            }
        }
    }
    before
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const FILE: &str = "[source]\ntype = \"file\"\npath = \"in/*.csv\"\nformat = \"csv\"\n";
    const CERTIFICATES: (&str, &str) = (
        "certificates",
        "kind = \"pull\"\nrecord = \"certificate\"\n[source]\ntype = \"file\"\npath = \"c.csv\"\nformat = \"csv\"\n",
    );

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let parse = |(name, text): &(&str, &str)| Job::parse(Path::new(&format!("{name}.toml")), text);
        let jobs: Vec<Job> = files.iter().map(|file| parse(file).expect("well formed")).collect();
        check_jobs(&jobs).iter().map(ToString::to_string).collect()
    }

    fn check_one(text: &str) -> Vec<String> {
        check(&[CERTIFICATES, ("job", text)])
    }

    #[test]
    fn jobs_in_order_are_accepted() {
        let wages = format!("kind = \"pull\"\nrecord = \"wage\"\nafter = [\"pension\"]\n{FILE}rereadable = true\n");
        let pension =
            format!("kind = \"pull\"\nrecord = \"insurance\"\nkeep = \"all\"\nafter = [\"certificates\"]\n{FILE}");
        let verify = "kind = \"verify\"\nschedule = \"0 4 * * *\"\nafter = [\"wages\"]\n";
        let jobs = [CERTIFICATES, ("pension", &pension), ("wages", &wages), ("verify", verify)];
        assert_eq!(check(&jobs), Vec::<String>::new());
    }

    #[test]
    fn parquet_is_accepted_in_a_build_that_reads_it_and_in_no_other() {
        let job = "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\ntype = \"file\"\npath = \"c.parquet\"\nformat = \"parquet\"\n";
        let refused = check_one(job);
        assert_eq!(refused.is_empty(), cfg!(feature = "parquet"), "{refused:?}");
        assert!(refused.iter().all(|fault| fault.contains("`--features parquet`")), "{refused:?}");
    }

    #[test]
    fn every_way_of_being_known_and_both_kinds_of_database_are_accepted() {
        let pull = "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\n";
        for source in [
            "type = \"http\"\nurl = \"http://x\"\nauth = { type = \"hmac\", key_id = \"1\", key = \"k\" }\n",
            "type = \"http\"\nurl = \"http://x\"\n[source.auth]\ntype = \"bearer\"\ntoken_url = \"${TOKENS}\"\n\
             client_id = \"c\"\nclient_secret = \"${SECRET}\"\n",
            "type = \"database\"\nurl = \"mysql://x\"\ntable = \"t\"\nkey = \"id\"\nperson = { where = \"id = ?\" }\n",
            "type = \"database\"\nurl = \"mariadb://x\"\ntable = \"t\"\nkey = \"id\"\nperson = { where = \"id = $1\" }\n",
        ] {
            assert_eq!(check_one(&format!("{pull}{source}")), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn wages_of_the_concerned_come_after_certificates() {
        let errors = check_one(&format!("kind = \"pull\"\nrecord = \"wage\"\n{FILE}rereadable = true\n"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("job.toml: `after`: leads to no job that pulls certificates"), "{errors:?}");
        assert!(check_one(&format!("kind = \"pull\"\nrecord = \"wage\"\nkeep = \"all\"\n{FILE}")).is_empty());
    }

    #[test]
    fn what_is_dropped_must_be_there_to_be_had_again() {
        let errors = check_one(&format!("kind = \"pull\"\nrecord = \"insurance\"\nkeep = \"concerned\"\n{FILE}"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].starts_with("job.toml:3: `keep`: is a contradiction: what `concerned` drops"), "{errors:?}");
    }

    #[test]
    fn certificates_are_kept_whole() {
        let errors = check_one(&format!("kind = \"pull\"\nrecord = \"certificate\"\nkeep = \"concerned\"\n{FILE}"));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains("certificates say who is concerned"));
    }

    #[test]
    fn jobs_may_not_wait_in_a_circle_or_for_nobody() {
        let errors = check(&[
            ("a", "kind = \"verify\"\nafter = [\"b\"]\n"),
            ("b", "kind = \"verify\"\nafter = [\"a\"]\n"),
            ("c", "kind = \"push\"\nafter = [\"nobody\", \"c\"]\n"),
        ]);
        assert_eq!(
            errors,
            [
                "a.toml:2: `after`: leads back to the job itself: no job of the circle could begin",
                "b.toml:2: `after`: leads back to the job itself: no job of the circle could begin",
                "c.toml:2: `after`: names `nobody`, which is no job here: there are `a`, `b`",
                "c.toml:2: `after`: names the job itself",
            ]
        );
    }

    #[test]
    fn contradictions_are_refused_where_they_stand() {
        let http = "kind = \"pull\"\nrecord = \"dispatch_filing\"\n[source]\ntype = \"http\"\n";
        let database = http.replace("http", "database") + "table = \"t\"\nkey = \"id\"\n\n";
        for (text, expected) in [
            ("kind = \"verify\"\nrecord = \"wage\"\n".to_owned(), "job.toml:2: `record`: has no place"),
            (format!("kind = \"pull\"\n{FILE}"), "job.toml: `record`: is missing"),
            ("kind = \"pull\"\nrecord = \"dispatch_filing\"\n".to_owned(), "job.toml: `source`: is missing"),
            (
                format!("kind = \"pull\"\nrecord = \"dispatch_filing\"\nmissing = \"close\"\n{FILE}"),
                "job.toml:3: `missing`: means nothing unless",
            ),
            (
                format!("kind = \"pull\"\nrecord = \"dispatch_filing\"\n{FILE}[fields]\nidnumber = \"x\"\n"),
                "job.toml:8: `fields.idnumber`: is no field of `dispatch_filing`",
            ),
            (format!("{http}url = \"ftp://x\"\n"), "job.toml:5: `source.url`: is not an address"),
            (format!("{http}url = \"https://u:p@x\"\n"), "job.toml:5: `source.url`: holds credentials"),
            (format!("{http}url = \"${{A B}}\"\n"), "job.toml:5: `source.url`: holds a placeholder"),
            (
                format!("{http}url = \"http://x\"\npaging = \"cursor\"\n"),
                "job.toml:6: `source.paging`: is `cursor`, but",
            ),
            (
                format!("{http}url = \"http://x\"\npage_size = 6000\n"),
                "job.toml:6: `source.page_size`: is not 1 to 5000",
            ),
            (
                format!("{http}url = \"http://x\"\nauth = {{ type = \"bearer\", client_id = \"c\" }}\n"),
                "job.toml:6: `source.auth`: is `bearer` with neither `token` nor `token_url`",
            ),
            (
                format!("{http}url = \"http://x\"\n[source.auth]\ntype = \"bearer\"\ntoken_url = \"http://t\"\n"),
                "job.toml:6: `source.auth`: has a `token_url` but not both `client_id` and `client_secret`",
            ),
            (
                format!("{database}url = \"oracle://x\"\n"),
                "job.toml:8: `source.url`: is not an address that begins with `postgres://`, `mysql://`",
            ),
            (
                format!("{database}url = \"postgres://x\"\n[source.person]\nwhere = \"id = ?\"\n"),
                "job.toml:10: `source.person.where`: holds no `$1`",
            ),
        ] {
            let errors = check_one(&text);
            assert_eq!(errors.len(), 1, "{errors:?}");
            assert!(errors[0].starts_with(expected), "{errors:?}");
        }
    }
}
