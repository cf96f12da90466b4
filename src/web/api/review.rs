//! 审核: the queue of staff, cases, decisions on months, and what was shown at the counter.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfPlacement, declaring};
use crate::declare::review::counter::{OriginalRead, Recorded, Shown, see_original, show_evidence};
use crate::declare::review::decide::{self, Decided, Deciding, Seconded, Seconding, Undone};
use crate::declare::review::shown::{ShownCase, WaitingLine, shown_case, waiting_lines};
use crate::declare::review::{self, Released};
use crate::domain::access::{Action, Actor};
use crate::domain::facts::{CertificateKind, PersonId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::review::{Ground, Grounds};
use crate::domain::ruling::{ApprovalReason, RejectionReason, Ruling, Word};
use crate::store::Store;
use crate::store::originals::OriginalSeen;
use crate::store::review_cases::CaseKey;
use crate::store::review_queue::Place;
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging, bad_cursor};
use crate::web::problem::Problem;
use crate::web::reply::Reply;

pub(super) fn routes() -> ApiRouter<Site> {
    let say = |id, access, summary| operation(id, "review", access, summary);
    let on = |action| Access::employer(action);
    ApiRouter::new()
        .api_route(
            "/review/cases",
            get_with(
                queue,
                say("list_cases", Access::nobody(Action::OpenCase), "Cases that wait, the oldest handing-in first"),
            ),
        )
        .api_route(
            "/review/cases/next",
            post_with(
                next,
                say("take_next_case", Access::nobody(Action::DecideMonth), "Take the oldest case that nobody works on"),
            ),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/opening",
            post_with(open, say("open_case", on(Action::OpenCase), "Open a case, which is written to the audit log")),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/release",
            post_with(release, say("release_case", on(Action::DecideMonth), "Give a case back")),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/months/{month}/decision",
            post_with(
                decide_month,
                say("decide_month", on(Action::DecideMonth), "Approve or reject a month of a case that was taken"),
            ),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/months/{month}/second",
            post_with(
                second,
                say("second_decision", on(Action::ApproveDecision), "As the second person, agree to a proposal or not"),
            ),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/months/{month}/undoing",
            post_with(
                undo,
                say("undo_decision", on(Action::UndoDecision), "Take a decision or proposal back, until completion"),
            ),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/shown",
            post_with(
                show,
                say(
                    "record_shown",
                    on(Action::SeeOriginal).or(Action::AttachEvidence),
                    "Record that documents were shown on paper at the counter",
                ),
            ),
        )
        .api_route(
            "/review/cases/{uscc}/{year}/{person_id}/original",
            post_with(
                original,
                say("record_original", on(Action::SeeOriginal), "Record that a certificate's original was seen today"),
            ),
        )
}

/// A month of a case.
#[derive(Deserialize, JsonSchema)]
struct OfCaseMonth {
    /// The employer's unified social credit code
    uscc: Uscc,
    /// Business year
    #[schemars(range(min = 2000, max = 2100))]
    year: i16,
    person_id: PersonId,
    /// A month of that year
    month: Month,
}

impl OfPlacement {
    async fn case(&self, store: &Store, actor: &Actor) -> Result<CaseKey, Problem> {
        Ok(declaring(store, actor, Action::ReadResults, &self.uscc, self.year).await?.case(self.person_id))
    }
}

impl OfCaseMonth {
    async fn case(&self, store: &Store, actor: &Actor) -> Result<CaseKey, Problem> {
        OfPlacement { uscc: self.uscc, year: self.year, person_id: self.person_id }.case(store, actor).await
    }
}

async fn queue(
    State(site): State<Site>,
    Holder(actor): Holder,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<WaitingLine>>, Problem> {
    let page = review::queue(&site.store, &actor, paging.after()?, paging.limit()?).await?;
    let items = waiting_lines(&site.store, page.cases).await?;
    Ok(Reply(Page { items, next: page.next.map(|place| place.to_string()) }))
}

/// Where to look.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Onwards {
    /// Look only after this place of the queue
    #[schemars(length(max = 200))]
    after: Option<String>,
}

/// The case that was taken.
#[derive(Serialize, JsonSchema)]
struct TakenCase {
    /// Null: no case waits for whoever asks.
    case: Option<ShownCase>,
}

async fn next(Writer { actor, store }: Writer, Body(onwards): Body<Onwards>) -> Result<Reply<TakenCase>, Problem> {
    let after = onwards.after.map(|after| after.parse::<Place>().map_err(|_| bad_cursor())).transpose()?;
    let case = match review::next(&store, &actor, after).await? {
        Some(opened) => Some(shown_case(&store, opened).await?),
        None => None,
    };
    Ok(Reply(TakenCase { case }))
}

