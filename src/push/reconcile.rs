//! Both sides compared, year by year, digest first: rows are read only where a part differs, and what is found is stored together or
//! not at all.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::Client;
use super::statement::{PartDigest, PartTotal, StatementError, YearTotal, total_of};
use crate::domain::reconciliation::{Class, Detail, Here, Judged, asked_again, compare};
use crate::domain::statement::{Row, part_of};
use crate::store::reconciliations::{Concluded, Found, Reconciling, Totals};
use crate::store::statement::StatementReader;
use crate::store::{Store, StoreError};

/// A statement with fewer rows than this share of the last one is not believed, once so many are gone.
const FEWEST: f64 = 0.70;
const GONE_THAT_MATTER: u64 = 20;

/// Why the two sides could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    #[error(transparent)]
    Statement(#[from] StatementError),
    #[error("what is held here could not be read, or what was found not stored")]
    Store(#[from] StoreError),
}

/// What a look at one year came to.
#[derive(Clone, Debug, Serialize)]
pub struct YearReconciled {
    pub year: i16,
    #[serde(flatten)]
    pub totals: Totals,
    /// Differences that are open now, by class.
    pub open: BTreeMap<Class, u64>,
    #[serde(flatten)]
    pub concluded: Concluded,
}

impl YearReconciled {
    /// Whether there is nothing that anybody must look at.
    pub fn is_clean(&self) -> bool {
        self.open.is_empty() && self.totals.refused.is_none()
    }
}

/// What is looked at, and how much is believed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Looking {
    /// Every year of both sides, if none is named.
    pub year: Option<i16>,
    /// A person knows that the department holds so few, or nothing.
    pub believe_fewer: bool,
}

/// Compares the years and stores what differs. What the program may put right by itself it begins to: the department is asked again about
/// what it does not hold any more.
pub async fn reconcile(
    store: &Store,
    client: &Client,
    looking: Looking,
) -> Result<Vec<YearReconciled>, ReconcileError> {
    let there = client.statement_years(store.now().await?).await?;
    let mut years = store.statement_years().await?;
    years.extend(there.iter().map(|total| total.year));
    years.sort_unstable();
    years.dedup();
    years.retain(|year| looking.year.is_none_or(|wanted| wanted == *year));
    let mut reconciled = Vec::new();
    for year in years {
        reconciled.push(reconcile_year(store, client, year, looking.believe_fewer).await?);
    }
    Ok(reconciled)
}

async fn reconcile_year(
    store: &Store,
    client: &Client,
    year: i16,
    believe_fewer: bool,
) -> Result<YearReconciled, ReconcileError> {
    let mut reconciling = store.begin_reconciliation(year, store.now().await?).await?;
    let mut finding = Finding { reconciling: Some(&mut reconciling), asks: true, open: BTreeMap::new() };
    let looked = look_at(store, client, year, believe_fewer, &mut finding).await;
    let open = finding.open;
    match looked {
        Ok(totals) => {
            let concluded = reconciling.conclude(&totals, store.now().await?).await?;
            Ok(YearReconciled { year, totals, open, concluded })
        }
        Err(ReconcileError::Statement(StatementError::Malformed(why))) => {
            // whatever was found before that is not kept either
            reconciling.abandon().await?;
            let reconciling = store.begin_reconciliation(year, store.now().await?).await?;
            let totals = Totals { refused: Some(why), ..Totals::default() };
            let concluded = reconciling.conclude(&totals, store.now().await?).await?;
            Ok(YearReconciled { year, totals, open: BTreeMap::new(), concluded })
        }
        Err(error) => {
            reconciling.abandon().await?;
            Err(error)
        }
    }
}

/// An employer's year that differs.
struct Differing {
    found: Found,
    here: Here,
}

/// What was found so far.
#[derive(Default)]
struct Finding<'a> {
    /// Where it is stored, if it is.
    reconciling: Option<&'a mut Reconciling>,
    /// The department is asked again about what it does not hold any more.
    asks: bool,
    open: BTreeMap<Class, u64>,
}

