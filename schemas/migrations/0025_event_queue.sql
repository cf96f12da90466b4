-- What waits for a receiver is found by its subscription: the backlog of one that is paused or rests is not looked through.
create index event_delivery_next on event_delivery (subscription_id, next_at, event_id) where state = 'waiting';
drop index event_delivery_due;
