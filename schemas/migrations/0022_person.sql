-- The side of the person whom a placement is about: the code by which they open what is kept of them, misses at that door, who looked
-- at them, and what they object to.

-- A code that staff hand out, with the certificate; it is shown once, and a new one ends the former.
create table person_code (
    person_code_id bigint generated always as identity primary key,
    person_id bigint not null constraint person_code_is_of_a_person references person,
    -- keyed hash; the code itself is kept nowhere
    hash bytea not null constraint person_code_hash_has_32_bytes check (length(hash) = 32),
    issued_at timestamptz not null,
    issued_by text not null,
    expires_at timestamptz not null,
    -- replaced or revoked
    ended_at timestamptz,
    ended_by text,
    constraint person_code_expires_after_it_is_issued check (expires_at > issued_at),
    constraint person_code_ends_whole check ((ended_at is null) = (ended_by is null))
);
create unique index person_code_that_stands_is_one on person_code (person_id) where ended_at is null;

-- Openings that missed, by the ID number that was given, whether or not anybody has it. They go after a few hours.
create table person_miss (
    person_miss_id bigint generated always as identity primary key,
    -- keyed hash, of another family than person.id_index: the two cannot be joined
    id_index bytea not null constraint person_miss_index_has_32_bytes check (length(id_index) = 32),
    missed_at timestamptz not null
);
create index person_miss_by_index on person_miss (id_index, missed_at);
create index person_miss_by_age on person_miss (missed_at);

-- A person says that an employer counts them wrongly. It changes no result: staff look into it and answer.
create sequence objection_id_seq;
create table objection (
    objection_id bigint primary key,
    person_id bigint not null constraint objection_is_of_a_person references person,
    employer_id integer not null constraint objection_is_about_an_employer references unit,
    months integer[] not null constraint objection_is_about_months check (cardinality(months) > 0),
    kind text not null constraint objection_kind_is_known
        check (kind in ('never_worked_there', 'not_in_these_months', 'wage_not_received', 'other')),
    -- the person's own words, encrypted
    content bytea not null,
    raised_at timestamptz not null,
    finding text constraint objection_finding_is_known check (finding in ('upheld', 'not_upheld')),
    -- to the person, encrypted
    answer bytea,
    answered_at timestamptz,
    answered_by text,
    constraint objection_is_answered_whole check (num_nulls(finding, answer, answered_at, answered_by) in (0, 4))
);
create index objection_open on objection (objection_id) where answered_at is null;
create index objection_by_person on objection (person_id, objection_id);

-- From a person to the files that are or were evidence of theirs: whoever opened one looked at them.
create index evidence_use_by_person on evidence_use (person_id) where person_id is not null;
