-- The outbox can be read in the order in which it was filled, held back, and asked about again.

alter table outbox
    -- the publish that put it there: commit order, so that whoever reads on from a sequence misses nothing
    add column seq bigint references publish,
    -- a message that is answered for good is asked about again, or sent again since the department forgot it
    add column checking text constraint outbox_checking_is_known check (checking in ('ask', 'send')),
    -- what the department said later against what it had said for good: code, field, value, text, or a receipt
    add column contradicted jsonb,
    -- takes back what the department holds and we do not know: leaves while everything else waits
    add column recovery boolean not null default false,
    add constraint outbox_checking_is_of_what_is_answered check (checking is null or state in ('accepted', 'rejected'));
update outbox set seq = coalesce((select max(seq) from publish where published_at <= created_at), (select min(seq) from publish));
alter table outbox alter column seq set not null;
create index outbox_by_seq on outbox (seq, version, attempt);

drop index outbox_open;
create index outbox_open on outbox (next_attempt_at) where state in ('waiting', 'sent', 'unknown') or checking is not null;
create index outbox_open_of_employer on outbox (employer_id, year)
    where state in ('waiting', 'sent', 'unknown') or checking is not null;
create index outbox_news on outbox (created_at) where not applied;

-- Nothing leaves while a hold stands: of everybody, or of one employer's year.
create table push_hold (
    hold_id integer generated always as identity primary key,
    -- both null: everything
    employer_id integer references unit,
    year smallint,
    held_at timestamptz not null,
    -- as the audit names who did it; the program itself, where the department asked for a pause
    held_by text not null,
    why text not null,
    -- over by itself then
    until timestamptz,
    released_at timestamptz,
    released_by text,
    constraint push_hold_is_of_a_year check ((employer_id is null) = (year is null))
);
create index push_hold_standing on push_hold (employer_id, year) where released_at is null;
