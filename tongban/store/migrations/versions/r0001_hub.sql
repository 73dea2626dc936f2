-- Revision r0001: schema hub. tongban/store/tables.py describes every column.
CREATE TABLE hub.cursor (
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    transfer_id UUID NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT cursor_pkey PRIMARY KEY (system, dataset)
);
COMMENT ON COLUMN hub.cursor.until IS 'everything before it is stored';
CREATE TABLE hub.dataset (
    table_name TEXT NOT NULL,
    dataset TEXT NOT NULL,
    version TEXT NOT NULL,
    label TEXT NOT NULL,
    owner TEXT NOT NULL,
    contract_digest TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT dataset_pkey PRIMARY KEY (table_name)
);
COMMENT ON COLUMN hub.dataset.table_name IS 'table in the schema data';
COMMENT ON COLUMN hub.dataset.version IS 'contract version that it fits';
CREATE TABLE hub.evidence_entry (
    seq BIGINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    subject JSONB NOT NULL,
    leaf BYTEA NOT NULL,
    previous BYTEA NOT NULL,
    entry_hash BYTEA NOT NULL,
    CONSTRAINT evidence_entry_pkey PRIMARY KEY (seq)
);
COMMENT ON COLUMN hub.evidence_entry.seq IS '1, 2, 3 … no gaps';
COMMENT ON COLUMN hub.evidence_entry.subject IS 'ids and counts, never a field''s value';
COMMENT ON COLUMN hub.evidence_entry.leaf IS 'digest of what the entry is about';
CREATE TABLE hub.lease (
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    holder TEXT,
    token BIGINT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT lease_pkey PRIMARY KEY (system, dataset)
);
COMMENT ON COLUMN hub.lease.holder IS 'host, process and run; null when free';
COMMENT ON COLUMN hub.lease.token IS 'counts up with every taking';
CREATE TABLE hub.outbox (
    target TEXT NOT NULL,
    dataset TEXT NOT NULL,
    record_id UUID NOT NULL,
    version INTEGER NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    state TEXT DEFAULT 'queued' NOT NULL,
    attempts SMALLINT DEFAULT 0 NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    next_try_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    digest BYTEA,
    receipt_no TEXT,
    code TEXT,
    answer_sealed BYTEA,
    transfer_id UUID,
    CONSTRAINT outbox_pkey PRIMARY KEY (record_id, target, dataset, version),
    CONSTRAINT outbox_state_check CHECK (state IN ('queued', 'sent', 'waiting_parent', 'accepted',
        'duplicate', 'rejected', 'parked', 'superseded', 'withheld'))
);
CREATE INDEX outbox_pending ON hub.outbox (target, dataset, next_try_at, seq) WHERE state IN
        ('queued', 'sent', 'waiting_parent');
