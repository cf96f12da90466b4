//! Files that prove what a check could not see, and which are asked for.

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::generate::GenContext;
use aide::openapi::{
    MediaType, Operation, Parameter, ParameterData, ParameterSchemaOrContent, QueryStyle, Response as Documented,
    SchemaObject, StatusCode,
};
use aide::operation::add_parameters;
use aide::{OperationInput, OperationOutput};
use axum::body::Body as Streamed;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::stream::try_unfold;
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};

use super::describe::{Access, operation};
use super::whose::{OfEmployer, OfYear, declaring, employer};
use super::why::Words;
use crate::declare::evidence::{self, Attached, Attaching, Form, Opened, Withdrawing, Withdrawn};
use crate::declare::needs::{Need, needs};
use crate::domain::access::{Action, Actor, Denied};
use crate::domain::evidence::{FILE_BYTES, Format, Refusal, Subject, USES_AT_ONCE, ending_of};
use crate::domain::facts::{ContractKind, PersonId, UnitId};
use crate::domain::ids::Uscc;
use crate::domain::month::Month;
use crate::domain::review::Ground;
use crate::store::Store;
use crate::store::evidence::{Evidence, EvidenceUse};
use crate::web::Site;
use crate::web::asker::Holder;
use crate::web::input::{Body, Path, Query};
use crate::web::once::Writer;
use crate::web::paging::{Page, Paging};
use crate::web::problem::Problem;
use crate::web::reply::Reply;
use crate::web::upload::{FileName, Upload};

const TAG: &str = "evidence";

pub(super) fn routes() -> ApiRouter<Site> {
    let (read, attach_evidence) = (Access::employer(Action::ReadResults), Access::employer(Action::AttachEvidence));
    let open = Access::employer(Action::OpenEvidence);
    ApiRouter::new()
        .api_route(
            "/employers/{uscc}/evidence",
            post_with(
                attach,
                operation("attach_evidence", TAG, attach_evidence, "Hand in a file, and say all that it proves"),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/evidence",
            get_with(list, operation("list_evidence", TAG, read, "The files of a year, and what each is in use for")),
        )
        .api_route(
            "/employers/{uscc}/evidence/{evidence_id}",
            get_with(show, operation("read_evidence", TAG, read, "One file with all that it is or was in use for")),
        )
        .api_route(
            "/employers/{uscc}/evidence/{evidence_id}/content",
            get_with(
                content,
                operation("open_evidence", TAG, open, "The file itself, as an attachment; every look is audited"),
            ),
        )
        .api_route(
            "/employers/{uscc}/evidence/{evidence_id}/withdrawals",
            post_with(
                withdraw,
                operation(
                    "withdraw_evidence",
                    TAG,
                    attach_evidence,
                    "End uses of a file, while no decision rests on them",
                ),
            ),
        )
        .api_route(
            "/employers/{uscc}/years/{year}/needs",
            get_with(
                needed,
                operation("list_needs", TAG, read, "Which documents the failing months ask for, cell by cell"),
            ),
        )
}

/// A file of an employer.
#[derive(Deserialize, JsonSchema)]
struct OfEvidence {
    /// The employer's unified social credit code
    uscc: Uscc,
    evidence_id: i64,
}

/// What a file proves.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "subject", rename_all = "snake_case", deny_unknown_fields)]
enum Proves {
    /// Months of a placement, for things that stand in their way.
    Cell { person: PersonId, months: Vec<Month>, grounds: Vec<Ground> },
    /// That a unit is related to the employer.
    Affiliate { year: i16, unit_uscc: Uscc },
    /// A contract of a placement.
    Contract { year: i16, person: PersonId, kind: ContractKind, starts_on: NaiveDate },
    /// The agreement that names a dispatched person and the side that counts them.
    Agreement { year: i16, person: PersonId },
    /// The original of a person's certificate.
    Original { year: i16, person: PersonId },
}

impl Proves {
    async fn subjects(self, store: &Store) -> Result<Vec<Subject>, Problem> {
        Ok(match self {
            Self::Cell { person, months, grounds } => {
                let cells = months.into_iter().flat_map(|month| grounds.iter().map(move |ground| (month, *ground)));
                // one more than is taken: a short text multiplies to many
                let cells = cells.take(USES_AT_ONCE + 1);
                cells.map(|(month, ground)| Subject::Cell { person, month, ground }).collect()
            }
            Self::Affiliate { year, unit_uscc } => {
                // a unit that nobody named is no affiliate either
                let unit = store.find_unit(&unit_uscc).await?.unwrap_or(UnitId(0));
                vec![Subject::Affiliate { year, unit }]
            }
            Self::Contract { year, person, kind, starts_on } => {
                vec![Subject::Contract { year, person, kind, starts_on }]
            }
            Self::Agreement { year, person } => vec![Subject::Agreement { year, person }],
            Self::Original { year, person } => vec![Subject::Original { year, person }],
        })
    }
}

/// What a file proves, as JSON in the query.
struct Proof(Vec<Proves>);

/// The word of the query.
const PROVES: &str = "proves";

/// The query as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofSaid {
    proves: String,
}

