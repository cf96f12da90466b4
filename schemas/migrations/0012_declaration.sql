-- Versions of a declaration with the command that made them; months say how they were confirmed; what is in force can be read.

alter table declared_month
    -- a reviewer approved it, else it passed
    add column approved boolean not null default false;

-- One row a version, written with its months.
create table declared_version (
    employer_id integer not null references unit,
    year smallint not null,
    version integer not null,
    -- the version whose months it amends; null: a completion of its own
    amends integer,
    certification_number text not null,
    -- version of the commitment text that was accepted
    commitment text not null,
    completed_at timestamptz not null,
    completed_by text not null,
    -- the caller's own name for the command: the same command again gets the same answer
    idempotency_key text,
    -- the last run before: what a later run finds is news
    last_run integer not null,
    constraint declared_version_is_one primary key (employer_id, year, version),
    constraint declared_version_number_is_one unique (certification_number),
    constraint declared_version_answers_its_key unique (employer_id, year, idempotency_key)
);
insert into declared_version (employer_id, year, version, certification_number, commitment, completed_at, completed_by, last_run)
select employer_id, year, (state #>> '{completion,version}')::integer, state #>> '{completion,certification_number}',
       state #>> '{completion,commitment,version}', completed_at, state #>> '{completion,completed,by}',
       (select coalesce(max(run_number), 0) from run where started_at <= completed_at)
from declaration, lateral (select (state #>> '{completion,completed,at}')::timestamptz as completed_at) as completion
where state ? 'completion';

-- claims in force, for giving them up
create index claim_by_employer on claim (employer_id, month) where to_seq is null;
-- requests that wait for staff
create index declaration_withdrawal_open on declaration (year)
    where state ? 'withdrawal' and not state -> 'withdrawal' ? 'outcome';
create index declaration_amendment_open on declaration (year)
    where state ? 'amendment' and not state -> 'amendment' ? 'outcome';

create or replace view api.declaration as
select u.uscc as employer_uscc, d.year, d.state ->> 'state' as state,
       (select max(version) from declared_month m where m.employer_id = d.employer_id and m.year = d.year) as version,
       (select count(distinct person_id) from declared_month m
        where m.employer_id = d.employer_id and m.year = d.year
          and m.version = (select max(version) from declared_month l where l.employer_id = d.employer_id and l.year = d.year)) as persons,
       (select count(*) from declared_month m
        where m.employer_id = d.employer_id and m.year = d.year
          and m.version = (select max(version) from declared_month l where l.employer_id = d.employer_id and l.year = d.year)) as months,
       d.saved_at,
       -- what the tax department holds
       case d.state ->> 'state' when 'accepted' then (d.state #>> '{completion,version}')::integer
                                else (d.state #>> '{standing,completion,version}')::integer end as version_in_force,
       (d.state #>> '{deregistration,deregistered_on}')::date as deregistered_on
from declaration d join unit u on u.unit_id = d.employer_id;
