-- Verification: only what changed is judged again, every change keeps its cause and what stood before, and others may read.

alter table verification
    -- why the row was last written, as bits in the order of verify::changes::Cause
    add column cause smallint not null default 1,
    -- checks (bits in their order) of which some month is pending: what a period that settles can change
    add column pending smallint not null default 0;
update verification v set pending = (
    select coalesce(bit_or(
               (case when cell & 7 = 1 then 1 else 0 end) | (case when cell >> 3 & 7 = 2 then 2 else 0 end)
               | (case when cell >> 6 & 7 = 2 then 4 else 0 end) | (case when cell >> 9 & 7 = 1 then 8 else 0 end)
               | (case when cell >> 18 & 7 = 2 then 64 else 0 end)), 0)
    from unnest(v.cells) as cell);
create index verification_pending on verification (year) where pending <> 0;

-- What a row said until a run replaced it.
create table verification_history (
    person_id bigint not null,
    employer_id integer not null,
    year smallint not null,
    cells integer[] not null,
    runs integer[] not null,
    seq bigint not null,
    cause smallint not null,
    -- number of the run that wrote what came after
    replaced_by integer not null,
    constraint verification_history_is_one primary key (person_id, employer_id, year, replaced_by)
);

-- How far a year, or one of its shards, has been verified: the next run begins from here.
create table verified (
    year smallint not null,
    shards smallint not null,
    shard smallint not null,
    seq bigint not null,
    business_date date not null,
    policy_version text not null references policy,
    run_number integer not null,
    constraint verified_shard_is_one primary key (year, shards, shard)
);

-- what was entered or taken since a publish
create index placement_by_from on placement (from_seq);
create index placement_by_to on placement (to_seq) where to_seq is not null;
create index placement_by_dispatch on placement (dispatch_unit) where dispatch_unit is not null;
create index contract_by_from on contract (from_seq);
create index contract_by_to on contract (to_seq) where to_seq is not null;
create index employer_by_from on employer (from_seq);
create index claim_by_from on claim (from_seq);
create index claim_by_to on claim (to_seq) where to_seq is not null;

-- Views for other systems. They show no person but by an opaque number.
create schema api;
comment on schema api is 'Stable, read only: what other systems may hold on to.';

-- The words behind the packed numbers, in the order of the program's own lists.
create table api.code (
    check_name text not null,
    number smallint not null,
    code text not null,
    constraint code_has_one_word primary key (check_name, number)
);
insert into api.code (check_name, number, code)
select check_name, ordinality - 1, code
from (values
    ('wage', array['pass', 'pending', 'below_minimum', 'wrong_unit', 'no_record']),
    ('pension', array['pass', 'back_payment', 'pending', 'unpaid', 'wrong_unit', 'resident_scheme', 'no_record']),
    ('medical', array['pass', 'back_payment', 'pending', 'unpaid', 'wrong_unit', 'resident_scheme', 'no_record']),
    ('certificate', array['pass', 'pending', 'cancelled', 'frozen', 'expired', 'not_yet_valid', 'none']),
    ('age', array['pass', 'under_age', 'over_age']),
    ('contract', array['pass', 'too_short', 'not_covered', 'none']),
    ('dispatch', array['not_applicable', 'pass', 'pending', 'not_in_force', 'not_approved', 'not_filed'])
) as words (check_name, codes), unnest(codes) with ordinality as code;

create function api.code_of(name text, bits integer) returns text
language sql stable parallel safe as $$ select code from api.code where check_name = name and number = bits & 7 $$;

create view api.verification_month as
select u.uscc as employer_uscc, v.person_id, v.year, to_char(make_date(v.year, m.month, 1), 'YYYY-MM') as month,
       api.code_of('wage', m.cell) as wage,
       api.code_of('pension', m.cell >> 3) as pension,
       api.code_of('medical', m.cell >> 6) as medical,
       api.code_of('certificate', m.cell >> 9) as certificate,
       api.code_of('age', m.cell >> 12) as age,
       api.code_of('contract', m.cell >> 15) as contract,
       api.code_of('dispatch', m.cell >> 18) as dispatch,
       m.cell >> 23 & 1 = 1 as passed,
       m.cell >> 21 & 1 = 1 as conflict,
       1 + (m.cell >> 22 & 1) as weight,
       r.started_at as verified_at, r.run_id, r.policy_version
from verification v
join unit u on u.unit_id = v.employer_id
cross join lateral (select cell, run, ordinal::integer as month
                    from unnest(v.cells, v.runs) with ordinality as packed (cell, run, ordinal)) as m
left join run r on r.run_number = m.run;

create view api.verification_year as
select u.uscc as employer_uscc, v.person_id, v.year,
       count(*) filter (where cell >> 23 & 1 = 1) as months_passed,
       coalesce(sum(1 + (cell >> 22 & 1)) filter (where cell >> 23 & 1 = 1), 0) as weighted_months
from verification v join unit u on u.unit_id = v.employer_id cross join lateral unnest(v.cells) as cell
group by u.uscc, v.person_id, v.year;

create view api.declaration as
select u.uscc as employer_uscc, d.year, d.state ->> 'state' as state,
       (select max(version) from declared_month m where m.employer_id = d.employer_id and m.year = d.year) as version,
       (select count(distinct person_id) from declared_month m
        where m.employer_id = d.employer_id and m.year = d.year
          and m.version = (select max(version) from declared_month l where l.employer_id = d.employer_id and l.year = d.year)) as persons,
       (select count(*) from declared_month m
        where m.employer_id = d.employer_id and m.year = d.year
          and m.version = (select max(version) from declared_month l where l.employer_id = d.employer_id and l.year = d.year)) as months,
       d.saved_at
from declaration d join unit u on u.unit_id = d.employer_id;

create view api.job_run as
select run_id, run_number, job, kind, state, business_date, started_at, finished_at, counts from run;

create view api.source_freshness as
select s.job, (array['wage', 'insurance', 'certificate', 'dispatch_filing'])[j.record + 1] as record,
       max(b.began_at) filter (where b.published_seq is not null and b.asked in ('everything', 'changes')) as last_whole_pull_at,
       max(b.began_at) filter (where b.state = 'published') as last_change_at,
       count(*) filter (where b.state = 'held') as held,
       (select count(*) from quarantine q where q.source_id = s.source_id and q.closed_seq is null) as refused_open
from source s join job j on j.source_id = s.source_id and j.to_seq is null left join batch b on b.source_id = s.source_id
group by s.source_id, s.job, j.record;

-- Who only reads the views. The role can be made by hand where the program may not make roles.
do $$
begin
    if not exists (select from pg_roles where rolname = 'renzheng_reader') then
        create role renzheng_reader nologin;
    end if;
    grant usage on schema api to renzheng_reader;
    grant select on all tables in schema api to renzheng_reader;
    grant execute on function api.code_of(text, integer) to renzheng_reader;
exception
    when insufficient_privilege or unique_violation or duplicate_object then
        raise notice 'the role renzheng_reader was not made here: grant it usage on schema api and select on its views by hand';
end $$;
