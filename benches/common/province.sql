-- A made-up province of :placements placements in the tables of the program, as pulls and imports would have left them: records lie month by
-- month, as agencies deliver them. The five pull jobs are registered and nothing else is there. Every value is a function of the person, the month and what it is drawn for.
\set persons :placements - :placements / 50
\set employers :placements / 20

create function draw(subject bigint, purpose bigint) returns bigint language sql immutable parallel safe
return hashint8extended(subject * 1024 + purpose, 20251125) & 9223372036854775807;

-- Placements are entered in one publish, each source delivers in one, claims come with the last.
insert into publish (seq, published_at, cause) select seq, '2026-02-20 04:00:00+08', 'import' from generate_series(2, 7) as seq;
update publish_head set seq = 7;
-- Business time stands at noon of 1 March 2026, whenever this runs.
update installation set clock_offset_us = extract(epoch from timestamptz '2026-03-01 12:00:00+08' - clock_timestamp()) * 1000000;
select source_id as wage, 'wage_' || source_id as wage_table from source where job = 'pull-wage' \gset
select source_id as pension, 'insurance_' || source_id as pension_table from source where job = 'pull-pension' \gset
select source_id as medical, 'insurance_' || source_id as medical_table from source where job = 'pull-medical' \gset
select source_id as certificate, 'certificate_' || source_id as certificate_table from source where job = 'pull-certificate' \gset
select source_id as filing from source where job = 'pull-dispatch-filing' \gset

insert into person (person_id, id_index, id_number, name, born_on, sex, concerned_seq)
select person, decode(md5(person::text), 'hex'), '', '', date '1963-01-01' + (draw(person, 1) % 16800)::integer, (draw(person, 2) % 3 = 0)::integer, 2
from generate_series(1::bigint, :persons) as person;

insert into employer (employer_id, from_seq, name, kind, division, wage_class, federation_division, tax_division, headcount, wage_lag)
select employer, 2, 'x', 0, division, case when draw(employer, 11) % 50 = 0 then 1 + draw(employer, 12) % 3 end, division, division, 50, (draw(employer, 13) % 10 = 0)::integer
from generate_series(1, :employers) as employer,
     lateral (select (array['360102', '360121', '360403', '360822', '361181', '360981'])[1 + draw(employer, 10) % 6]) as placed (division);

-- A person's employer, and a second one for one person in 49.
create view employment as
select person, 1 + (person * 7919 + place) % (:employers) as employer, place, draw(person * 2 + place, 20) as drawn
from generate_series(1::bigint, :persons) as person, generate_series(0, (person % 49 = 0)::integer) as place;

insert into placement (person_id, employer_id, year, from_seq, dispatched, dispatch_unit, wage_payer, pension_payer, medical_payer, retirement_track)
select person, employer, 2025, 2, dispatch is not null, dispatch, coalesce(dispatch, case when drawn >> 8 & 31 = 0 then affiliate else employer end),
       coalesce(dispatch, case when drawn >> 16 & 31 = 0 then affiliate else employer end), coalesce(dispatch, employer),
       case when sex = 1 and drawn >> 24 & 7 = 0 then 2 end
from employment
cross join lateral (select case when drawn & 31 = 0 then (:employers) + 1 + (drawn >> 32 & 127) end, 1 + employer % (:employers)) as named (dispatch, affiliate)
join person on person_id = person;

insert into contract (person_id, employer_id, year, kind, starts_on, from_seq, ends_on, terminated_on)
select person, employer, 2025, (drawn >> 40 & 31 = 0)::integer, start, 2, case when drawn >> 45 & 3 > 0 then start + length end,
       case when drawn >> 50 & 31 = 0 then start + (drawn >> 20 & 511)::integer end
from employment, lateral (select date '2022-06-01' + (drawn % 1100)::integer,
                                 case when drawn >> 55 & 15 = 0 then 200 else 700 + (drawn >> 30 & 1023)::integer end) as dated (start, length)
where drawn >> 58 & 31 > 0;

insert into run (run_id, kind, job, state, actor, business_date, started_at, finished_at)
select lpad(source_id::text, 32, '0')::uuid, 'pull', job, 'done', 'bench', '2026-02-20', '2026-02-20 02:00:00+08', '2026-02-20 03:00:00+08' from source;
insert into batch (source_id, record, run_id, state, began_at, began_seq, published_seq, asked, schemes)
select source_id, record, lpad(source_id::text, 32, '0')::uuid, 'published', '2026-02-20 02:00:00+08', 2, 2 + row_number() over (order by source_id), 'everything', schemes
from job order by source_id;
select batch_id as wage_batch from batch where source_id = :wage \gset
select batch_id as pension_batch from batch where source_id = :pension \gset
select batch_id as medical_batch from batch where source_id = :medical \gset
select batch_id as certificate_batch from batch where source_id = :certificate \gset
select batch_id as filing_batch from batch where source_id = :filing \gset

-- Who is paid by whom, as agencies see it, in no order of ours: of two employers now one, now the other, now both.
create table contributor as
select person_id as person, wage_payer, pension_payer, medical_payer, row_number() over (partition by person_id order by employer_id) - 1 as place
from placement order by draw(person_id, 32);
delete from contributor where place = 1 and draw(person, 30) % 3 = 0;

insert into wage (person_id, version_id, content, updated_at, amount_fen, record_key, batch_id, page_number, row_number, period, payer, source_id, deleted)
select person, row_number() over (), 0, '2026-02-01 00:00:00+08', case when part = 0 then base + (drawn & 65535) else -30000 end,
       lpad(to_hex(drawn), 32, '0')::uuid, :wage_batch, 0, 0, 24300 + month, case when drawn >> 16 & 63 = 0 then 1 + drawn % (:employers) else wage_payer end, :wage,
       drawn >> 22 & 255 = 0
