-- Files that prove what a check could not see. Their bytes lie outside of the database, encrypted, under the name that stands here.

create sequence evidence_id_seq;
create table evidence (
    evidence_id bigint primary key,
    employer_id integer not null references unit,
    -- keyed hash of the employer and the content: the file's name, and by which the same content is known again
    content_name bytea not null constraint evidence_of_one_content_is_one unique,
    -- domain::evidence::Format
    format smallint not null constraint evidence_format_is_known check (format between 0 and 3),
    size_bytes integer not null constraint evidence_is_not_empty check (size_bytes > 0),
    -- encrypted: it may hold a person's name
    file_name bytea not null,
    received_at timestamptz not null,
    received_by text not null,
    -- when the virus scanner let it pass; null: there was none
    scanned_at timestamptz
);
create index evidence_by_employer on evidence (employer_id, evidence_id);

-- What a file is put to use for. A use is withdrawn by its removal date; nothing is ever deleted.
create table evidence_use (
    use_id bigint generated always as identity primary key,
    evidence_id bigint not null references evidence,
    employer_id integer not null references unit,
    year smallint not null,
    -- a month of a placement, an affiliate, a contract, a dispatch agreement, the original of a certificate
    subject text not null constraint evidence_use_subject_is_known
        check (subject in ('cell', 'affiliate', 'contract', 'agreement', 'original')),
    person_id bigint references person,
    -- of a cell: the month, and domain::review::Ground
    month integer,
    ground smallint,
    -- of an affiliate
    unit_id integer references unit,
    -- of a contract
    contract_kind smallint,
    starts_on date,
    added_at timestamptz not null,
    added_by text not null,
    -- a reviewer decided with this before them: from then on it stays
    relied_on_at timestamptz,
    removed_at timestamptz,
    removed_by text,
    constraint evidence_use_says_what_it_proves check (
        (person_id is null) = (subject = 'affiliate')
        and (month is not null) = (subject = 'cell') and (ground is not null) = (subject = 'cell')
        and (unit_id is not null) = (subject = 'affiliate')
        and (contract_kind is not null) = (subject = 'contract') and (starts_on is not null) = (subject = 'contract')
    ),
    constraint evidence_use_month_is_of_its_year check (month is null or month between year * 12 and year * 12 + 11),
    constraint evidence_use_ground_is_known check (ground between 0 and 7),
    constraint evidence_use_removal_has_its_actor check ((removed_at is null) = (removed_by is null)),
    constraint evidence_use_relied_on_stays check (removed_at is null or relied_on_at is null)
);
create unique index evidence_use_in_force_is_one on evidence_use
    (evidence_id, year, subject, person_id, month, ground, unit_id, contract_kind, starts_on)
    nulls not distinct where removed_at is null;
create index evidence_use_by_employer on evidence_use (employer_id, year);
