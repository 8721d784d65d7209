-- One sign-in on one device, from login until it ends. `generation` counts its refresh tokens;
-- it may be refreshed until `expires_at` (sliding) and never beyond `ends_at`.
CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    appid TEXT NOT NULL,
    openid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rotated_at TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    ip TEXT,
    user_agent TEXT
);

CREATE INDEX sessions_of_user ON sessions (user_id);

-- Which session a login code became: what makes a repeat, and a second node, safe.
CREATE TABLE exchanges (
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL,
    PRIMARY KEY (appid, code_hash)
);

CREATE INDEX exchanges_by_age ON exchanges (exchanged_at);
