-- Scheduling: every fire of a job is a row that says what was decided and why; every piece of work is a row that one worker leases.

-- How far the fires of a job are decided, and whether it is paused.
create table schedule (
    job text primary key,
    -- cron line and zone by which it was decided; another line begins anew
    line text,
    -- fires up to here, in business time, are decided
    decided_until timestamptz not null,
    paused_at timestamptz,
    paused_by text,
    paused_why text,
    -- what failed before does not pause the job again
    resumed_at timestamptz,
    constraint schedule_pause_says_who_and_why
        check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (paused_why is null))
);

-- A range of days of some sources, pulled part by part. Its state is that of its parts, unless it is paused.
create table backfill (
    backfill_id integer generated always as identity primary key,
    jobs text[] not null constraint backfill_names_a_source check (cardinality(jobs) > 0),
    from_on date not null,
    to_on date not null,
    step text not null,
    parallel smallint not null constraint backfill_goes_on_with_one_part_at_least check (parallel > 0),
    started_at timestamptz not null,
    started_by text not null,
    paused_at timestamptz,
    constraint backfill_is_a_range check (from_on <= to_on)
);

-- One piece of work. Whoever holds the token until the lease expires, by database time, works on it; the others keep off.
create table task (
    task_id bigint generated always as identity primary key,
    -- as the job's: pull, verify, push …
    kind text not null,
    -- what makes it the same work: the job and its fire, a part of a backfill …
    key text not null,
    job text not null,
    -- days whose records are pulled, both included; null: what is due
    from_on date,
    to_on date,
    backfill_id integer references backfill,
    business_date date not null,
    -- smaller goes first
    priority smallint not null,
    -- waiting: for jobs that go first; queued: may begin at due_at; dead: given up, a person decides
    state text not null constraint task_state_is_known check (state in ('waiting', 'queued', 'running', 'done', 'dead', 'discarded')),
    -- business time
    due_at timestamptz not null,
    -- jobs of the same business date that go first, how long they are waited for, and what was missing when it could begin
    after text[] not null default '{}',
    patient_until timestamptz,
    missing text[] not null default '{}',
    -- claims so far; those since the last that got somewhere; and how many of these there may be
    attempt integer not null default 0,
    barren integer not null default 0,
    attempts integer not null,
    lease_token uuid,
    -- database time, whatever business time says
    lease_expires_at timestamptz,
    -- as the run's: done, done_with_refusals, held
    outcome text,
    error text,
    created_at timestamptz not null,
    created_by text not null,
    finished_at timestamptz,
    constraint task_is_one unique (kind, key),
    constraint task_runs_under_a_lease
        check ((state = 'running') = (lease_token is not null) and (state = 'running') = (lease_expires_at is not null)),
    constraint task_ends_once check ((state in ('done', 'dead', 'discarded')) = (finished_at is not null)),
    constraint task_done_says_how check ((state = 'done') = (outcome is not null)),
    constraint task_range_is_whole check ((from_on is null) = (to_on is null))
);
-- a source is read by one at a time, parts of a backfill too
create unique index task_of_a_job_runs_alone on task (job) where state = 'running';
create index task_queued on task (priority, due_at, task_id) where state = 'queued';
create index task_waiting on task (task_id) where state = 'waiting';
create index task_running on task (lease_expires_at) where state = 'running';
create index task_by_job on task (job, task_id);
create index task_by_day on task (business_date, job);
create index task_by_backfill on task (backfill_id) where backfill_id is not null;

-- Every time at which a job was to run: why it did, or did not.
create table fire (
    job text not null,
    -- business time
    nominal_at timestamptz not null,
    -- its date in Shanghai
    business_date date not null,
    decision text not null constraint fire_decision_is_known
        check (decision in ('run', 'skipped_overlap', 'skipped_misfire', 'coalesced', 'paused')),
    why text not null,
    decided_at timestamptz not null,
    task_id bigint references task,
    primary key (job, nominal_at),
    constraint fire_that_runs_has_a_task check ((decision = 'run') = (task_id is not null))
);
create index fire_by_day on fire (business_date, job);
create index fire_by_task on fire (task_id) where task_id is not null;

alter table run
    -- the work it did, and what that began without
    add column task_id bigint references task,
    add column missing text[] not null default '{}';
create index run_by_task on run (task_id) where task_id is not null;
