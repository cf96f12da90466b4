-- The rules of a month once more, as set-based SQL over whole tables: what the program's columns are measured against, and, since it was written
-- for this bench alone, a second opinion on every cell. Jiangxi's policy with its default switches, year 2025, facts at the head of the publish sequence.
\set january 24300
\set business_date '''2026-03-01'''
set work_mem = '128MB';
set maintenance_work_mem = '256MB';

create temporary table month as
select number, :january + number as period, make_date(2025, number + 1, 1) as first_day,
       (make_date(2025, number + 1, 1) + interval '1 month' - interval '1 day')::date as last_day
from generate_series(0, 11) as number;

-- The last period for which every delivery is in, and whether a register is current.
create temporary table reach as
select j.record, s.scheme, extract(year from through) * 12 + extract(month from through) - 1 as settled_through,
       date :business_date - began_on <= j.stale_after_days as current
from job j join batch b using (source_id),
     lateral (select (b.began_at at time zone 'Asia/Shanghai')::date) as began (began_on),
     lateral (select date_trunc('month', (began_on - j.settles_after_days + 1)) - interval '1 month') as settled (through),
     lateral (select coalesce(j.schemes[1], -1)) as s (scheme)
where b.published_seq is not null;

create temporary table terms as
select e.employer_id, m.number, e.wage_lag, left(e.division, 2)::integer as province,
       (case when m.number < 11 then array[200000, 187000, 174000] else array[224000, 209000, 195000] end)
           [coalesce(e.wage_class, case e.division when '360102' then 1 when '360121' then 2 when '360403' then 2 else 3 end)] as standard
from employer e cross join month m where e.to_seq is null;

create temporary table placed as
select p.*, e.wage_lag, left(e.division, 2)::integer as province from placement p join employer e using (employer_id)
where p.year = 2025 and p.to_seq is null and e.to_seq is null;
analyze placed;

create temporary table refused as
select p.person_id, b.record, q.scheme, q.period from quarantine q join batch b using (batch_id) join person p using (id_index)
where q.closed_seq is null;

create temporary table wages as
select p.person_id, p.employer_id, v.period - p.wage_lag - :january as number,
       sum(v.amount_fen) filter (where v.payer = p.wage_payer) as own, bool_or(v.payer <> p.wage_payer) as other
from placed p join wage v using (person_id)
where v.superseded_seq is null and not v.deleted and v.period - p.wage_lag between :january and :january + 11
group by 1, 2, 3;

create temporary table insured as
select p.person_id, p.employer_id, v.period - :january as number, v.scheme,
       bool_or(v.coverage = 0 and v.insured is not distinct from payer and v.status = 0) as paid,
       bool_or(v.coverage = 0 and v.insured is not distinct from payer and v.status = 1) as owed,
       bool_or(v.coverage = 0 and v.insured is distinct from payer) as elsewhere, bool_or(v.coverage = 1) as resident
from placed p join insurance v using (person_id), lateral (select case v.scheme when 0 then p.pension_payer else p.medical_payer end) as asked (payer)
where v.superseded_seq is null and not v.deleted and v.period between :january and :january + 11
group by 1, 2, 3, 4;

-- Certificates with the days on which they were in force; those that count for nothing end others all the same.
create temporary table certified as
with known as (select * from certificate where superseded_seq is null and not deleted),
ended as (
    select k.*, case k.status
                    when 1 then least(k.valid_to, k.status_since - 1)
                    when 4 then least(k.valid_to, coalesce(k.status_since, (select min(o.valid_from) from certificate o
                                      where o.person_id = k.person_id and o.kind = k.kind and o.valid_from > k.valid_from
                                        and o.superseded_seq is null and not o.deleted)) - 1)
                    else least(k.valid_to, k.status_since - 1) end as last_day
    from known k)
select *, case when status = 0 then valid_from <= coalesce(valid_to, 'infinity')
               when status in (2, 3) and status_since is null then false
               else last_day is not null and last_day >= valid_from end as ever,
       case when status = 0 then coalesce(valid_to, 'infinity') else last_day end as stood_until
from ended where kind = 0 or level <= 8;

create temporary table certificates as
select c.person_id, m.number, bool_or(inside) as in_force,
       bool_or(by_dates and c.status = 3) as cancelled, bool_or(by_dates and c.status = 2) as frozen,
       bool_or(case when status = 0 then valid_to else last_day end < m.first_day) as expired, bool_or(valid_from > m.last_day) as later,
       (max(array[valid_from - date '2000-01-01', extract(epoch from updated_at)::bigint, version_id, level]) filter (where inside and kind = 0))[4] <= 2 as severe,
       (max(array[valid_from - date '2000-01-01', extract(epoch from updated_at)::bigint, version_id, level]) filter (where inside and kind = 1))[4] <= 3 as severe_soldier
from certified c cross join month m,
     lateral (select ever and valid_from <= m.last_day and stood_until >= m.first_day, valid_from <= m.last_day and coalesce(valid_to, 'infinity') >= m.first_day) as days (inside, by_dates)
group by 1, 2;

create temporary table contracts as
select c.person_id, c.employer_id, m.number, bool_or(covers and long_enough) as good, bool_or(covers) as covered
from contract c cross join month m,
     lateral (select coalesce(least(ends_on, terminated_on), 'infinity')) as ended (until),
     lateral (select starts_on <= until and starts_on <= m.last_day and until >= m.first_day,
                     kind = 1 or ends_on is null or ends_on + 1 >= (starts_on + interval '1 year')::date) as said (covers, long_enough)
