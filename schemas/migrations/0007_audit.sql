-- The audit says in which role somebody acted, for whom, why, and what stood before and after; nobody takes a row back.

alter table audit
    add column role text,
    add column on_behalf_of text,
    add column why text,
    -- keyed digests of what stood before and after
    add column before bytea,
    add column after bytea;
create index audit_by_object on audit (object, audit_id);

-- By right: not even who owns the table may change a row. A superuser is above rights, so that a trigger says it once more.
revoke update, delete, truncate on audit from public, current_user;
create function refuse_change_of_audit() returns trigger language plpgsql as $$
begin
    raise exception 'the audit log is only added to' using errcode = 'insufficient_privilege';
end $$;
create trigger audit_is_only_added_to before update or delete or truncate on audit
    for each statement execute function refuse_change_of_audit();

-- Why something became visible.
alter table publish drop constraint publish_has_a_known_cause;
alter table publish add constraint publish_cause_is_listed check (cause in ('pull', 'import', 'jobs', 'completion', 'answer', 'quarantine',
    'entry', 'tick', 'decision', 'withdrawal', 'amendment'));
