-- Nobody files nothing in silence: who was told what is missing, and who agreed beforehand to be completed.

-- What was told once, and to whom: an employer, or the staff in charge of a division.
create table reminder (
    reminder_id integer generated always as identity primary key,
    kind text not null constraint reminder_kind_is_known check (kind in ('reminder', 'summary', 'completed')),
    employer_id integer references unit,
    division text,
    year smallint not null,
    -- the threshold in days before the end of the window; 0 of a completion
    days_before smallint not null,
    decided_at timestamptz not null,
    -- what is missing, in counts
    findings jsonb not null,
    constraint reminder_is_to_one check ((employer_id is null) <> (division is null)),
    constraint reminder_to_an_employer_is_one unique (employer_id, year, kind, days_before),
    constraint reminder_to_a_division_is_one unique (division, year, kind, days_before)
);
create index reminder_by_age on reminder (decided_at);

alter table message
    alter column alert_id drop not null,
    add column reminder_id integer references reminder,
    add constraint message_is_of_an_alert_or_a_reminder check ((alert_id is null) <> (reminder_id is null)),
    add constraint message_of_a_reminder_is_one unique (reminder_id, target);
alter table message drop constraint message_event_is_known;
alter table message add constraint message_event_is_listed check (event in ('opened', 'closed', 'told'));

-- An employer agreed beforehand that the program completes the year on the last day, if all that is ticked passes by itself.
create table standing_consent (
    employer_id integer not null references unit,
    year smallint not null,
    given_at timestamptz not null,
    given_by text not null,
    -- the commitment text that was accepted with it
    commitment_version text not null,
    commitment_hash text not null,
    revoked_at timestamptz,
    revoked_by text,
    primary key (employer_id, year, given_at),
    constraint standing_consent_is_revoked_whole check ((revoked_at is null) = (revoked_by is null))
);
create unique index standing_consent_in_force_is_one on standing_consent (employer_id, year) where revoked_at is null;