where c.year = 2025 and c.to_seq is null
group by 1, 2, 3;

create temporary table ages as
select p.person_id, p.employer_id, (e.born_on + interval '16 years')::date as from_on, (e.born_on + make_interval(months => years * 12 + delay))::date as retires_on
from placed p join person e using (person_id),
     lateral (select coalesce(p.retirement_track, e.sex)) as said (track),
     lateral (select (array[60, 55, 50])[track + 1], (array[1965, 1970, 1975])[track + 1], (array[4, 4, 2])[track + 1], (array[36, 36, 60])[track + 1]) as rule (years, year_from, step, cap),
     lateral (select (extract(year from e.born_on)::integer - year_from) * 12 + extract(month from e.born_on)::integer - 1) as after (months),
     lateral (select case when months < 0 then 0 else least(cap, months / step + 1) end) as put_off (delay);

create temporary table filings as
select v.dispatcher, v.province, bool_or(v.status = 0 and now_in) as approved, bool_or(v.status in (0, 3)) as was, true as filed
from dispatch_filing v, lateral (select valid_from <= date :business_date and coalesce(valid_to, 'infinity') >= date :business_date) as days (now_in)
where v.superseded_seq is null and not v.deleted group by 1, 2;

create temporary table cell as
select p.person_id, p.employer_id, m.number, wage, pension, medical, certified, age, contracted, codes.dispatched,
       wage = 0 and pension = 0 and medical = 0 and certified = 0 and age = 0 and contracted = 0 and codes.dispatched <= 1 as passes,
       coalesce(c.severe, false) or coalesce(c.severe_soldier, false) as double
from placed p
cross join month m
join terms t on t.employer_id = p.employer_id and t.number = m.number
join ages a on a.person_id = p.person_id and a.employer_id = p.employer_id
join reach rw on rw.record = 0
join reach rp on rp.record = 1 and rp.scheme = 0
join reach rm on rm.record = 1 and rm.scheme = 1
join reach rc on rc.record = 2
join reach rf on rf.record = 3
left join wages w on w.person_id = p.person_id and w.employer_id = p.employer_id and w.number = m.number
left join insured ip on ip.person_id = p.person_id and ip.employer_id = p.employer_id and ip.number = m.number and ip.scheme = 0
left join insured im on im.person_id = p.person_id and im.employer_id = p.employer_id and im.number = m.number and im.scheme = 1
left join certificates c on c.person_id = p.person_id and c.number = m.number
left join contracts k on k.person_id = p.person_id and k.employer_id = p.employer_id and k.number = m.number
left join filings f on f.dispatcher = p.dispatch_unit and f.province = p.province
left join (select person_id, bool_or(record = 2) as certificate from refused group by 1) rr on rr.person_id = p.person_id
cross join lateral (select
    case when w.own >= t.standard then 0
         when m.period + p.wage_lag > rw.settled_through then 1
         when w.own is not null then 2
         when w.other then 3
         when exists (select from refused r where r.person_id = p.person_id and r.record = 0 and coalesce(r.period, m.period + p.wage_lag) = m.period + p.wage_lag) then 1
         else 4 end,
    case when ip.paid then 0 when m.period > rp.settled_through then 2 when ip.owed then 3 when ip.elsewhere then 4 when ip.resident then 5
         when exists (select from refused r where r.person_id = p.person_id and r.record = 1 and coalesce(r.scheme, 0) = 0 and coalesce(r.period, m.period) = m.period) then 2
         else 6 end,
    case when im.paid then 0 when m.period > rm.settled_through then 2 when im.owed then 3 when im.elsewhere then 4 when im.resident then 5
         when exists (select from refused r where r.person_id = p.person_id and r.record = 1 and coalesce(r.scheme, 1) = 1 and coalesce(r.period, m.period) = m.period) then 2
         else 6 end,
    case when c.in_force then 0 when c.cancelled then 2 when c.frozen then 3 when not rc.current then 1 when c.expired then 4 when c.later then 5
         when rr.certificate then 1 else 6 end,
    case when a.from_on > m.last_day then 1 when a.retires_on <= m.first_day then 2 else 0 end,
    case when k.good then 0 when k.covered then 1 when k.person_id is not null then 2 else 3 end,
    case when p.dispatch_unit is null then 0 when f.approved then 1 when f.was then 3 when f.filed then 4 when not rf.current then 2 else 5 end
) as codes (wage, pension, medical, certified, age, contracted, dispatched);

create temporary table rival as
select person_id, number from cell group by 1, 2 having count(*) > 1;
analyze rival;

create table by_sql (person_id bigint, employer_id integer, cells integer[]);
insert into by_sql
select person_id, employer_id, array_agg(packed order by number)
from (
    select c.person_id, c.employer_id, c.number,
           wage + (pension << 3) + (medical << 6) + (certified << 9) + (age << 12) + (contracted << 15) + (dispatched << 18)
           + (conflict::integer << 21) + (double::integer << 22) + ((passes and not conflict)::integer << 23) as packed
    from cell c
    left join claim h on h.person_id = c.person_id and h.month = :january + c.number and h.to_seq is null
    left join (select c.person_id, c.number, count(*) filter (where passes) as passing from cell c join rival using (person_id, number) group by 1, 2) r
           on r.person_id = c.person_id and r.number = c.number
    cross join lateral (select case when h.employer_id is not null then h.employer_id <> c.employer_id
                                    else coalesce(r.passing, 0) > passes::integer end) as contested (conflict)
) as packed
group by person_id, employer_id;
alter table by_sql add primary key (person_id, employer_id);
