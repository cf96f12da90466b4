-- Programs of employers and staff hear of what happens: who subscribed to what, what happened, and which receiver has it.

create sequence event_subscription_id_seq;
create table event_subscription (
    subscription_id bigint primary key,
    user_id bigint not null constraint event_subscription_is_of_a_user references app_user,
    url text not null constraint event_subscription_url_has_500_signs_at_most check (length(url) <= 500),
    -- of the url, with its port: requests to one host follow each other
    host text not null generated always as (substring(url from '^https?://([^/?#]+)')) stored,
    kinds text[] not null constraint event_subscription_kinds_are_known
        check (cardinality(kinds) > 0 and kinds <@ array['cell_changed', 'decision_made', 'answer_received']),
    algorithm text not null constraint event_subscription_algorithm_is_known check (algorithm in ('hmac-sm3', 'hmac-sha256')),
    created_at timestamptz not null,
    -- nobody took anything for too long: events gather until its user goes on with it
    paused_at timestamptz,
    -- after a failure nothing is tried before
    rests_until timestamptz,
    -- for good
    ended_at timestamptz,
    ended_why text constraint event_subscription_end_is_known check (ended_why in ('removed', 'gone', 'user_revoked')),
    constraint event_subscription_end_is_whole check ((ended_at is null) = (ended_why is null))
);
create index event_subscription_of_user on event_subscription (user_id);
create index event_subscription_standing on event_subscription (subscription_id) where ended_at is null;

-- By which requests to a receiver are signed: the last one, and for a day the one before.
create sequence event_secret_id_seq;
create table event_secret (
    secret_id bigint primary key,
    subscription_id bigint not null constraint event_secret_is_of_a_subscription references event_subscription,
    -- encrypted
    secret bytea not null,
    made_at timestamptz not null
);
create index event_secret_of_subscription on event_secret (subscription_id);

-- What happened, written in the transaction of what it tells, if anybody wants to hear it.
create table event (
    event_id uuid primary key,
    kind text not null constraint event_kind_is_known check (kind in ('cell_changed', 'decision_made', 'answer_received', 'ping')),
    -- of a ping none
    employer_id integer constraint event_is_of_a_unit references unit,
    occurred_at timestamptz not null,
    -- JSON, final; persons by their number only
    body text not null,
    constraint event_has_an_employer_unless_a_ping check ((employer_id is null) = (kind = 'ping'))
);
create index event_by_age on event (occurred_at);

-- One for each event and subscription.
create table event_delivery (
    event_id uuid not null constraint event_delivery_is_of_an_event references event on delete cascade,
    subscription_id bigint not null constraint event_delivery_is_to_a_subscription references event_subscription,
    state text not null default 'waiting' constraint event_delivery_state_is_known check (state in ('waiting', 'delivered', 'failed')),
    -- claims so far, the one that goes on among them
    attempts integer not null default 0,
    next_at timestamptz not null,
    -- somebody tries it: nobody else does before
    claimed_until timestamptz,
    first_tried_at timestamptz,
    delivered_at timestamptz,
    -- of the last answer; null: none came
    last_status smallint,
    error text,
    primary key (event_id, subscription_id),
    constraint event_delivery_is_delivered_once check ((state = 'delivered') = (delivered_at is not null))
);
create index event_delivery_due on event_delivery (next_at, event_id) where state = 'waiting';
create index event_delivery_claimed on event_delivery (claimed_until) where claimed_until is not null;
create index event_delivery_of_subscription on event_delivery (subscription_id, state);

-- The subscriptions that hear of something at an employer on a business day: those whose user reaches it that day.
create function event_receivers(event_kind text, of_unit integer, on_day date) returns setof bigint
language sql stable as $$
    select subscription_id from event_subscription s join app_user u using (user_id)
    where s.ended_at is null and event_kind = any (s.kinds) and u.revoked_at is null
      and exists (
          select from user_grant g
          where g.user_id = u.user_id and g.revoked_at is null and g.from_on <= on_day and (g.until_on is null or on_day <= g.until_on)
            and (g.unit_id = of_unit
                 or g.unit_id is null and (g.division is null or exists (
                        select from employer e
                        where e.employer_id = of_unit and e.to_seq is null and starts_with(e.federation_division, g.division)))))
$$;
