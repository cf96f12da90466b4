-- What is seen from outside: what a run said while it went on, alerts with the messages that tell people of them, and since when the
-- past is kept whole.

alter table run drop constraint run_state_is_known;
alter table run add constraint run_has_a_known_state
    check (state in ('running', 'done', 'done_with_refusals', 'held', 'failed', 'timed_out', 'crashed', 'discarded'));
alter table run
    -- why it began: a person's command, or what a schedule says
    add column because text not null default 'started by hand',
    -- database time (not business time) at which whoever runs it last said that it goes on; null: it never says so
    add column alive_at timestamptz;
create index run_running on run (alive_at) where state = 'running';

-- What a run said while it went on, without personal data. A line of level `stage` names the stage that begins.
create table run_line (
    run_number integer not null references run (run_number),
    line_number integer not null,
    at timestamptz not null,
    level text not null constraint run_line_level_is_known check (level in ('stage', 'info', 'warn', 'error')),
    text text not null,
    primary key (run_number, line_number)
);
create index run_line_by_age on run_line (at);

create index quarantine_open_by_source on quarantine (source_id) where closed_seq is null;
alter table quarantine drop constraint quarantine_closing_is_known;
alter table quarantine add constraint quarantine_closes_in_a_known_way check (closing in ('superseded', 'replayed', 'discarded', 'expired'));
-- a case whose content was given up keeps what it was about, not what it held
alter table quarantine add constraint quarantine_expires_empty check (closing <> 'expired' or length(raw) = 0);

-- Something that is wrong until it is not: one row while it is, however often it is seen.
create table alert (
    alert_id integer generated always as identity primary key,
    kind text not null,
    -- with what: a job's name, or what the kind is about
    subject text not null,
    -- what is the matter, and what to do
    text text not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    acknowledged_why text,
    constraint alert_is_acknowledged_whole
        check ((acknowledged_at is null) = (acknowledged_by is null) and (acknowledged_at is null) = (acknowledged_why is null))
);
create unique index alert_open_is_one on alert (kind, subject) where closed_at is null;
create index alert_by_age on alert (closed_at) where closed_at is not null;

-- A message to people: that an alert opened, or that it is over; frozen when it was decided.
create table message (
    message_id uuid primary key,
    alert_id integer not null references alert,
    -- name of a target of the settings
    target text not null,
    event text not null constraint message_event_is_known check (event in ('opened', 'closed')),
    subject text not null,
    text text not null,
    created_at timestamptz not null,
    next_attempt_at timestamptz not null,
    delivered_at timestamptz,
    constraint message_is_one unique (alert_id, target, event)
);
create index message_waiting on message (next_attempt_at) where delivered_at is null;
-- One row before any byte leaves; completed by what came of it.
create table message_attempt (
    message_id uuid not null references message,
    number integer not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    -- null: it was taken
    error text,
    primary key (message_id, number)
);

-- From when on the past is whole, where something that it needs was removed.
create table horizon (
    -- what was removed: superseded versions of records, or what results were before they changed
    class text primary key constraint horizon_class_is_known check (class in ('superseded_records', 'result_history')),
    whole_since timestamptz not null
);
