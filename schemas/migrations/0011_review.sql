-- Review: what employers choose and hand in, what staff see and decide. What of it the judge must know (months that are unticked, which
-- employer prevails in a conflict) is versioned by publish sequence, so that every earlier verification can be recomputed.
--
-- Two more causes in verification.cause, in the order of verify::changes::Cause: bit 9 a month was ticked or unticked, bit 10 a conflict
-- was decided or a decision taken back.

-- An employer's own choice for a month of a placement; without one, a month that passes is ticked.
create table choice (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    month integer not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    ticked boolean not null,
    chosen_at timestamptz not null,
    chosen_by text not null,
    primary key (person_id, employer_id, month, from_seq)
);
create unique index choice_in_force_is_one on choice (person_id, employer_id, month) where to_seq is null;
create index choice_by_employer on choice (employer_id, month) where to_seq is null;
-- an unticked month is nobody's rival: what verification asks for
create index choice_unticked_by_from on choice (from_seq) where not ticked;
create index choice_unticked_by_to on choice (to_seq) where not ticked and to_seq is not null;

-- a tick was an explicit choice
insert into choice (person_id, employer_id, month, from_seq, ticked, chosen_at, chosen_by)
select person_id, employer_id, month, (select max(seq) from publish), true, confirmed_at, confirmed_by from tick;
drop table tick;

-- 送审: a placement handed in for review, each time; the last one counts.
create table handing_in (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    handed_in_at timestamptz not null,
    handed_in_by text not null,
    -- within the window of the policy of that day: only such work keeps completion open beyond it
    in_window boolean not null,
    replaced_at timestamptz,
    primary key (person_id, employer_id, year, handed_in_at)
);
create unique index handing_in_that_counts_is_one on handing_in (person_id, employer_id, year) where replaced_at is null;
create index handing_in_by_age on handing_in (handed_in_at, person_id, employer_id, year) where replaced_at is null;
create index handing_in_by_employer on handing_in (employer_id, year);

-- Who works on a case, so that two do not. Business time: a reviewer's half hour is one of their day.
create table review_case (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    year smallint not null,
    reviewer text not null,
    claimed_at timestamptz not null,
    lease_expires_at timestamptz not null,
    primary key (person_id, employer_id, year)
);

-- A reviewer's word on a month; where the policy asks for a second person a proposal until that person agrees. Nothing is deleted.
create table month_decision (
    decision_id bigint generated always as identity primary key,
    person_id bigint not null references person,
    employer_id integer not null references unit,
    month integer not null,
    approved boolean not null,
    reasons text[] not null constraint month_decision_gives_a_reason check (cardinality(reasons) > 0),
    note text,
    -- what failed when it was decided, as bits in the order of domain::review::Ground, and the packed verdict
    grounds smallint not null,
    cell integer not null,
    -- the evidence that lay before the reviewer
    evidence jsonb not null default '[]',
    decided_at timestamptz not null,
    decided_by text not null,
    second_asked boolean not null,
    agreed_at timestamptz,
    agreed_by text,
    -- undone by staff, refused by the second person, or replaced by a later decision
    ended_at timestamptz,
    ended_by text,
    ended_why text,
    ending text constraint month_decision_ending_is_known check (ending in ('undone', 'refused', 'replaced')),
    constraint month_decision_by_other_says_what check (not 'other' = any (reasons) or note is not null),
    constraint month_decision_is_agreed_to_whole check ((agreed_at is null) = (agreed_by is null)),
    constraint month_decision_is_agreed_to_where_asked check (second_asked or agreed_at is null),
    constraint month_decision_second_person_is_another check (agreed_by <> decided_by and (ending <> 'refused' or ended_by <> decided_by)),
    constraint month_decision_ends_whole check ((ended_at is null) = (ended_by is null) and (ended_at is null) = (ending is null))
);
create unique index month_decision_that_stands_is_one on month_decision (person_id, employer_id, month) where ended_at is null;
create index month_decision_by_employer on month_decision (employer_id, month);

-- 窗口出示原件: a document shown on paper at the counter, which is evidence for a ground of a month.
create table evidence_shown (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    month integer not null,
    -- in the order of domain::review::Ground
    ground smallint not null constraint evidence_shown_ground_is_known check (ground between 0 and 7),
    shown_at timestamptz not null,
    shown_by text not null,
    primary key (employer_id, month, person_id, ground)
);

-- The original of a certificate, seen by a reviewer, with its validity as read.
create table original_seen (
    person_id bigint not null references person,
    employer_id integer not null references unit,
    -- Shanghai date
    seen_on date not null,
    kind smallint not null constraint original_seen_kind_is_known check (kind in (0, 1)),
    level smallint not null constraint original_seen_level_is_known check (level between 1 and 10),
    valid_from date not null,
    valid_to date,
    seen_at timestamptz not null,
    seen_by text not null,
    primary key (employer_id, person_id, seen_on, kind),
    constraint original_seen_validity_is_a_range check (valid_to is null or valid_from <= valid_to)
);

-- Which employer prevails where several would count a month.
create table conflict_decision (
    person_id bigint not null references person,
    month integer not null,
    from_seq bigint not null references publish,
    to_seq bigint references publish,
    employer_id integer not null references unit,
    reason text not null constraint conflict_decision_reason_is_known check (reason in ('labour_contract', 'dispatch_agreement')),
    note text,
    decided_at timestamptz not null,
    decided_by text not null,
    ended_at timestamptz,
    ended_by text,
    ended_why text,
    primary key (person_id, month, from_seq),
    constraint conflict_decision_ends_whole check ((to_seq is null) = (ended_at is null) and (to_seq is null) = (ended_by is null))
);
create unique index conflict_decision_in_force_is_one on conflict_decision (person_id, month) where to_seq is null;
create index conflict_decision_by_from on conflict_decision (from_seq);
create index conflict_decision_by_to on conflict_decision (to_seq) where to_seq is not null;
