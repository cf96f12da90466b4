-- What the federation tells everybody, and what employers that placed more than they must apply for.

-- An announcement (通知公告): for whom it is, and that it was taken back. What it says stands in its versions, the last of which counts.
create table announcement (
    announcement_id bigint generated always as identity primary key,
    -- the beginning of the divisions whose employers and staff it is for
    division text not null constraint announcement_division_has_2_4_or_6_digits check (division ~ '^([0-9]{2}){1,3}$'),
    published_at timestamptz not null,
    published_by text not null,
    withdrawn_at timestamptz,
    withdrawn_by text,
    withdrawn_why text,
    constraint announcement_withdrawal_is_whole check (num_nulls(withdrawn_at, withdrawn_by, withdrawn_why) in (0, 3))
);
create index announcement_newest_first on announcement (published_at desc, announcement_id desc);

create table announcement_version (
    announcement_id bigint not null constraint announcement_version_is_of_one references announcement,
    -- from 1
    version integer not null constraint announcement_version_counts_from_1 check (version > 0),
    title text not null constraint announcement_title_has_1_to_100_signs check (char_length(title) between 1 and 100),
    -- plain text
    content text not null constraint announcement_content_has_1_to_20000_signs check (char_length(content) between 1 and 20000),
    -- business dates, both included
    from_on date not null,
    until_on date,
    written_at timestamptz not null,
    written_by text not null,
    constraint announcement_version_is_one primary key (announcement_id, version),
    constraint announcement_ends_after_it_begins check (until_on >= from_on)
);

-- An application for the reward (超比例奖励申请). Whether it lapsed because its result is not in force any more, the declaration says.
create table reward_application (
    application_id bigint generated always as identity primary key,
    employer_id integer not null constraint reward_application_is_of_a_unit references unit,
    year smallint not null,
    -- the accepted result it rests on: the declaration's version, and the attempt of its message
    version integer not null,
    attempt integer not null,
    policy_version text not null constraint reward_application_policy_is_kept references policy,
    -- every step as it was worked out at that time; no personal data
    calculation jsonb not null,
    applied_at timestamptz not null,
    applied_by text not null,
    withdrawn_at timestamptz,
    withdrawn_by text,
    decided_at timestamptz,
    decided_by text,
    approved boolean,
    reason text,
    note text,
    constraint reward_application_withdrawal_is_whole check (num_nulls(withdrawn_at, withdrawn_by) in (0, 2)),
    constraint reward_application_decision_is_whole check (num_nulls(decided_at, decided_by, approved, reason) in (0, 4)),
    constraint reward_application_ends_once check (num_nonnulls(withdrawn_at, decided_at) < 2),
    constraint reward_application_note_is_of_a_decision check (note is null or decided_at is not null)
);
create index reward_application_of_year on reward_application (employer_id, year);
-- of one result there is one at a time; one that was rejected or taken back leaves room for another
create unique index reward_application_of_a_result_is_one on reward_application (employer_id, year, version, attempt)
    where withdrawn_at is null and approved is not false;
create unique index reward_is_approved_once on reward_application (employer_id, year) where approved;
create index reward_application_undecided on reward_application (applied_at, application_id)
    where withdrawn_at is null and decided_at is null;
