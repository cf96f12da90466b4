with about as materialized (
    select audit_id from audit where audit_persons(object, detail) @> array[$1::bigint]
    union
    select audit_id from audit where object = any($2::text[])
)
select a.audit_id, a.at, a.role, a.on_behalf_of, a.action, a.object,
       a.detail ->> 'employer' as employer,
       a.detail ->> 'did' as did,
       -- where the actor's role held at that time, and for which units
       array(select distinct g.division from user_grant g join app_user using (user_id)
             where account = a.actor and g.division is not null and g.from_on <= d.on_day
               and (g.until_on is null or g.until_on >= d.on_day)
               and g.granted_at <= a.at and (g.revoked_at is null or g.revoked_at > a.at)) as "divisions!",
       array(select distinct u.uscc from user_grant g join app_user using (user_id) join unit u on u.unit_id = g.unit_id
             where account = a.actor and g.from_on <= d.on_day
               and (g.until_on is null or g.until_on >= d.on_day)
               and g.granted_at <= a.at and (g.revoked_at is null or g.revoked_at > a.at)) as "units!"
from about join audit a using (audit_id),
     lateral (select (a.at at time zone 'Asia/Shanghai')::date as on_day) as d
where a.audit_id < $3 and a.action = any($4::text[]) and not a.detail ? 'released'
order by a.audit_id desc limit $5
