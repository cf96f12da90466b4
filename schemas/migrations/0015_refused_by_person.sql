-- What was refused of a person is found by the person, closed or not: a verification as of the past reads what was open then.

drop index quarantine_open_by_person;
create index quarantine_by_person on quarantine (id_index) where id_index is not null;
create index quarantine_of_nobody on quarantine (unit_id) where id_index is null;
