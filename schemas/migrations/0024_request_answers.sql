-- Answers to requests are told again only to whoever may do what they might when they were answered, those with a secret for a day; after a
-- time they go. And lists of users go by their accounts, page by page.

alter table request_answer
    -- keyed hash of the role and the reach of whoever was answered; null: from before this was kept, so that it is told to nobody
    add column access bytea constraint request_answer_access_has_32_bytes check (length(access) = 32),
    -- it holds what is shown when it is made: a code, a token, a secret
    add column secret boolean not null default false,
    alter column answer drop not null,
    -- that it was answered is known for longer
    add constraint request_answer_is_forgotten_only_if_secret check (answer is not null or secret);
create index request_answer_by_time on request_answer (answered_at);
create index request_answer_with_secret on request_answer (answered_at) where secret and answer is not null;

create index app_user_by_account on app_user (account collate "C");
