-- The keys by which backends call. Of a key its digest is stored, never the key; the hint is how it begins.
-- A revoked key keeps its row; its name may be given again.
CREATE TABLE api_keys (
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hint TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP,
    revoked_at TIMESTAMP
) WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_in_use ON api_keys (name) WHERE revoked_at IS NULL;
