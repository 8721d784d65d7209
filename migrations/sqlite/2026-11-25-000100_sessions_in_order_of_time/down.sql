INSERT OR IGNORE INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
SELECT appid, code_hash, user_id, session_id, idempotency_key, exchanged_at FROM fresh_logins;

DROP TABLE fresh_logins;
DROP TABLE user_sessions;

CREATE TABLE sessions_by_user (
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
) WITHOUT ROWID;

INSERT INTO sessions_by_user
SELECT user_id, id, appid, openid, generation, rotated_at, created_at, last_used_at, expires_at, ends_at, ip, user_agent
FROM sessions ORDER BY user_id, id;

DROP TABLE sessions;
ALTER TABLE sessions_by_user RENAME TO sessions;
