-- What is seen of work that fails, and in which words people are told.

alter table run
    -- of one person or employer, a range of days, a part of all persons: it says nothing of whether the job is well
    add column part boolean not null default false;
update run set part = true where run_id in (select run_id from batch where asked in ('range', 'persons'));

alter table alert
    -- the text once more, in Chinese
    add column chinese text not null default '',
    -- why it is over, where that is more than that it no longer holds
    add column closed_why text;
alter table message add column chinese text not null default '';
create index run_by_hand on run (job, started_at) where task_id is null and not part;
