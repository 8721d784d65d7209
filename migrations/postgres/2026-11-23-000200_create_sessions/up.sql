-- One sign-in on one device, from login until it ends. `generation` counts its refresh tokens;
-- it may be refreshed until `expires_at` (sliding) and never beyond `ends_at`. A person's sessions lie side by
-- side, so that a login touches one page; whoever looks for a session knows its user.
CREATE TABLE sessions (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    appid TEXT NOT NULL,
    openid TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rotated_at TIMESTAMP NOT NULL,
    created_at TIMESTAMP NOT NULL,
    last_used_at TIMESTAMP NOT NULL,
    expires_at TIMESTAMP NOT NULL,
    ends_at TIMESTAMP NOT NULL,
    ip TEXT,
    user_agent TEXT,
    PRIMARY KEY (user_id, id)
);

-- Which session a login code became: what makes a repeat, and a second node, safe. Kept for minutes.
CREATE TABLE exchanges (
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL,
    PRIMARY KEY (appid, code_hash)
);