COMMENT ON COLUMN hub.outbox.sent_at IS 'last time that it went out';
COMMENT ON COLUMN hub.outbox.closed_at IS 'when it reached a state that no worker takes up';
COMMENT ON COLUMN hub.outbox.digest IS 'keyed digest of the delivered document';
COMMENT ON COLUMN hub.outbox.code IS 'the target''s own code of the last answer';
COMMENT ON COLUMN hub.outbox.answer_sealed IS 'the target''s words; may quote the record';
COMMENT ON COLUMN hub.outbox.transfer_id IS 'push transfer that delivered it';
CREATE TABLE hub.quarantine (
    quarantine_id BIGINT GENERATED ALWAYS AS IDENTITY,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    transfer_id UUID NOT NULL,
    key_index UUID NOT NULL,
    has_key BOOLEAN NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE,
    row_digest BYTEA NOT NULL,
    row_sealed BYTEA NOT NULL,
    findings JSONB NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    times_seen INTEGER DEFAULT 1 NOT NULL,
    quarantined_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    closed_by UUID,
    CONSTRAINT quarantine_pkey PRIMARY KEY (quarantine_id),
    CONSTRAINT quarantine_state_check CHECK (state IN ('open', 'resolved', 'replaced', 'waived'))
);
CREATE UNIQUE INDEX quarantine_open_key ON hub.quarantine (dataset, key_index) WHERE state = 'open';
CREATE INDEX quarantine_transfer ON hub.quarantine (transfer_id);
COMMENT ON COLUMN hub.quarantine.key_index IS 'record_id, or a digest without a key';
COMMENT ON COLUMN hub.quarantine.row_sealed IS 'what the department sent';
COMMENT ON COLUMN hub.quarantine.findings IS 'rules and fields, never a value';
COMMENT ON COLUMN hub.quarantine.closed_by IS 'transfer that resolved or replaced it';
CREATE TABLE hub.transfer (
    transfer_id UUID NOT NULL,
    direction TEXT NOT NULL,
    system TEXT NOT NULL,
    dataset TEXT NOT NULL,
    parent_id UUID,
    state TEXT DEFAULT 'pulling' NOT NULL,
    window_since TIMESTAMP WITH TIME ZONE,
    window_until TIMESTAMP WITH TIME ZONE,
    contract_version TEXT,
    landing TEXT,
    run_id TEXT,
    declared_rows BIGINT,
    pages BIGINT DEFAULT 0 NOT NULL,
    chunks BIGINT DEFAULT 0 NOT NULL,
    read_rows BIGINT DEFAULT 0 NOT NULL,
    new_rows BIGINT DEFAULT 0 NOT NULL,
    changed_rows BIGINT DEFAULT 0 NOT NULL,
    same_rows BIGINT DEFAULT 0 NOT NULL,
    quarantined_rows BIGINT DEFAULT 0 NOT NULL,
    duplicate_rows BIGINT DEFAULT 0 NOT NULL,
    stale_rows BIGINT DEFAULT 0 NOT NULL,
    touched_rows BIGINT DEFAULT 0 NOT NULL,
    warning_rows BIGINT DEFAULT 0 NOT NULL,
    pushed_rows BIGINT DEFAULT 0 NOT NULL,
    acknowledged_rows BIGINT DEFAULT 0 NOT NULL,
    rejected_rows BIGINT DEFAULT 0 NOT NULL,
    waiting_rows BIGINT DEFAULT 0 NOT NULL,
    unclear_rows BIGINT DEFAULT 0 NOT NULL,
    work_ms BIGINT DEFAULT 0 NOT NULL,
    error_code TEXT,
    error_message TEXT,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    landed_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT transfer_pkey PRIMARY KEY (transfer_id),
    CONSTRAINT transfer_direction_check CHECK (direction IN ('pull', 'push')),
    CONSTRAINT transfer_state_check CHECK (state IN ('pulling', 'landed', 'finished', 'failed',
        'refused')),
    CONSTRAINT transfer_pull_balance_check CHECK (state <> 'finished' OR direction <> 'pull' OR
        read_rows = new_rows + changed_rows + same_rows + quarantined_rows + duplicate_rows),
    CONSTRAINT transfer_push_balance_check CHECK (state <> 'finished' OR direction <> 'push' OR
        pushed_rows = acknowledged_rows + rejected_rows + waiting_rows + unclear_rows)
);
CREATE INDEX transfer_route ON hub.transfer (system, dataset, direction, started_at);
COMMENT ON COLUMN hub.transfer.system IS 'source of a pull, target of a push';
COMMENT ON COLUMN hub.transfer.parent_id IS 'transfer whose pages this one shares';
COMMENT ON COLUMN hub.transfer.landing IS 'where the pages lie, without any secret';
COMMENT ON COLUMN hub.transfer.run_id IS 'the Airflow run or the command that caused it';
COMMENT ON COLUMN hub.transfer.declared_rows IS 'rows that the source says the window has';
CREATE TABLE hub.transfer_chunk (
    transfer_id UUID NOT NULL,
    chunk_no INTEGER NOT NULL,
    rows BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    committed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT transfer_chunk_pkey PRIMARY KEY (transfer_id, chunk_no),
    CONSTRAINT transfer_chunk_transfer_id_fkey FOREIGN KEY(transfer_id) REFERENCES hub.transfer
        (transfer_id)
);
COMMENT ON COLUMN hub.transfer_chunk.digest IS 'Merkle root of the row digests';
CREATE TABLE hub.transfer_finding (
    transfer_id UUID NOT NULL,
    rule TEXT NOT NULL,
    severity TEXT NOT NULL,
    rows BIGINT NOT NULL,
    CONSTRAINT transfer_finding_pkey PRIMARY KEY (transfer_id, rule, severity),
    CONSTRAINT transfer_finding_transfer_id_fkey FOREIGN KEY(transfer_id) REFERENCES hub.transfer
        (transfer_id)
);

-- Append-only for everybody: the rights are taken from the owner too, and the trigger stands
-- also while a superuser replays with session_replication_role = replica.
CREATE FUNCTION hub.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE insufficient_privilege
        USING MESSAGE = 'hub.' || TG_TABLE_NAME || ' is append-only: ' || TG_OP || ' is refused';
END $$;
CREATE TRIGGER evidence_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE
    ON hub.evidence_entry FOR EACH STATEMENT EXECUTE FUNCTION hub.refuse_change();
ALTER TABLE hub.evidence_entry ENABLE ALWAYS TRIGGER evidence_entry_append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON hub.evidence_entry FROM PUBLIC, CURRENT_USER;
