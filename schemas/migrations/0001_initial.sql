-- The first schema. Conventions: tables singular; `…_seq` is a publish sequence; `from_seq`/`to_seq` say in which publish a row came
-- and in which it was superseded (null: in force); closed sets are stored as their number in the order of the words in `domain`;
-- months are months since January of year 0; ID numbers, certificate numbers and names rest encrypted, agencies' record ids as keyed hashes.

-- One row: what this database belongs to.
create table installation (
    one boolean primary key default true constraint installation_is_one_row check (one),
    -- keyed value that tells whether the configured keys are the ones this database was filled with
    key_check bytea not null,
    -- business time = database time + this; zero in earnest
    clock_offset_us bigint not null default 0
);

-- The publish sequence is given out under the lock of this row, at commit: unlike a Postgres sequence its order is commit order.
create table publish_head (
    one boolean primary key default true constraint publish_head_is_one_row check (one),
    seq bigint not null
);
insert into publish_head (seq) values (0);

create table publish (
    seq bigint primary key,
    published_at timestamptz not null,
    cause text not null constraint publish_cause_is_known check (cause in ('pull', 'import', 'jobs', 'completion', 'answer'))
);

-- One execution of a job or command, for people and for the rows that say which run changed them.
create table run (
    run_id uuid primary key,
    run_number integer generated always as identity constraint run_number_is_unique unique,
    kind text not null,
    job text not null,
    state text not null constraint run_state_is_known check (state in ('running', 'done', 'done_with_refusals', 'held', 'failed')),
    actor text not null,
    business_date date not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    -- verification: the sequence it read, and the policy it judged by
    seq bigint,
    policy_version text,
    counts jsonb not null default '{}',
    error text,
    constraint run_ends_once check ((state = 'running') = (finished_at is null))
);
create index run_by_job on run (job, started_at);

-- Policy texts that were ever used, by content hash.
create table policy (
    version text primary key,
    content text not null,
    first_used_at timestamptz not null
);

-- Units, interned: joins and comparisons are on the number.
create table unit (
    unit_id integer generated always as identity primary key,
    uscc text not null constraint unit_uscc_is_unique unique constraint unit_uscc_has_18_characters check (length(uscc) = 18)
);

create sequence person_id_seq;
create table person (
    person_id bigint primary key,
    -- HMAC-SM3 of the ID number
    id_index bytea not null constraint person_id_index_is_unique unique,
    id_number bytea not null,
    -- as first heard from the certificate register or an employer
    name bytea not null,
    born_on date not null,
    -- 0 male, 1 female
    sex smallint not null constraint person_sex_is_known check (sex in (0, 1)),
    -- the publish in which the person became a certificate holder or was placed; records of a job that keeps only those
    -- concerned are complete for the person from the first whole pull that began at or after it
    concerned_seq bigint
);
insert into person (person_id, id_index, id_number, name, born_on, sex) values (0, '', '', '', '1900-01-01', 0);
comment on table person is 'person 0 is nobody: whom the deletion of a record that never came belongs to';

-- What employers enter. Nothing is changed in place.
create table employer (
    employer_id integer not null references unit,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    name text not null,
    kind smallint not null,
    division text not null,
    wage_class smallint constraint employer_wage_class_is_known check (wage_class between 1 and 3),
    federation_division text not null,
    tax_division text not null,
    headcount numeric,
    total_wages_fen bigint,
    wage_lag smallint not null constraint employer_wage_lag_is_0_or_1 check (wage_lag in (0, 1)),
    primary key (employer_id, from_seq)
);
create unique index employer_in_force_is_one on employer (employer_id) where to_seq is null;

create table affiliate (
    employer_id integer not null references unit,
    year smallint not null,
    unit_id integer not null references unit,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    name text not null,
    relation smallint not null,
    primary key (employer_id, year, unit_id, from_seq)
);
create unique index affiliate_in_force_is_one on affiliate (employer_id, year, unit_id) where to_seq is null;

create table placement (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    dispatched boolean not null,
    dispatch_unit integer references unit,
    wage_payer integer not null references unit,
    pension_payer integer not null references unit,
    medical_payer integer not null references unit,
    retirement_track smallint,
    primary key (person_id, employer_id, year, from_seq),
    constraint placement_names_its_dispatch_company check (dispatched = (dispatch_unit is not null))
);
create unique index placement_in_force_is_one on placement (person_id, employer_id, year) where to_seq is null;
create index placement_by_employer on placement (employer_id, year) where to_seq is null;

