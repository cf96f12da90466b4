-- From a person to a placement with contracts: look-ups, what belongs to a placement beside what is judged, affiliates' and handlers'
-- addresses, and notices to employers and staff.

-- Every look-up in the register, and every one that was refused. A match leaves a receipt, by which the person is entered for a while.
create table look_up (
    look_up_id bigint generated always as identity primary key,
    employer_id integer not null references unit,
    actor text not null,
    at timestamptz not null,
    outcome text not null constraint look_up_outcome_is_known check (outcome in ('match', 'no_match', 'refused')),
    -- who matched, nobody else
    person_id bigint references person,
    -- keyed hash
    receipt bytea constraint look_up_receipt_is_unique unique,
    expires_at timestamptz,
    constraint look_up_that_matches_has_a_receipt check ((outcome = 'match') = (person_id is not null)
        and (outcome = 'match') = (receipt is not null) and (outcome = 'match') = (expires_at is not null))
);
create index look_up_by_employer on look_up (employer_id, at);
create index look_up_by_actor on look_up (actor, at);
create index look_up_refused on look_up (at) where outcome = 'refused';

-- What is entered with a placement and judged by nobody: its education, and the post and pay of its contracts.
create sequence placement_detail_id_seq;
create table placement_detail (
    placement_detail_id bigint primary key,
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    -- the contract that it is of; null: the education
    contract_kind smallint,
    starts_on date,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    -- JSON, encrypted
    content bytea not null,
    constraint placement_detail_is_of_education_or_a_contract check ((contract_kind is null) = (starts_on is null))
);
create unique index placement_detail_in_force_is_one on placement_detail (person_id, employer_id, year, contract_kind, starts_on)
    nulls not distinct where to_seq is null;
create index placement_detail_by_employer on placement_detail (employer_id, year) where to_seq is null;

-- The side that counts a dispatched person, as the dispatch agreement names it: domain::entry::CountedBy by number.
create table dispatch_agreement (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    counted_by smallint not null constraint dispatch_agreement_names_a_side check (counted_by in (0, 1)),
    constraint dispatch_agreement_version_is_one primary key (person_id, employer_id, year, from_seq)
);
create unique index dispatch_agreement_in_force_is_one on dispatch_agreement (person_id, employer_id, year) where to_seq is null;
create index dispatch_agreement_by_employer on dispatch_agreement (employer_id, year) where to_seq is null;

create index contract_by_employer on contract (employer_id, year) where to_seq is null;

-- How an affiliate is reached; goes with it.
create table affiliate_address (
    employer_id integer not null references unit,
    year smallint not null,
    unit_id integer not null references unit,
    address text,
    phone text,
    constraint affiliate_address_is_one primary key (employer_id, year, unit_id)
);

-- Who handles an employer's declarations, and how they are reached: JSON, encrypted. It stays from year to year, and every year anew
-- the employer says that it still holds.
create table employer_contact (
    employer_id integer primary key references unit,
    content bytea not null,
    saved_at timestamptz not null
);
create table employer_confirmation (
    employer_id integer not null references unit,
    year smallint not null,
    confirmed_at timestamptz not null,
    confirmed_by text not null,
    constraint employer_confirmation_is_one primary key (employer_id, year)
);

-- What an employer, or a federation's staff, should know. The same fact is told once.
create table notice (
    notice_id bigint generated always as identity primary key,
    employer_id integer references unit,
    -- of the staff in charge, six digits
    division text,
    kind text not null,
    -- without personal data: what it is about, as its addressee may know it
    object text not null,
    -- what makes it the same fact; not shown
    fact text not null,
    params jsonb not null,
    created_at timestamptz not null,
    read_at timestamptz,
    read_by text,
    constraint notice_has_one_addressee check ((employer_id is null) <> (division is null)),
    constraint notice_is_read_by_somebody check ((read_at is null) = (read_by is null)),
    constraint notice_is_told_once unique nulls not distinct (employer_id, division, kind, fact)
);
create index notice_unread on notice (notice_id) where read_at is null;
