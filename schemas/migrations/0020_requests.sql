-- What a request over HTTP that writes something was answered, kept with what it wrote: the same request again gets the same answer.

create table request_answer (
    request_answer_id bigint generated always as identity primary key,
    -- who asked, as the audit names them
    account text not null,
    -- keyed hash of the caller's own name for the request, which may hold anything
    key bytea not null constraint request_answer_key_has_32_bytes check (length(key) = 32),
    -- keyed hash of what was asked: method, path, body
    request bytea not null constraint request_answer_request_has_32_bytes check (length(request) = 32),
    answered_at timestamptz not null,
    -- JSON, encrypted
    answer bytea not null,
    constraint request_answer_is_kept_once unique (account, key)
);
