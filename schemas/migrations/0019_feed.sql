-- Messages can be fetched and written to files as well as pushed; answers come back in lists and files; documents are issued.

alter table app_user
    drop constraint app_user_role_is_listed,
    add constraint app_user_role_is_known
        check (role in ('employer', 'handler', 'reviewer', 'supervisor', 'operator', 'auditor', 'tax_department'));

alter table outbox_attempt
    -- pushed by us, fetched by the department, or written to a file for it
    add column way text not null default 'push' constraint outbox_attempt_way_is_known check (way in ('push', 'feed', 'file'));

-- The division of the tax department that a message is for. A body never changes, and this database is UTF-8.
create function message_division(body bytea) returns text language sql immutable parallel safe as $$
    select convert_from(body, 'UTF8')::jsonb ->> 'tax_division'
$$;

-- Answers that came as a list or a file, as they came.
create table answer_delivery (
    answer_delivery_id integer generated always as identity primary key,
    way text not null constraint answer_delivery_way_is_known check (way in ('feed', 'file')),
    -- the beginning of the tax divisions that whoever brought it reaches; empty: all
    division text not null,
    -- SHA-256 of the body as it came: a file is taken once for each reach
    digest bytea not null constraint answer_delivery_digest_has_32_bytes check (length(digest) = 32),
    -- as it came, encrypted
    body bytea not null,
    received_at timestamptz not null,
    -- as the audit names them
    received_by text not null,
    -- how many answers were in it; of the first thousand that were not taken the line, code and text
    answers integer not null,
    refused jsonb not null,
    -- lines about messages that were not known here, or had not left: these are taken when the file is seen again
    early integer[] not null,
    constraint answer_delivery_is_kept_once unique (way, division, digest)
);

-- What a job writes for the tax department: decided first, then written and delivered, and always the same.
create table export (
    export_id integer generated always as identity primary key,
    job text not null,
    year smallint not null,
    -- the beginning of the tax divisions it holds; empty: all
    division text not null,
    formats text[] not null,
    -- publishes after the first, up to and with the second
    from_seq bigint not null,
    to_seq bigint not null,
    -- what it holds, in order: decided once, whatever becomes of the messages since
    messages uuid[] not null,
    created_at timestamptz not null,
    delivered_at timestamptz,
    constraint export_goes_forward check (to_seq > from_seq),
    constraint export_begins_once unique (job, year, from_seq)
);
create unique index export_one_undelivered on export (job, year) where delivered_at is null;

-- The document of a certification (认定书), as it was issued first.
create table certification_document (
    -- what the department accepted: a version that it rejects later and gets again, corrected, has another document
    message_id uuid primary key references outbox,
    certification_number text not null,
    employer_id integer not null references unit,
    year smallint not null,
    version integer not null,
    attempt integer not null,
    -- JSON, final; no personal data
    content text not null,
    -- SM3 of the content
    content_hash bytea not null constraint certification_document_hash_is_sm3 check (length(content_hash) = 32),
    issued_at timestamptz not null,
    issued_by text not null,
    constraint certification_document_is_one unique (employer_id, year, version, attempt)
);
create index certification_document_by_number on certification_document (certification_number);
