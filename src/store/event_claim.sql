with busy as (
    select host from event_delivery join event_subscription using (subscription_id) where claimed_until > (select clock_timestamp())),
free as (
    select subscription_id, host from event_subscription s
    where ended_at is null and paused_at is null and (rests_until is null or rests_until <= $1)
      and not exists (select from busy where busy.host = s.host)),
longest_due as (
    select host
    from free cross join lateral (
        select next_at, event_id from event_delivery d
        where d.subscription_id = free.subscription_id and state = 'waiting' and next_at <= $1
        order by next_at, event_id limit 1) as first
    order by next_at, event_id limit 1),
due as (
    select event_id, subscription_id
    from free join longest_due using (host) cross join lateral (
        select event_id, next_at from event_delivery d
        where d.subscription_id = free.subscription_id and state = 'waiting' and next_at <= $1
        order by next_at, event_id limit $2 for update skip locked) as next
    order by next_at, event_id limit $2),
claimed as (
    update event_delivery d
    set attempts = attempts + 1, claimed_until = clock_timestamp() + make_interval(secs => $3), first_tried_at = coalesce(first_tried_at, $1)
    from due where d.event_id = due.event_id and d.subscription_id = due.subscription_id
    returning d.event_id, d.subscription_id, d.attempts, d.first_tried_at)
select event_id, subscription_id, account, url, algorithm, employer_id, body, attempts, first_tried_at as "first_tried_at!"
from claimed join event using (event_id) join event_subscription using (subscription_id) join app_user using (user_id)
order by event_id, subscription_id
