-- Sessions lie in the order in which they were opened, as their ids rise with time: a login writes at the end of
-- the table, beside the logins that are committed with it, and not on a page of its own. For the same reason it
-- keeps no index up to date. What it leaves to be indexed stands in `fresh_logins`, which is emptied about once a
-- second, many logins at a time: into `user_sessions` (a user's sessions) and `exchanges` (a code's session).
-- Whoever looks for either looks into `fresh_logins` too. (Without a reference to `users`, which would have a
-- user's deletion read the whole table: it ends their sessions itself.)
CREATE TABLE sessions_in_order (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
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
) WITHOUT ROWID;

INSERT INTO sessions_in_order
SELECT id, user_id, appid, openid, generation, rotated_at, created_at, last_used_at, expires_at, ends_at, ip, user_agent
FROM sessions ORDER BY id;

CREATE TABLE user_sessions (
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    PRIMARY KEY (user_id, session_id)
) WITHOUT ROWID;

INSERT INTO user_sessions SELECT user_id, id FROM sessions ORDER BY user_id, id;

DROP TABLE sessions;
ALTER TABLE sessions_in_order RENAME TO sessions;

CREATE TABLE fresh_logins (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL
);