create table contract (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    kind smallint not null,
    starts_on date not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    ends_on date,
    terminated_on date,
    primary key (person_id, employer_id, year, kind, starts_on, from_seq)
);
create unique index contract_in_force_is_one on contract (person_id, employer_id, year, kind, starts_on) where to_seq is null;

-- Where records come from: a pull job is a source. Its settings are kept by publish sequence.
create table source (
    source_id smallint generated always as identity primary key,
    job text not null constraint source_job_is_unique unique
);
create table job (
    source_id smallint not null references source,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    record smallint not null,
    settles_after_days integer not null,
    stale_after_days integer not null,
    -- schemes as numbers, divisions as prefixes; empty covers everything
    schemes smallint[] not null,
    divisions text[] not null,
    concerned_only boolean not null,
    primary key (source_id, from_seq)
);
create unique index job_in_force_is_one on job (source_id) where to_seq is null;

-- One delivery. Its rows are written once, tagged with the batch, and seen by nobody until the batch has a sequence.
create table batch (
    batch_id integer generated always as identity primary key,
    source_id smallint not null references source,
    record smallint not null,
    run_id uuid not null references run,
    state text not null constraint batch_state_is_known
        check (state in ('fetching', 'landed', 'checked', 'published', 'duplicate', 'held', 'failed')),
    -- business time at which the fetch began, and the publish head it saw
    began_at timestamptz not null,
    began_seq bigint not null,
    -- everything the source has was asked for: only such a pull settles periods
    whole boolean not null,
    published_seq bigint constraint batch_sequence_is_unique unique references publish,
    counts jsonb not null default '{}',
    why text,
    constraint batch_published_has_a_sequence check ((published_seq is not null) = (state in ('published', 'duplicate')))
);
create index batch_by_source on batch (source_id, batch_id);
create unique index batch_open_is_one on batch (source_id) where state in ('fetching', 'landed', 'checked');

-- Pages that are in: a killed pull goes on after the last one.
create table batch_page (
    batch_id integer not null references batch,
    page_number integer not null,
    -- encrypted: an agency's cursor may hold an ID number
    resume bytea,
    rows integer not null,
    counts jsonb not null,
    primary key (batch_id, page_number)
);

create sequence version_id_seq cache 1;

create table wage (
    person_id bigint not null,
    version_id bigint not null,
    source_id smallint not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    record_key uuid not null,
    -- keyed digest of all that the record says
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    deleted boolean not null,
    period integer,
    payer integer,
    amount_fen bigint,
    paid_on date,
    primary key (person_id, version_id),
    constraint wage_says_all_unless_deleted check (deleted or (period is not null and payer is not null and amount_fen is not null))
);
create index wage_by_record on wage (record_key, source_id);
create index wage_by_batch on wage using brin (batch_id);

create table insurance (
    person_id bigint not null,
    version_id bigint not null,
    source_id smallint not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    record_key uuid not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    deleted boolean not null,
    period integer,
    scheme smallint,
    coverage smallint,
    insured integer,
    status smallint,
    payment smallint,
    arrived_on date,
    primary key (person_id, version_id),
    constraint insurance_says_all_unless_deleted check (deleted or (period is not null and scheme is not null and coverage is not null
        and status is not null and payment is not null))
);
create index insurance_by_record on insurance (record_key, source_id);
create index insurance_by_batch on insurance using brin (batch_id);

create table certificate (
    person_id bigint not null,
    version_id bigint not null,
    source_id smallint not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    record_key uuid not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    deleted boolean not null,
    kind smallint,
    certificate_number bytea,
    level smallint,
    category smallint,
    valid_from date,
    valid_to date,
    status smallint,
    status_since date,
    primary key (person_id, version_id),
    constraint certificate_says_all_unless_deleted check (deleted or (kind is not null and certificate_number is not null
        and level is not null and valid_from is not null and status is not null))
);
create index certificate_by_record on certificate (record_key, source_id);
create index certificate_by_batch on certificate using brin (batch_id);

create table dispatch_filing (
    version_id bigint primary key,
    source_id smallint not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    record_key uuid not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    deleted boolean not null,
    dispatcher integer,
    dispatcher_name text,
    licence_number text,
    province smallint,
    valid_from date,
    valid_to date,
    status smallint,
    constraint dispatch_filing_says_all_unless_deleted check (deleted or (dispatcher is not null and province is not null
        and valid_from is not null and status is not null))
);
create index dispatch_filing_by_record on dispatch_filing (record_key, source_id);

