-- The server's own keys, sealed under the master key: for access tokens (`sign`) and refresh tokens (`refresh`).
CREATE TABLE keys (
    id TEXT NOT NULL PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('sign', 'refresh')),
    algorithm TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at TIMESTAMP NOT NULL,
    active_from TIMESTAMP NOT NULL,
    retired_at TIMESTAMP
);
