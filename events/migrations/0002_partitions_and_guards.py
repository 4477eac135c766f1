"""The tables that are partitioned by month on their UUIDv7 id, and the guards of what may only be appended.

A truncate of a partition passes its parent's triggers, so that every partition is given its own.
"""

from django.db import migrations

FUNCTIONS = """
CREATE FUNCTION open_wallet_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: its rows are only ever appended', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION open_wallet_first_id_of(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

CREATE FUNCTION open_wallet_make_partition(parent text, month date, append_only boolean) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    starts timestamptz := date_trunc('month', month::timestamp) AT TIME ZONE 'UTC';
    ends timestamptz := (date_trunc('month', month::timestamp) + interval '1 month') AT TIME ZONE 'UTC';
    leaf text := parent || to_char(month, '_YYYY_MM');
BEGIN
    IF to_regclass(leaf) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
        leaf, parent, open_wallet_first_id_of(starts), open_wallet_first_id_of(ends));
    IF append_only THEN
        EXECUTE format('CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON %I '
            'FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change()', leaf);
    END IF;
    RETURN leaf;
END $$;
"""

TABLES = """
CREATE TABLE events_event (
    id uuid PRIMARY KEY,
    position bigint NOT NULL,
    type varchar(64) NOT NULL,
    wallet_id uuid,
    wallet_seq bigint,
    user_id uuid,
    data jsonb NOT NULL,
    request_id varchar(128) NOT NULL,
    traceparent varchar(64) NOT NULL,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX event_by_position ON events_event (position);
CREATE INDEX event_by_wallet ON events_event (wallet_id, position) WHERE wallet_id IS NOT NULL;
CREATE INDEX event_by_user ON events_event (user_id, position) WHERE user_id IS NOT NULL;
CREATE INDEX event_by_request ON events_event (request_id) WHERE request_id <> '';

CREATE TABLE events_auditentry (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    actor varchar(80) NOT NULL,
    action varchar(64) NOT NULL,
    object_type varchar(32) NOT NULL,
    object_id varchar(64) NOT NULL,
    from_state varchar(32) NOT NULL DEFAULT '',
    to_state varchar(32) NOT NULL DEFAULT '',
    reason varchar(500) NOT NULL DEFAULT '',
    before jsonb,
    after jsonb,
    request_id varchar(128) NOT NULL DEFAULT '',
    address varchar(64) NOT NULL DEFAULT ''
) PARTITION BY RANGE (id);
CREATE INDEX audit_by_object ON events_auditentry (object_id, object_type, id);
CREATE INDEX audit_by_actor ON events_auditentry (actor, id);
CREATE INDEX audit_by_request ON events_auditentry (request_id) WHERE request_id <> '';

CREATE TABLE events_apicall (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    principal varchar(80) NOT NULL,
    method varchar(8) NOT NULL,
    path varchar(500) NOT NULL,
    status smallint NOT NULL,
    code varchar(64) NOT NULL DEFAULT '',
    duration_us integer NOT NULL,
    wallet_id uuid,
    request_id varchar(128) NOT NULL,
    idempotency_key varchar(255) NOT NULL DEFAULT '',
    address varchar(64) NOT NULL DEFAULT ''
) PARTITION BY RANGE (id);
CREATE INDEX api_call_by_wallet ON events_apicall (wallet_id, id) WHERE wallet_id IS NOT NULL;
CREATE INDEX api_call_by_principal ON events_apicall (principal, id);
CREATE INDEX api_call_by_request ON events_apicall (request_id);

CREATE TABLE events_webhookdelivery (
    id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_position bigint NOT NULL,
    wallet_id uuid,
    status varchar(16) NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz,
    leased_until timestamptz,
    log jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL,
    finished_at timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX delivery_by_endpoint ON events_webhookdelivery (endpoint_id, id);
CREATE INDEX delivery_by_event ON events_webhookdelivery (event_id);
CREATE INDEX delivery_due ON events_webhookdelivery (due_at) WHERE status = 'pending';

INSERT INTO events_eventposition (id, last) VALUES (1, 0);
"""

GUARDS = "".join(
    f"""
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION open_wallet_refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION open_wallet_refuse_change();
"""
    for table in ("events_event", "events_auditentry", "events_apicall")
)

FIRST_PARTITIONS = """
SELECT open_wallet_make_partition(parent, (date_trunc('month', now() AT TIME ZONE 'UTC')
        + make_interval(months => ahead))::date, append_only)
FROM generate_series(-1, 6) AS ahead,
     (VALUES ('events_event', true), ('events_auditentry', true), ('events_apicall', true),
             ('events_webhookdelivery', false)) AS t (parent, append_only);
"""

REVERSE = """
DROP TABLE events_event, events_auditentry, events_apicall, events_webhookdelivery;
DELETE FROM events_eventposition;
DROP FUNCTION open_wallet_make_partition(text, date, boolean);
DROP FUNCTION open_wallet_first_id_of(timestamptz);
DROP FUNCTION open_wallet_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("events", "0001_what_happened")]

    operations = [migrations.RunSQL(FUNCTIONS + TABLES + GUARDS + FIRST_PARTITIONS, REVERSE)]
