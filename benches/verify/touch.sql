-- One person in a hundred: the wage of June is corrected to a hundred yuan, as a delivery of changes would.
insert into publish (seq, published_at, cause) values (8, '2026-02-28 04:00:00+08', 'pull');
update publish_head set seq = 8;
insert into batch (source_id, record, run_id, state, began_at, began_seq, published_seq, asked)
select source_id, 0, lpad(source_id::text, 32, '0')::uuid, 'published', '2026-02-28 02:00:00+08', 7, 8, 'changes' from source where job = 'pull-wage';
create temporary table touched as select * from wage where person_id % 100 = 7 and period = 24305 and not deleted and superseded_seq is null;
update wage w set superseded_seq = 8 from touched t where w.person_id = t.person_id and w.version_id = t.version_id;
insert into wage (person_id, version_id, content, updated_at, amount_fen, record_key, batch_id, page_number, row_number, period, payer, source_id, deleted)
select person_id, 1000000000 + version_id, 1, '2026-02-27 00:00:00+08', 10000, record_key, (select batch_id from batch where published_seq = 8), 0, 0, period, payer,
       source_id, false
from touched;