from generate_series(0, 12) as month, contributor,
     lateral (select draw(person * 2 + place, 100 + month), 150000 + draw(person, 31) % 600000) as amounts (drawn, base),
     -- one month in 64 is corrected by a reversal
     generate_series(0, (drawn >> 30 & 63 = 0)::integer) as part
where drawn >> 36 & 63 > 0;

create view contribution as
select person, month, scheme, drawn, case scheme when 0 then pension_payer else medical_payer end as payer
from generate_series(0, 1) as scheme, generate_series(0, 11) as month, contributor, lateral (select draw(person * 2 + place, 200 + month * 2 + scheme)) as d (drawn)
where drawn & 63 > 0;
insert into insurance (person_id, version_id, content, updated_at, record_key, batch_id, page_number, row_number, period, insured, scheme, coverage, status, payment, source_id, deleted)
select person, row_number() over (), 0, '2026-02-01 00:00:00+08', lpad(to_hex(drawn), 32, '0')::uuid, case scheme when 0 then :pension_batch else :medical_batch end, 0, 0, 24300 + month,
       case when drawn >> 6 & 63 > 0 then case when drawn >> 12 & 63 = 0 then 1 + drawn % (:employers) else payer end end,
       scheme, (drawn >> 18 & 63 = 0)::integer, (drawn >> 24 & 63 = 0)::integer, (drawn >> 30 & 63 = 0)::integer, case scheme when 0 then :pension else :medical end, false
from contribution;

insert into certificate (person_id, version_id, content, updated_at, record_key, batch_id, page_number, row_number, valid_from, valid_to, status_since,
    kind, level, category, status, source_id, deleted, certificate_number)
select person, row_number() over (), 0, timestamptz '2020-01-01 00:00:00+08' + part * interval '1 day', lpad(to_hex(drawn), 32, '0')::uuid, :certificate_batch, 0, 0,
       start, case when drawn >> 20 & 15 > 0 then start + 3650 - (drawn >> 24 & 1023)::integer end,
       case when status > 0 and drawn >> 36 & 7 > 0 then date '2024-06-01' + (drawn >> 39 & 1023)::integer end,
       kind, 1 + (drawn >> 44 & 15) % case kind when 0 then 4 else 10 end, 1, status, :certificate, false, ''
from generate_series(1::bigint, :persons) as person, generate_series(0, (draw(person, 40) % 8 = 0)::integer) as part,
     lateral (select draw(person * 2 + part, 41)) as d (drawn),
     lateral (select date '2016-01-01' + (drawn % 3300)::integer + part * 400, (drawn >> 52 & 15 = 0)::integer,
                     case when drawn >> 56 & 7 = 0 then 1 + (drawn >> 48 & 7) % 4 else 0 end) as c (start, kind, status)
where draw(person, 42) % 64 > 0;

insert into dispatch_filing (version_id, content, updated_at, record_key, batch_id, page_number, row_number, dispatcher, valid_from, valid_to, province, status,
    source_id, deleted, dispatcher_name, licence_number)
select row_number() over (), 0, '2026-02-01 00:00:00+08', lpad(to_hex(drawn), 32, '0')::uuid, :filing_batch, 0, 0, (:employers) + 1 + company, date '2024-01-01',
       case when drawn & 3 > 0 then date '2025-12-01' + (drawn >> 2 & 255)::integer end, 36 - (drawn >> 12 & 15 = 0)::integer, (drawn >> 16 & 15) % 4, :filing, false, 'x', 'x'
from generate_series(0, 119) as company, generate_series(0, (company % 3 = 0)::integer) as part, lateral (select draw(company * 2 + part, 50)) as d (drawn);

insert into claim (person_id, month, from_seq, employer_id, version)
select person, 24300 + month, 7, 1 + (person * 7919 + place) % (:employers), 1
from generate_series(1::bigint, :persons) as person, generate_series(2, 11, 3) as month, lateral (select draw(person, 60) % 3) as d (place)
where person % 49 = 0 or person % 97 = 0;

-- Records that were refused and are open: the months they may have been about wait.
insert into quarantine (quarantine_id, source_id, batch_id, page_number, row_number, code, detail, raw, content, id_index, period, scheme)
select nextval('quarantine_id_seq'), source_id, batch_id, 0, person, 'x', 'x', '', 0, decode(md5(person::text), 'hex'),
       case when record < 2 and person % 2 = 0 then 24300 + person % 13 end, schemes[1]
from generate_series(1::bigint, :persons, 500) as person,
     lateral (select (array[:wage_batch, :pension_batch, :medical_batch, :certificate_batch])[1 + draw(person, 70) % 4]) as s (drawn)
join batch on batch_id = drawn;

create index on :wage_table (person_id) include (amount_fen, version_id, superseded_seq, period, payer, batch_id, deleted);
create index on :pension_table (person_id) include (version_id, superseded_seq, period, insured, batch_id, scheme, coverage, status, payment, deleted);
create index on :medical_table (person_id) include (version_id, superseded_seq, period, insured, batch_id, scheme, coverage, status, payment, deleted);
create index on :certificate_table (person_id) include (version_id, updated_at, superseded_seq, valid_from, valid_to, status_since, batch_id, kind, level, status, deleted);
create index on :wage_table using brin (batch_id) with (pages_per_range = 64);
create index on :pension_table using brin (batch_id) with (pages_per_range = 64);
create index on :medical_table using brin (batch_id) with (pages_per_range = 64);
create index on :wage_table (superseded_seq) where superseded_seq is not null;
create index on :pension_table (superseded_seq) where superseded_seq is not null;
create index on :medical_table (superseded_seq) where superseded_seq is not null;
create index on :certificate_table (superseded_seq) where superseded_seq is not null;
