//! An agency on loopback: the first year's wages as JSON pages by cursor. They are written beforehand, so that an answer costs one read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::oneshot;

use crate::data::{FIRST_YEAR, Population, Wage};

/// Rows of a page: the most a job may ask for.
const PAGE_ROWS: u64 = 5000;

/// All answers, one after the other in one file.
struct Pages {
    file: File,
    /// Where each begins, and where the last ends.
    bounds: Vec<u64>,
}

/// The running agency; it ends when dropped.
pub struct Agency {
    /// Without a slash at the end.
    pub url: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Agency {
    /// Writes the pages and serves them.
    pub fn start(population: &Population, folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join("pages.json");
        let pages = Pages::write(population, &path).with_context(|| format!("cannot write {}", path.display()))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on loopback")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().route("/wages", get(page)).with_state(Arc::new(pages));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener)?;
                tokio::select! {
                    served = axum::serve(listener, router) => served,
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                eprintln!("the agency stopped: {error}");
            }
        });
        Ok(Self { url, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Agency {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            eprintln!("the agency did not end well");
        }
    }
}

impl Pages {
    fn write(population: &Population, path: &Path) -> std::io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        let mut out = BufWriter::with_capacity(1 << 20, &file);
        let (mut bounds, mut end) = (vec![0], 0);
        for first in (0..population.rows).step_by(PAGE_ROWS as usize) {
            let last = (first + PAGE_ROWS).min(population.rows);
            let next = if last < population.rows { format!("\"{}\"", bounds.len()) } else { "null".to_owned() };
            let rows: Vec<String> =
                (first..last).map(|number| json_record(&population.wage(FIRST_YEAR, number, false))).collect();
            let page = format!("{{\"total\":{},\"next\":{next},\"records\":[{}]}}", population.rows, rows.join(","));
            out.write_all(page.as_bytes())?;
            end += page.len() as u64;
            bounds.push(end);
        }
        out.flush()?;
        drop(out);
        Ok(Self { file, bounds })
    }

    fn read(&self, number: usize) -> Option<std::io::Result<Vec<u8>>> {
        let (begin, end) = (*self.bounds.get(number)?, *self.bounds.get(number + 1)?);
        let mut page = vec![0; (end - begin) as usize];
        Some(self.file.read_exact_at(&mut page, begin).map(|()| page))
    }
}

/// Nothing in a row needs escaping; the amount is a number, as agencies send it.
fn json_record(wage: &Wage) -> String {
    let Wage { record_id, updated_at, id_number, name, payer_uscc, period, amount, paid_on } = wage;
    format!(
        "{{\"record_id\":\"{record_id}\",\"updated_at\":\"{updated_at}\",\"id_number\":\"{id_number}\",\"name\":\"{name}\",\
         \"payer_uscc\":\"{payer_uscc}\",\"period\":\"{period}\",\"amount\":{amount},\"paid_on\":\"{paid_on}\"}}"
    )
}

/// `GET /wages?cursor=N`; without a cursor the first page.
async fn page(State(pages): State<Arc<Pages>>, Query(parameters): Query<HashMap<String, String>>) -> Response {
    let number = parameters.get("cursor").map_or(Ok(0), |cursor| cursor.parse());
    // Read here: the file lies in the page cache, and this thread does nothing else.
    match number.ok().and_then(|number| pages.read(number)) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(Err(_)) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Ok(page)) => ([(CONTENT_TYPE, "application/json")], page).into_response(),
    }
}
