-- Both sides compare what they hold: what differs is a row until it does not, and what only the department knew is taken over.

alter table outbox
    -- over without the department's holding it: it had gone on without us, it forgot what it had rejected, or the message never left;
    -- it is not sent, and counts as no message of ours
    add column overtaken boolean not null default false,
    -- accepted, and taken out of force by the department itself
    add column lapsed boolean not null default false,
    add constraint outbox_overtaken_is_over check (not overtaken or state = 'rejected');

-- A statement is read by parts: the first byte of the SHA-256 of the employer's code.
create index unit_by_part on unit (get_byte(sha256(decode(uscc, 'escape')), 0));
create index outbox_by_year on outbox (year);
-- who else declared a month of a message that is sent again
create index outbox_checking on outbox (seq) where checking is not null;
create index declared_month_by_person on declared_month (person_id, month);

-- One look at a year of both sides.
create table reconciliation (
    reconciliation_id integer generated always as identity primary key,
    year smallint not null,
    began_at timestamptz not null,
    ended_at timestamptz not null,
    rows_here bigint not null,
    rows_there bigint not null,
    digest_here text not null,
    digest_there text not null,
    -- rows that differ because of messages on their way
    under_way bigint not null,
    -- why the statement was not believed: then nothing was changed
    refused text
);
create index reconciliation_latest on reconciliation (year, reconciliation_id);

-- An employer's year of which the two sides hold different things; at most one is open.
create table difference (
    difference_id bigint generated always as identity primary key,
    -- as the department writes it: it may be nobody we know
    uscc text not null,
    year smallint not null,
    class text not null,
    -- both rows
    detail jsonb not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    closed_at timestamptz,
    closed_why text,
    -- who decided that the department is followed
    settled_by text,
    constraint difference_is_closed_for_a_reason check ((closed_at is null) = (closed_why is null))
);
create unique index difference_open on difference (uscc, year) where closed_at is null;
create index difference_of_year on difference (year, difference_id);

-- What the department had received and we do not know was taken over.
create table recovery (
    recovery_id integer generated always as identity primary key,
    employer_id integer not null references unit,
    year smallint not null,
    -- messages that it counted beyond those of ours
    messages integer not null,
    recovered_at timestamptz not null,
    recovered_by text not null,
    why text not null
);
create index recovery_by_employer on recovery (employer_id, year);

-- Of these messages, those that its statement named: what is known of them.
create table recovered_message (
    recovery_id integer not null references recovery,
    message_id text not null,
    employer_id integer not null references unit,
    year smallint not null,
    version integer not null,
    kind text not null constraint recovered_message_kind_is_known check (kind in ('certified', 'withdrawn')),
    attempt integer not null,
    idempotency_key text not null,
    -- in hexadecimal
    digest text not null,
    state text not null constraint recovered_message_state_is_known check (state in ('accepted', 'rejected')),
    receipt text,
    person_count bigint,
    weighted_person_months bigint,
    -- out of force since, by the department itself
    lapsed boolean not null default false,
    constraint recovered_message_is_one primary key (message_id, employer_id, year)
);
create index recovered_message_by_employer on recovered_message (employer_id, year);
