-- One transfer as the application runs it; `python -m tests.benchmarks --write-script` writes this file anew.
-- Given: pairs (a multiple of 4) of each client, first (its first wallet), round, step (-1) and the constants.
\set step :step + 1
\set place :step % :pairs
\set visit :step / :pairs
\set moved 7 * (:visit + 1)
\set source :first + :client_id * :pairs * 2 + (:place / 4) * 8 + :place % 4
\set target :source + 4
\set source_version 1001 + :visit
\set source_balance 4997000000 - :moved
\set source_seq 3 + :visit
\set source_total_out 3000000 + :moved
\set source_day 8000000 + :moved
\set source_month 9000000 + :moved
\set target_version 1101 + :visit
\set target_balance 5996001000 + :moved
\set target_seq 4 + :visit
\set target_total_in 6000001000 + :moved
\set moment 20000000 + :round * 2000000 + :step
\set client 10000000000 + :client_id
\set key_1 random(1000000000000000, 9999999999999999)
\set key_2 random(1000000000000000, 9999999999999999)
BEGIN;
SELECT a.id, a.currency, a.balance, a.held, a.floor, a.version, a.last_seq, a.posted_at, a.total_in, a.total_out, a.outflow_day, a.outflow_day_amount, a.outflow_month, a.outflow_month_amount, a.receivable, w.user_id, w.status, w.suspended_until, w.label, w.metadata, w.maximum_balance, w.per_transaction, w.daily_outflow, w.monthly_outflow, w.low_mark, w.created_at, w.updated_at FROM wallets_wallet AS w JOIN transactions_ledgeraccount AS a ON a.id = w.id WHERE w.id = ANY(ARRAY[('0190a11e-b0bb-7abc-8abc-a' || :source)::uuid, ('0190a11e-b0bb-7abc-8abc-a' || :target)::uuid]::uuid[]) ORDER BY w.id FOR UPDATE OF w, a;
WITH accounts AS (UPDATE transactions_ledgeraccount AS a SET balance = v.balance, held = v.held, version = a.version + 1, last_seq = v.last_seq, posted_at = v.posted_at, total_in = v.total_in, total_out = v.total_out, outflow_day = v.outflow_day, outflow_day_amount = v.outflow_day_amount, outflow_month = v.outflow_month, outflow_month_amount = v.outflow_month_amount FROM (VALUES (('0190a11e-b0bb-7abc-8abc-a' || :source)::uuid::uuid, :source_version::bigint, :source_balance::bigint, :constant_1::bigint, :source_seq::bigint, clock_timestamp()::timestamptz, :constant_2::bigint, :source_total_out::bigint, :constant_3::date, :source_day::bigint, :constant_4::date, :source_month::bigint), (('0190a11e-b0bb-7abc-8abc-a' || :target)::uuid::uuid, :target_version::bigint, :target_balance::bigint, :constant_5::bigint, :target_seq::bigint, clock_timestamp()::timestamptz, :target_total_in::bigint, :constant_6::bigint, :constant_7::date, :constant_8::bigint, :constant_9::date, :constant_10::bigint)) AS v (id, version, balance, held, last_seq, posted_at, total_in, total_out, outflow_day, outflow_day_amount, outflow_month, outflow_month_amount) WHERE a.id = v.id AND a.version = v.version RETURNING 1), transfer AS (INSERT INTO transactions_transfer (id, kind, status, actor, request_id, description, reference, metadata, payment_id, hold_id, refund_of, reverses, failure_code, effective_at, created_at, completed_at) VALUES ((:moment || '-0001-7abc-8abc-a' || :client)::uuid, :constant_11, :constant_12, :constant_13, :constant_14, '', '', :constant_15::jsonb, NULL, NULL, NULL, NULL, '', clock_timestamp(), clock_timestamp(), clock_timestamp()) RETURNING 1), lines AS (INSERT INTO transactions_transaction (id, transfer_id, account_id, type, amount, status, seq, balance_after, created_at, completed_at) VALUES ((:moment || '-0002-7abc-8abc-a' || :client)::uuid, (:moment || '-0001-7abc-8abc-a' || :client)::uuid, ('0190a11e-b0bb-7abc-8abc-a' || :source)::uuid, :constant_16, :constant_17, :constant_18, :source_seq, :source_balance, clock_timestamp(), clock_timestamp()), ((:moment || '-0003-7abc-8abc-a' || :client)::uuid, (:moment || '-0001-7abc-8abc-a' || :client)::uuid, ('0190a11e-b0bb-7abc-8abc-a' || :target)::uuid, :constant_19, :constant_20, :constant_21, :target_seq, :target_balance, clock_timestamp(), clock_timestamp()) RETURNING 1), outbox AS (INSERT INTO events_outbox (id, kind, payload, request_id, traceparent, created_at) VALUES ((:moment || '-0004-7abc-8abc-a' || :client)::uuid, :constant_22, :constant_23::jsonb, :constant_24, :constant_25, clock_timestamp()) RETURNING 1), key AS (INSERT INTO transactions_idempotencykey (principal, key, fingerprint, status, body, resource, request_id, created_at) VALUES (:constant_26, (:key_1 || '-' || :key_2 || '-00'), :constant_27, :constant_28, :constant_29, ('transfer:' || (:moment || '-0001-7abc-8abc-a' || :client)::uuid), :constant_30, clock_timestamp()) RETURNING 1) SELECT (SELECT count(*) FROM accounts), (SELECT count(*) FROM transfer), (SELECT count(*) FROM lines), (SELECT count(*) FROM outbox), (SELECT count(*) FROM key);
COMMIT;