impl axum::extract::FromRequestParts<Site> for Proof {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, site: &Site) -> Result<Self, Problem> {
        let Query(ProofSaid { proves }) = Query::from_request_parts(parts, site).await?;
        serde_json::from_str(&proves).map(Self).map_err(|error| {
            let detail = format!(
                "`{PROVES}` is not the list in JSON that /api/openapi.json describes, from its column {} on",
                error.column()
            );
            Problem::bad_request("bad_query", detail, "查询参数 proves 不符合接口说明。")
        })
    }
}

impl OperationInput for Proof {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let json_schema = ctx.schema.subschema_for::<Vec<Proves>>();
        let schema = Some(SchemaObject { json_schema, example: None, external_docs: None });
        let media = MediaType { schema, ..MediaType::default() };
        let content = [("application/json".to_owned(), media)].into_iter().collect();
        let parameter_data = ParameterData {
            name: PROVES.to_owned(),
            description: Some("All that the file proves".to_owned()),
            required: true,
            deprecated: None,
            format: ParameterSchemaOrContent::Content(content),
            example: None,
            examples: [].into(),
            explode: None,
            extensions: [].into(),
        };
        let style = QueryStyle::Form;
        let parameter = Parameter::Query { parameter_data, allow_reserved: false, style, allow_empty_value: None };
        add_parameters(ctx, operation, [parameter]);
    }
}

/// A file as it is shown.
#[derive(Serialize, JsonSchema)]
struct EvidenceShown {
    evidence_id: i64,
    format: Format,
    size_bytes: u32,
    /// `*` and its ending: a name may hold somebody's.
    file_name: String,
    received_at: DateTime<Utc>,
    received_by: String,
    /// A virus scanner looked at it.
    scanned: bool,
    uses: Vec<EvidenceUse>,
}

impl EvidenceShown {
    fn of(evidence: Evidence, uses: Vec<EvidenceUse>) -> Self {
        let ending = ending_of(&evidence.file_name).map_or_else(String::new, |ending| format!(".{ending}"));
        Self {
            evidence_id: evidence.evidence_id,
            format: evidence.format,
            size_bytes: evidence.size_bytes,
            file_name: format!("*{ending}"),
            received_at: evidence.received_at,
            received_by: evidence.received_by,
            scanned: evidence.scanned_at.is_some(),
            uses,
        }
    }
}

/// Which uses are to end, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ending {
    /// Numbers of uses.
    #[schemars(length(min = 1, max = 5000))]
    uses: Vec<i64>,
    why: Words,
}

/// In which form a file is wanted.
#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum WantedForm {
    /// As it came, byte for byte.
    Original,
    /// The picture drawn anew, without what a camera wrote into it.
    Rendition,
}

/// In which form.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct InForm {
    /// `original` where nothing is said.
    form: Option<WantedForm>,
}

async fn attach(
    State(site): State<Site>,
    Writer { actor, store }: Writer,
    Path(of): Path<OfEmployer>,
    Proof(proof): Proof,
    FileName(file_name): FileName,
    upload: Upload<FILE_BYTES>,
) -> Result<Reply<Attached>, Problem> {
    let employer = employer(&store, &actor, Action::AttachEvidence, &of.uscc).await?;
    let mut subjects = Vec::new();
    for proves in proof {
        subjects.extend(proves.subjects(&store).await?);
        if subjects.len() > USES_AT_ONCE {
            return Err(Refusal::TooManyUses.into());
        }
    }
    let attaching = Attaching { employer, file_name: &file_name, subjects: &subjects };
    let (incoming, _room) = upload.into_reader();
    Ok(Reply(evidence::attach(&store, site.scanner.as_ref(), &actor, &attaching, incoming).await?))
}

