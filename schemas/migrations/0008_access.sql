-- Who may do what, where and how long; and the audit log sealed, so that a row that was changed, taken out or put in is found.

create sequence app_user_id_seq;
create table app_user (
    user_id bigint primary key,
    -- a short word, as the audit names them
    account text not null constraint app_user_account_is_unique unique
        constraint app_user_account_is_a_short_word check (account ~ '^[a-z][a-z0-9._-]{1,31}$'),
    -- encrypted
    name bytea not null,
    role text not null constraint app_user_role_is_listed
        check (role in ('employer', 'handler', 'reviewer', 'supervisor', 'operator', 'auditor')),
    created_at timestamptz not null,
    created_by text not null,
    -- for good
    revoked_at timestamptz,
    revoked_by text,
    revoked_why text,
    constraint app_user_revocation_is_whole check (num_nulls(revoked_at, revoked_by, revoked_why) in (0, 3))
);

-- Where and how long a user's role holds. Neither unit nor division: everywhere.
create table user_grant (
    grant_id integer generated always as identity primary key,
    user_id bigint not null references app_user,
    unit_id integer references unit,
    division text constraint user_grant_division_has_2_4_or_6_digits check (division ~ '^([0-9]{2}){1,3}$'),
    -- business dates, both included
    from_on date not null,
    until_on date,
    granted_at timestamptz not null,
    granted_by text not null,
    revoked_at timestamptz,
    revoked_by text,
    revoked_why text,
    constraint user_grant_reaches_a_unit_or_a_division check (num_nonnulls(unit_id, division) < 2),
    constraint user_grant_begins_before_it_ends check (until_on >= from_on),
    constraint user_grant_revocation_is_whole check (num_nulls(revoked_at, revoked_by, revoked_why) in (0, 3))
);
create index user_grant_of_user on user_grant (user_id);

create table user_token (
    token_id integer generated always as identity primary key,
    user_id bigint not null references app_user,
    -- SHA-256 of the token, which is 256 random bits; the token itself is kept nowhere
    hash bytea not null constraint user_token_hash_is_unique unique constraint user_token_hash_has_32_bytes check (length(hash) = 32),
    created_at timestamptz not null,
    created_by text not null,
    expires_at timestamptz not null,
    -- to the minute
    last_used_at timestamptz,
    revoked_at timestamptz,
    revoked_by text,
    revoked_why text,
    constraint user_token_revocation_is_whole check (num_nulls(revoked_at, revoked_by, revoked_why) in (0, 3))
);
create index user_token_of_user on user_token (user_id);

-- The persons whom a row of the audit is about: `person 17` in its object, `person` and `persons` in its detail.
create function audit_persons(object text, detail jsonb) returns bigint[] language sql immutable parallel safe as $$
    select coalesce(array_agg(distinct person), '{}') from (
        select (regexp_matches(object, '\mperson ([0-9]{1,18})\M', 'g'))[1]::bigint as person
        union all
        select (detail ->> 'person')::bigint where jsonb_typeof(detail -> 'person') = 'number'
        union all
        select one.value::bigint
        from jsonb_array_elements_text(case jsonb_typeof(detail -> 'persons') when 'array' then detail -> 'persons' else '[]' end) as one
        where one.value ~ '^[0-9]{1,18}$'
    ) as found
$$;
create index audit_by_person on audit using gin (audit_persons(object, detail));
create index audit_by_actor on audit (actor, audit_id);

-- A transaction has its number before its row has one. So when every transaction that had a number at some moment is over, no row
-- can come any more whose number was given out before that moment, and everything up to there can be sealed.
create function number_transaction_first() returns trigger language plpgsql as $$
begin
    perform pg_current_xact_id();
    return null;
end $$;
create trigger audit_row_follows_its_transaction before insert on audit for each statement execute function number_transaction_first();

create table audit_seal (
    -- 1, 2, 3 …
    seal_id integer primary key,
    -- every row of the audit from here to there, and no other
    first_id bigint not null,
    last_id bigint not null,
    row_count integer not null,
    -- for each row its number (8 bytes) and the SM3 of what it holds (32 bytes), by number
    leaves bytea not null constraint audit_seal_has_a_leaf_for_every_row check (length(leaves) = 40 * row_count),
    -- SM3 over the root before it, these numbers, the moment, and the leaves
    root bytea not null constraint audit_seal_root_is_sm3 check (length(root) = 32),
    sealed_at timestamptz not null
);
revoke update, delete, truncate on audit_seal from public, current_user;
create trigger audit_seal_is_only_added_to before update or delete or truncate on audit_seal
    for each statement execute function refuse_change_of_audit();

-- Up to where the audit had come at a moment, and the transaction before which all must be over; null: nothing is marked.
create table audit_mark (
    one boolean primary key default true constraint audit_mark_is_one check (one),
    last_id bigint not null,
    before_transaction xid8
);
insert into audit_mark (last_id) values (0);