impl Finding<'_> {
    async fn add(&mut self, differing: Vec<Differing>) -> Result<(), StoreError> {
        let (mut found, mut ids) = (Vec::new(), Vec::new());
        for one in differing {
            *self.open.entry(one.found.class).or_default() += 1;
            let asked = asked_again(one.found.class, &one.here, one.found.detail.there.as_ref());
            ids.extend(asked.iter().filter_map(|id| Uuid::parse_str(id).ok()));
            found.push(one.found);
        }
        if let Some(reconciling) = &mut self.reconciling {
            reconciling.note(&found).await?;
            if self.asks {
                reconciling.ask_again(&ids).await?;
            }
        }
        Ok(())
    }
}

/// Whether the department holds messages that are not known here. Writes nothing.
pub async fn is_ahead(store: &Store, client: &Client) -> Result<bool, ReconcileError> {
    for total in client.statement_years(store.now().await?).await? {
        let mut finding = Finding::default();
        look_at(store, client, total.year, true, &mut finding).await?;
        if finding.open.contains_key(&Class::MissingHere) {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn look_at(
    store: &Store,
    client: &Client,
    year: i16,
    believe_fewer: bool,
    finding: &mut Finding<'_>,
) -> Result<Totals, ReconcileError> {
    let since = store.now().await?;
    let theirs = client.statement_parts(year, since).await?;
    let (here, ours) = own_total(store, year).await?;
    let mut totals = Totals {
        rows_here: here.rows,
        rows_there: theirs.total.rows,
        digest_here: here.digest,
        digest_there: theirs.total.digest,
        under_way: 0,
        refused: None,
    };
    if totals.digest_here == totals.digest_there {
        return Ok(totals);
    }
    if !believe_fewer && let Some(why) = too_few(store, year, &totals).await? {
        return Err(StatementError::Malformed(why).into());
    }
    let of = |parts: &[PartTotal], part: u8| parts.iter().find(|one| one.part == part).cloned();
    let differing = (0..=u8::MAX).filter(|part| of(&ours, *part) != of(&theirs.parts, *part));
    let differing: Vec<u8> = differing.collect();
    let mut own = OwnRows::new(store, year, differing.len());
    for part in differing {
        let rows = match &of(&theirs.parts, part) {
            Some(announced) => client.statement_rows(year, announced, store.now().await?).await?,
            None => Vec::new(),
        };
        let own = own.of_part(part).await?;
        totals.under_way += look_at_part(store, year, own, rows, since, finding).await?;
    }
    Ok(totals)
}

/// What is held here of a year, digested in one pass.
async fn own_total(store: &Store, year: i16) -> Result<(YearTotal, Vec<PartTotal>), StoreError> {
    let mut parts: Vec<PartTotal> = Vec::new();
    let mut current: Option<(u8, PartDigest)> = None;
    let mut reader = store.read_statement(year, None);
    while let Some((part, row)) = reader.next().await? {
        if current.as_ref().is_none_or(|(open, _)| *open != part) {
            let done = current.replace((part, PartDigest::default()));
            parts.extend(done.map(|(part, digest)| digest.total(part)));
        }
        if let Some((_, digest)) = &mut current {
            digest.add(&row);
        }
    }
    parts.extend(current.map(|(part, digest)| digest.total(part)));
    Ok((total_of(year, &parts), parts))
}

/// With more parts than these the year is read once in order, else each part by itself.
const FEW_PARTS: usize = 8;

/// Our rows of parts, which are asked for in order.
struct OwnRows<'a> {
    store: &'a Store,
    year: i16,
    whole: Option<StatementReader<'a>>,
    /// The first row of a later part.
    ahead: Option<(u8, Row)>,
}

impl<'a> OwnRows<'a> {
    fn new(store: &'a Store, year: i16, parts: usize) -> Self {
        let whole = (parts > FEW_PARTS).then(|| store.read_statement(year, None));
        Self { store, year, whole, ahead: None }
    }

    async fn of_part(&mut self, wanted: u8) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        let Some(whole) = &mut self.whole else {
            let mut reader = self.store.read_statement(self.year, Some(wanted));
            while let Some((_, row)) = reader.next().await? {
                rows.push(row);
            }
            return Ok(rows);
        };
        loop {
            let next = match self.ahead.take() {
                Some(next) => Some(next),
                None => whole.next().await?,
            };
            match next {
                None => return Ok(rows),
                Some((part, _)) if part < wanted => {}
                Some((part, row)) if part == wanted => rows.push(row),
                later => {
                    self.ahead = later;
                    return Ok(rows);
                }
            }
        }
    }
}

/// Most failures of a peer are an answer that is empty.
async fn too_few(store: &Store, year: i16, totals: &Totals) -> Result<Option<String>, StoreError> {
    let Totals { rows_here, rows_there, .. } = *totals;
    let before = store.find_last_rows_there(year).await?.unwrap_or_default();
    let again = "if it is so, `renzheng reconcile --year Y --believe-fewer` goes on";
    if rows_there == 0 && rows_here > 0 {
        return Ok(Some(format!("it is empty, and {rows_here} employers' years are answered here; {again}")));
    }
    let gone = before.saturating_sub(rows_there);
    let shrunk = gone >= GONE_THAT_MATTER && (rows_there as f64) < FEWEST * before as f64;
    Ok(shrunk.then(|| format!("{rows_there} rows, where there were {before} at the last look; {again}")))
}

/// Compares one part row by row; those that differ are read here once more, since much may have happened meanwhile. How many differ by
/// what is on its way.
async fn look_at_part(
    store: &Store,
    year: i16,
    ours: Vec<Row>,
    theirs: Vec<Row>,
    since: DateTime<Utc>,
    finding: &mut Finding<'_>,
) -> Result<u64, StoreError> {
    let mut theirs: BTreeMap<String, Row> = theirs.into_iter().map(|row| (row.uscc.clone(), row)).collect();
    let mut codes: Vec<String> = Vec::new();
    for row in ours {
        match theirs.get(&row.uscc) {
            Some(there) if *there == row => {
                theirs.remove(&row.uscc);
            }
            Some(_) => {}
            None => codes.push(row.uscc),
        }
    }
    codes.extend(theirs.keys().cloned());
    let mut known = store.list_here(year, &codes, since).await?;
    let (mut differing, mut under_way) = (Vec::new(), 0);
    for uscc in codes {
        let here = known.remove(&uscc).unwrap_or_default();
        let there = theirs.remove(&uscc);
        match compare(&uscc, &here, there.as_ref()) {
            Judged::Equal => {}
            Judged::UnderWay => under_way += 1,
            Judged::Differs(class) => {
                let detail = Detail { here: here.row(&uscc), there };
                differing.push(Differing { found: Found { uscc, class, detail }, here });
            }
        }
    }
    finding.add(differing).await?;
    Ok(under_way)
}

/// Looks at one employer's year anew and keeps what is found, so that a decision rests on what is so now. The department is not asked
/// again about one employer alone: what others declared of the same persons comes back in order only together.
pub async fn refresh(store: &Store, client: &Client, uscc: &str, year: i16) -> Result<Judged, ReconcileError> {
    let mut reconciling = store.begin_reconciliation(year, store.now().await?).await?;
    let since = store.now().await?;
    let parts = client.statement_parts(year, since).await?;
    let announced = parts.parts.into_iter().find(|part| part.part == part_of(uscc));
    let rows = match &announced {
        Some(announced) => client.statement_rows(year, announced, since).await?,
        None => Vec::new(),
    };
    let there = rows.into_iter().find(|row| row.uscc == uscc);
    let codes = [uscc.to_owned()];
    let here = store.list_here(year, &codes, since).await?.remove(uscc).unwrap_or_default();
    let judged = compare(uscc, &here, there.as_ref());
    match judged {
        Judged::Differs(class) => {
            let detail = Detail { here: here.row(uscc), there };
            let differing = Differing { found: Found { uscc: uscc.to_owned(), class, detail }, here };
            let mut finding = Finding { reconciling: Some(&mut reconciling), ..Finding::default() };
            finding.add(vec![differing]).await?;
        }
        Judged::Equal | Judged::UnderWay => reconciling.close_of(&codes).await?,
    }
    reconciling.conclude_some().await?;
    Ok(judged)
}
