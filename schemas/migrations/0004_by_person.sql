-- Verification of everybody: records by person, and results that are not checked twice.

-- A result is derived from a placement, which is checked: to check it once more costs more than to write it.
alter table verification drop constraint verification_person_id_fkey;
alter table verification drop constraint verification_employer_id_fkey;

-- A person's records are read from the index alone: rows of one person lie in as many places of a table as there were deliveries, and a
-- verification of everybody would read the whole table once for every range of persons.

do $$
declare
    part text;
    columns text;
begin
    for part, columns in
        select t.name || '_' || s.source_id, t.columns
        from source s cross join (values
            ('wage', 'amount_fen, version_id, superseded_seq, period, payer, batch_id, deleted'),
            ('insurance', 'version_id, superseded_seq, period, insured, batch_id, scheme, coverage, status, payment, deleted'),
            ('certificate', 'version_id, updated_at, superseded_seq, valid_from, valid_to, status_since, batch_id, kind, level, status, deleted')
        ) as t (name, columns)
        where to_regclass(t.name || '_' || s.source_id) is not null
    loop
        execute format('alter table %I set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05)', part);
        -- one without indexes has had no delivery yet: it gets them before its first is published
        if to_regclass(part || '_by_person') is not null then
            execute format('drop index %I', part || '_by_person');
            execute format('create index %I on %I (person_id) include (%s)', part || '_by_person', part, columns);
        end if;
    end loop;
end $$;