async fn open(Writer { actor, store }: Writer, Path(of): Path<OfPlacement>) -> Result<Reply<ShownCase>, Problem> {
    let opened = review::open(&store, &actor, of.case(&store, &actor).await?).await?;
    Ok(Reply(shown_case(&store, opened).await?))
}

async fn release(Writer { actor, store }: Writer, Path(of): Path<OfPlacement>) -> Result<Reply<Released>, Problem> {
    let case = of.case(&store, &actor).await?;
    Ok(Reply(review::release(&store, &actor, case).await?))
}

/// A reviewer's word: the reasons of an approval, or those of a rejection.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MonthDecision {
    /// Reasons that answer each ground
    #[schemars(length(min = 1, max = 16))]
    approve: Option<Vec<ApprovalReason>>,
    #[schemars(length(min = 1, max = 16))]
    reject: Option<Vec<RejectionReason>>,
    /// What explains it; needed for the reason `other`
    #[schemars(length(max = 500))]
    note: Option<String>,
    /// The grounds that were seen, `fails_for` of the case: if others stand in the way now, nothing is decided
    #[schemars(length(min = 1, max = 8))]
    seen: Option<Vec<Ground>>,
}

impl MonthDecision {
    fn word(&self) -> Result<Word, Problem> {
        match (&self.approve, &self.reject) {
            (Some(reasons), None) => Ok(Word::Approve(reasons.clone())),
            (None, Some(reasons)) => Ok(Word::Reject(reasons.clone())),
            _ => {
                let detail = "either `approve` or `reject` gives the reasons, and not both";
                Err(Problem::unprocessable("one_word", detail, "请只选择通过或退回之一，并填写理由。"))
            }
        }
    }
}

fn set(grounds: &[Ground]) -> Grounds {
    grounds.iter().fold(Grounds::NONE, |all, ground| all.with(*ground))
}

async fn decide_month(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfCaseMonth>,
    Body(decision): Body<MonthDecision>,
) -> Result<Reply<Decided>, Problem> {
    let case = of.case(&store, &actor).await?;
    let deciding = Deciding {
        case,
        month: of.month,
        ruling: Ruling { word: decision.word()?, note: decision.note },
        seen: decision.seen.as_deref().map(set),
    };
    Ok(Reply(decide::decide(&store, &site.reading.policy, &actor, &deciding).await?))
}

/// The second person's word.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SecondWord {
    agrees: bool,
    #[schemars(length(max = 500))]
    why: Option<String>,
}

async fn second(
    Writer { actor, store }: Writer,
    Path(of): Path<OfCaseMonth>,
    Body(word): Body<SecondWord>,
) -> Result<Reply<Seconded>, Problem> {
    let case = of.case(&store, &actor).await?;
    let seconding = Seconding { case, month: of.month, agrees: word.agrees, why: word.why };
    Ok(Reply(decide::second(&store, &actor, &seconding).await?))
}

/// Why it is taken back.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Undoing {
    #[schemars(length(max = 500))]
    why: Option<String>,
}

async fn undo(
    Writer { actor, store }: Writer,
    Path(of): Path<OfCaseMonth>,
    Body(undoing): Body<Undoing>,
) -> Result<Reply<Undone>, Problem> {
    let case = of.case(&store, &actor).await?;
    Ok(Reply(decide::undo(&store, &actor, case, of.month, undoing.why.as_deref()).await?))
}

/// Documents that were shown on paper.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ShownDocuments {
    #[schemars(length(min = 1, max = 12))]
    months: Vec<Month>,
    /// What they prove
    #[schemars(length(min = 1, max = 8))]
    grounds: Vec<Ground>,
}

async fn show(
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    Body(documents): Body<ShownDocuments>,
) -> Result<Reply<Recorded>, Problem> {
    let case = of.case(&store, &actor).await?;
    let shown = Shown { case, months: documents.months, grounds: set(&documents.grounds) };
    Ok(Reply(show_evidence(&store, &actor, &shown).await?))
}

/// A certificate's validity, as read from its original.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Original {
    kind: CertificateKind,
    #[schemars(range(min = 1, max = 10))]
    level: u8,
    valid_from: NaiveDate,
    /// Left out: without end
    valid_to: Option<NaiveDate>,
}

async fn original(
    Writer { actor, store }: Writer,
    Path(of): Path<OfPlacement>,
    Body(original): Body<Original>,
) -> Result<Reply<OriginalSeen>, Problem> {
    let case = of.case(&store, &actor).await?;
    let Original { kind, level, valid_from, valid_to } = original;
    let read = OriginalRead { kind, level, valid_from, valid_to };
    Ok(Reply(see_original(&store, &actor, case, read).await?))
}
