-- Pulls: records in a partition a source, batches that say what was asked, pages that are known again, refused records that say when.

alter table publish drop constraint publish_cause_is_known;
alter table publish add constraint publish_has_a_known_cause
    check (cause in ('pull', 'import', 'jobs', 'completion', 'answer', 'quarantine'));

alter table batch
    add column asked text not null default 'everything' constraint batch_asked_is_known
        check (asked in ('everything', 'changes', 'range', 'persons', 'replay')),
    -- hash of the settings by which the delivery was read: pages, watermarks and pulls that were cut off hold within one
    add column contract text not null default '',
    -- records stamped from here on were asked for; before there, of a range
    add column since timestamptz,
    add column until timestamptz,
    -- the latest stamp that came, no later than the beginning of the fetch
    add column watermark timestamptz,
    -- people who were concerned at this publish have all their records here; null: everybody has
    add column complete_seq bigint,
    -- as the job had them: what the delivery answers for
    add column concerned_only boolean not null default false,
    add column schemes smallint[] not null default '{}',
    add column divisions text[] not null default '{}',
    -- a dropped record turned out to belong to one that was kept later: the delivery is read once more
    add column again boolean not null default false,
    -- the source's own word for the state it delivered (ETag, Last-Modified)
    add column validator text,
    -- records that the source announced last, and at most
    add column announced bigint,
    add column announced_at_most bigint,
    -- the source said that nothing changed since its last delivery
    add column unchanged boolean not null default false,
    -- what a person who looks at the delivery should know
    add column notes text[] not null default '{}';
update batch b set asked = case when b.whole then 'everything' else 'range' end,
                   complete_seq = case when j.concerned_only then b.began_seq end,
                   concerned_only = j.concerned_only, schemes = j.schemes, divisions = j.divisions
from job j where j.source_id = b.source_id and j.to_seq is null;
alter table batch drop column whole;
create index batch_by_run on batch (run_id);

-- who became concerned lately
create index person_by_concern on person (concerned_seq) where concerned_seq is not null;

alter table batch_page
    -- the reading of the delivery that the page belongs to: 1, or 2
    add column reading smallint not null default 1,
    -- keyed digest of the page as it came: the same page again is not read again
    add column digest bytea,
    -- eight bytes of the key of each record that has to be remembered until the batch is published
    add column keys bytea;

alter table quarantine
    -- the stamp of the refused record, where readable: a good version as late or later closes the case
    add column updated_at timestamptz,
    -- as batch.contract
    add column contract text not null default '',
    add column closing text constraint quarantine_closing_is_known check (closing in ('superseded', 'replayed', 'discarded')),
    add column closed_by text,
    add column closed_why text;
update quarantine set closing = 'superseded' where closed_seq is not null;
alter table quarantine add constraint quarantine_closes_in_a_publish check ((closed_seq is null) = (closing is null));

-- Tables of records, widest columns first. Each source has its partition `<table>_<source_id>`; the partition gets its indexes
-- (`…_by_record`, `…_by_person`, `…_by_batch`, `…_superseded`) before the first delivery in it is published, so that a first
-- delivery of millions of rows is written without them.
alter table wage rename to wage_before;
create table wage (
    person_id bigint not null,
    version_id bigint not null,
    -- keyed digest of all that the record says
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    amount_fen bigint,
    record_key uuid not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    period integer,
    payer integer,
    paid_on date,
    source_id smallint not null,
    deleted boolean not null,
    constraint wage_is_whole_unless_deleted check (deleted or (period is not null and payer is not null and amount_fen is not null))
) partition by list (source_id);

alter table insurance rename to insurance_before;
create table insurance (
    person_id bigint not null,
    version_id bigint not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    record_key uuid not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    period integer,
    insured integer,
    arrived_on date,
    scheme smallint,
    coverage smallint,
    status smallint,
    payment smallint,
    source_id smallint not null,
    deleted boolean not null,
    constraint insurance_is_whole_unless_deleted check (deleted or (period is not null and scheme is not null and coverage is not null
        and status is not null and payment is not null))
) partition by list (source_id);

alter table certificate rename to certificate_before;
create table certificate (
    person_id bigint not null,
    version_id bigint not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    record_key uuid not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    valid_from date,
    valid_to date,
    status_since date,
    kind smallint,
    level smallint,
    category smallint,
    status smallint,
    source_id smallint not null,
    deleted boolean not null,
    certificate_number bytea,
    constraint certificate_is_whole_unless_deleted check (deleted or (kind is not null and certificate_number is not null
        and level is not null and valid_from is not null and status is not null))
) partition by list (source_id);

alter table dispatch_filing rename to dispatch_filing_before;
create table dispatch_filing (
    version_id bigint not null,
    content bigint not null,
    updated_at timestamptz not null,
    superseded_seq bigint,
    record_key uuid not null,
    batch_id integer not null,
    page_number integer not null,
    row_number integer not null,
    dispatcher integer,
    valid_from date,
    valid_to date,
    province smallint,
    status smallint,
    source_id smallint not null,
    deleted boolean not null,
    dispatcher_name text,
    licence_number text,
    constraint dispatch_filing_is_whole_unless_deleted check (deleted or (dispatcher is not null and province is not null
        and valid_from is not null and status is not null))
) partition by list (source_id);

do $$
declare
    tables text[] := array['wage', 'insurance', 'certificate', 'dispatch_filing'];
    name text;
    part text;
    columns text;
    number smallint;
begin
    for number, name in
        select distinct source_id, tables[record + 1] from (select source_id, record from job union select source_id, record from batch) as known
    loop
        part := name || '_' || number;
        execute format('create table %I partition of %I for values in (%s)', part, name, number);
        select string_agg(quote_ident(column_name), ', ') into columns from information_schema.columns
            where table_schema = current_schema and table_name = name;
        execute format('insert into %I (%s) select %s from %I where source_id = %s', name, columns, columns, name || '_before', number);
        execute format('create index %I on %I (record_key)', part || '_by_record', part);
        if name <> 'dispatch_filing' then
            execute format('create index %I on %I (person_id)', part || '_by_person', part);
        end if;
        execute format('create index %I on %I using brin (batch_id)', part || '_by_batch', part);
        execute format('create index %I on %I (superseded_seq) where superseded_seq is not null', part || '_superseded', part);
    end loop;
end $$;
drop table wage_before, insurance_before, certificate_before, dispatch_filing_before;
drop sequence version_id_seq;