async fn list(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
    Query(paging): Query<Paging>,
) -> Result<Reply<Page<EvidenceShown>>, Problem> {
    let employer = employer(&site.store, &actor, Action::ReadResults, &of.uscc).await?;
    let (limit, after) = (paging.limit()?, paging.after::<i64>()?.unwrap_or(0));
    let listed = evidence::list(&site.store, &actor, employer, of.year.into()).await?;
    let beyond = listed.into_iter().filter(|(evidence, _)| evidence.evidence_id > after).take(limit + 1);
    let shown = beyond.map(|(evidence, uses)| EvidenceShown::of(evidence, uses)).collect();
    Ok(Reply(Page::of(shown, limit, |one| one.evidence_id.to_string())))
}

/// The file, if it is one of the employer's.
async fn found(
    store: &Store,
    actor: &Actor,
    action: Action,
    of: &OfEvidence,
) -> Result<(Evidence, Vec<EvidenceUse>), Problem> {
    let employer = employer(store, actor, action, &of.uscc).await?;
    let (evidence, uses) = evidence::show(store, actor, of.evidence_id).await?;
    if evidence.employer == employer { Ok((evidence, uses)) } else { Err(Denied::NotFound.into()) }
}

async fn show(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEvidence>,
) -> Result<Reply<EvidenceShown>, Problem> {
    let (evidence, uses) = found(&site.store, &actor, Action::ReadResults, &of).await?;
    Ok(Reply(EvidenceShown::of(evidence, uses)))
}

async fn content(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfEvidence>,
    Query(InForm { form }): Query<InForm>,
) -> Result<Attachment, Problem> {
    let form = match form.unwrap_or(WantedForm::Original) {
        WantedForm::Original => Form::Original,
        WantedForm::Rendition => Form::Rendition,
    };
    found(&site.store, &actor, Action::OpenEvidence, &of).await?;
    let mut opened = evidence::open(&site.store, &actor, of.evidence_id, form).await?;
    // what is damaged from its beginning is told as such
    let first = opened.next_piece().await?;
    Ok(Attachment { first, opened })
}

/// A file that is handed out, never to be shown inside of a page.
struct Attachment {
    first: Option<Vec<u8>>,
    opened: Opened,
}

impl IntoResponse for Attachment {
    fn into_response(self) -> Response {
        let Self { first, opened } = self;
        let format = opened.evidence.format;
        let ending = format.endings().first().copied().unwrap_or_default();
        let disposition = format!("attachment; filename=\"evidence-{}.{ending}\"", opened.evidence.evidence_id);
        // a file that turns out damaged on the way breaks off: what came is not taken for the whole
        let pieces = try_unfold((first, opened), |(first, mut opened)| async move {
            let piece = match first {
                Some(piece) => Some(piece),
                None => opened.next_piece().await?,
            };
            Ok::<_, evidence::EvidenceError>(piece.map(|piece| (piece, (None, opened))))
        });
        let mut response = Streamed::from_stream(pieces).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
        if let Ok(disposition) = HeaderValue::try_from(disposition) {
            headers.insert(header::CONTENT_DISPOSITION, disposition);
        }
        response
    }
}

impl OperationOutput for Attachment {
    type Inner = Self;

    fn operation_response(_: &mut GenContext, _: &mut Operation) -> Option<Documented> {
        let json_schema = json_schema!({ "type": "string", "format": "binary" });
        let schema = Some(SchemaObject { json_schema, example: None, external_docs: None });
        Some(Documented {
            description: "The file, as an attachment".to_owned(),
            content: [("*/*".to_owned(), MediaType { schema, ..MediaType::default() })].into_iter().collect(),
            ..Documented::default()
        })
    }

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<StatusCode>, Documented)> {
        let response = Self::operation_response(ctx, operation);
        response.map(|response| (Some(StatusCode::Code(200)), response)).into_iter().collect()
    }
}

async fn withdraw(
    Writer { actor, store }: Writer,
    Path(of): Path<OfEvidence>,
    Body(Ending { uses, why }): Body<Ending>,
) -> Result<Reply<Withdrawn>, Problem> {
    found(&store, &actor, Action::AttachEvidence, &of).await?;
    let asked = Withdrawing { evidence_id: of.evidence_id, uses: &uses, why: &why };
    Ok(Reply(evidence::withdraw(&store, &actor, &asked).await?))
}

async fn needed(
    State(site): State<Site>,
    Holder(actor): Holder,
    Path(of): Path<OfYear>,
) -> Result<Reply<Page<Need>>, Problem> {
    let declaring = declaring(&site.store, &actor, Action::ReadResults, &of.uscc, of.year).await?;
    Ok(Reply(Page::whole(needs(&site.store, &site.reading, &actor, declaring).await?)))
}
