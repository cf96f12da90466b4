//! What the `[source]` of a job may not say.

use std::path::Path;

use super::Findings;
use crate::config::environment::placeholders_are_well_formed;
use crate::config::source::{Auth, DatabaseSource, FileFormat, FileSource, HttpSource, MAX_PAGE_ROWS, Paging};

impl Findings<'_> {
    pub(super) fn check_placeholders(&mut self, texts: &[(&str, &str)]) {
        for (key, text) in texts {
            self.refuse_if(
                !placeholders_are_well_formed(text),
                key,
                "holds a placeholder that is neither `${NAME}` nor `${file:/path}`",
            );
        }
    }

    fn check_pointers(&mut self, pointers: &[(&str, Option<&String>)]) {
        for (key, pointer) in pointers {
            let wrong = pointer.is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/'));
            self.refuse_if(wrong, key, "is not a JSON pointer such as `/data/records`");
        }
    }

    pub(super) fn check_http(&mut self, http: &HttpSource) {
        self.check_url("source.url", &http.url);
        self.check_pointers(&[
            ("source.records", Some(&http.records)),
            ("source.next", http.next.as_ref()),
            ("source.totals", http.totals.as_ref()),
        ]);
        let size_fits = http.page_size.is_none_or(|size| (1..=MAX_PAGE_ROWS).contains(&size));
        self.refuse_if(!size_fits, "source.page_size", "is not 1 to 5000");
        self.refuse_if(
            http.paging == Some(Paging::Cursor) && http.next.is_none(),
            "source.paging",
            "is `cursor`, but `next`, the JSON pointer to the next cursor, is missing",
        );
        self.refuse_if(
            http.next.is_some() && !matches!(http.paging, Some(Paging::Cursor | Paging::Link)),
            "source.next",
            "means nothing unless `paging` is `cursor` or `link`",
        );
        self.refuse_if(
            http.overlap.is_some() && http.since.is_none(),
            "source.overlap",
            "means nothing without `since`, the parameter that takes the watermark",
        );
        self.refuse_if(http.idle_timeout.duration().is_zero(), "source.idle_timeout", "is nothing");
        if let Some(auth) = &http.auth {
            self.check_auth(auth);
        }
        if let Some(person) = &http.person {
            self.check_url("source.person.url", &person.url);
            let post = person.method == "POST";
            self.refuse_if(!post, "source.person.method", "is not `POST`: an ID number never stands in a URL");
        }
    }

    fn check_auth(&mut self, auth: &Auth) {
        let Auth::Bearer { token, token_url, client_id, client_secret } = auth else { return };
        match (token, token_url) {
            (None, None) => self.refuse("source.auth", "is `bearer` with neither `token` nor `token_url`"),
            (Some(_), Some(_)) => {
                self.refuse("source.auth", "has both `token` and `token_url`: accepted is one of them");
            }
            (Some(_), None) => self.refuse_if(
                client_id.is_some() || client_secret.is_some(),
                "source.auth",
                "has a client's name or secret but no `token_url` to present it to",
            ),
            (None, Some(url)) => {
                self.check_url("source.auth.token_url", url);
                self.refuse_if(
                    client_id.is_none() || client_secret.is_none(),
                    "source.auth",
                    "has a `token_url` but not both `client_id` and `client_secret`",
                );
            }
        }
    }

    fn check_url(&mut self, key: &str, url: &str) {
        let fits = url.starts_with("${") || url.starts_with("https://") || url.starts_with("http://");
        self.refuse_if(!fits, key, "is not an address that begins with `https://`, `http://` or a placeholder");
        let credentials = url.split_once("://").is_some_and(|(_, rest)| {
            rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
        });
        self.refuse_if(credentials, key, "holds credentials: they belong under `auth`");
    }

    pub(super) fn check_file(&mut self, file: &FileSource) {
        let folder = Path::new(&file.path).parent().map(|folder| folder.to_string_lossy().into_owned());
        self.refuse_if(
            folder.is_some_and(|folder| folder.contains('*')),
            "source.path",
            "has a `*` before its last part: accepted in file names only",
        );
        self.refuse_if(file.path.is_empty(), "source.path", "is empty");
        let delimiter_fits = file.delimiter.is_ascii()
            && !file.delimiter.is_ascii_alphanumeric()
            && !"\"\r\n\0".contains(file.delimiter);
        self.refuse_if(!delimiter_fits, "source.delimiter", "is not an ASCII sign such as `,`, `|` or a tab");
        self.refuse_if(
            file.delimiter != ',' && file.format != FileFormat::Csv,
            "source.delimiter",
            "means nothing unless `format` is `csv`",
        );
        self.refuse_if(
            file.sheet.is_some() && file.format != FileFormat::Xlsx,
            "source.sheet",
            "means nothing unless `format` is `xlsx`",
        );
        self.refuse_if(
            !file.format.is_in_this_build(),
            "source.format",
            "`parquet` is not in this build: accepted are `csv`, `ndjson` and `xlsx`, or a build with `--features parquet`",
        );
        let marker = file.done_marker.as_deref();
        self.refuse_if(
            marker.is_some_and(|marker| marker.is_empty() || marker == "*" || marker.contains('/')),
            "source.done_marker",
            "is not the name of a file beside the data, such as `*.done` or `_SUCCESS`",
        );
    }

    pub(super) fn check_database(&mut self, database: &DatabaseSource) {
        let url = database.url.reveal();
        let known = ["postgres://", "postgresql://", "mysql://", "mariadb://", "${"];
        let fits = known.iter().any(|start| url.starts_with(start));
        self.refuse_if(
            !fits,
            "source.url",
            "is not an address that begins with `postgres://`, `mysql://` or a placeholder",
        );
        self.refuse_if(
            database.table.is_some() == database.query.is_some(),
            "source",
            "has not one of `table` and `query`",
        );
        // Which database a placeholder stands for is seen when it is filled in.
        let may_be_mysql = !url.starts_with("postgres");
        let takes_id = |condition: &str| condition.contains("$1") || (may_be_mysql && condition.contains('?'));
        self.refuse_if(
            database.person.as_ref().is_some_and(|person| !takes_id(&person.condition)),
            "source.person.where",
            "holds no `$1`, which takes the ID number",
        );
    }
}
