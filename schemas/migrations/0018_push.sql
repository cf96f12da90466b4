-- What the department said against its own word is looked for whenever somebody looks whether something is wrong.
create index outbox_contradicted on outbox (created_at) where contradicted is not null;