-- Records that were refused, kept whole (encrypted) until a good version comes, they are replayed, or somebody discards them.
create sequence quarantine_id_seq;
create table quarantine (
    quarantine_id bigint primary key,
    source_id smallint not null references source,
    batch_id integer not null references batch,
    page_number integer not null,
    row_number integer not null,
    code text not null,
    field text,
    -- what was wrong, without the value
    detail text not null,
    raw bytea not null,
    -- keyed digest of the raw form: the same refused record again is no second case
    content bigint not null,
    record_key uuid,
    -- where readable: whom (as person.id_index: the person may become known later) and what it would have been about
    id_index bytea,
    unit_id integer references unit,
    period integer,
    scheme smallint,
    -- null: open
    closed_seq bigint references publish,
    constraint quarantine_place_is_one unique (batch_id, page_number, row_number)
);
create index quarantine_open_by_person on quarantine (id_index) where closed_seq is null;
create index quarantine_open_by_record on quarantine (record_key, source_id) where closed_seq is null;
create index quarantine_by_content on quarantine (content, source_id);
create index quarantine_by_batch on quarantine (batch_id);

-- Records that were accepted although something about them is odd.
create table record_note (
    batch_id integer not null references batch,
    page_number integer not null,
    row_number integer not null,
    code text not null,
    person_id bigint,
    primary key (batch_id, page_number, row_number, code)
);

-- Results: a row a placement and year, twelve packed months (see domain::verdict), and the run that last changed each.
create table verification (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    cells integer[] not null constraint verification_has_12_months check (cardinality(cells) = 12),
    runs integer[] not null constraint verification_has_12_runs check (cardinality(runs) = 12),
    -- the publish sequence judged at when the row was last written: an older judgement never takes its place
    seq bigint not null,
    primary key (person_id, employer_id, year)
);
create index verification_by_employer on verification (employer_id, year);

-- Months that an employer declares, confirmed one by one.
create table tick (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    month integer not null,
    confirmed_at timestamptz not null,
    confirmed_by text not null,
    primary key (person_id, employer_id, month)
);
create index tick_by_employer on tick (employer_id, month);

create table declaration (
    employer_id integer not null references unit,
    year smallint not null,
    -- domain::declaration::State, with what is true in it
    state jsonb not null,
    saved_at timestamptz not null,
    primary key (employer_id, year)
);
-- Frozen at completion, never changed.
create table declared_month (
    employer_id integer not null references unit,
    year smallint not null,
    version integer not null,
    person_id bigint not null references person,
    month integer not null,
    weight smallint not null,
    dispatched boolean not null,
    cell integer not null,
    primary key (employer_id, year, version, person_id, month)
);
-- A month of a person is claimed by at most one employer at a time.
create table claim (
    person_id bigint not null references person,
    month integer not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    employer_id integer not null references unit,
    version integer not null,
    primary key (person_id, month, from_seq)
);
create unique index claim_on_a_month_is_one on claim (person_id, month) where to_seq is null;

create sequence certification_number_seq;

-- Messages to the tax department: body frozen in the transaction that decided it.
create table outbox (
    message_id uuid primary key,
    employer_id integer not null references unit,
    year smallint not null,
    version integer not null,
    kind text not null constraint outbox_kind_is_known check (kind in ('certified', 'withdrawn')),
    attempt integer not null,
    idempotency_key text not null constraint outbox_idempotency_key_is_unique unique,
    body bytea not null,
    digest bytea not null,
    state text not null constraint outbox_state_is_known check (state in ('waiting', 'sent', 'accepted', 'rejected', 'unknown')),
    created_at timestamptz not null,
    next_attempt_at timestamptz not null,
    receipt text,
    answer jsonb,
    -- whether the declaration has taken in what became of the message
    applied boolean not null default true,
    constraint outbox_message_is_one unique (employer_id, year, version, kind, attempt)
);
create index outbox_open on outbox (next_attempt_at) where state in ('waiting', 'sent', 'unknown');
-- One row before any byte leaves; completed by what came back.
create table outbox_attempt (
    message_id uuid not null references outbox,
    number integer not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    status integer,
    answer bytea,
    error text,
    primary key (message_id, number)
);

-- Every write of consequence and every sensitive read.
create table audit (
    audit_id bigint generated always as identity primary key,
    at timestamptz not null,
    actor text not null,
    action text not null,
    object text not null,
    detail jsonb not null default '{}'
);
