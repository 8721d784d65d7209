CREATE TABLE exchanges (
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL,
    PRIMARY KEY (appid, code_hash)
) WITHOUT ROWID;

CREATE TABLE fresh_logins (
    seq INTEGER NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL
);

INSERT OR IGNORE INTO exchanges (appid, code_hash, user_id, session_id, idempotency_key, exchanged_at)
SELECT l.appid, l.code_hash, l.user_id, l.session_id, l.idempotency_key, l.exchanged_at
FROM recent_codes c JOIN recent_logins l ON l.seq = c.seq WHERE l.user_id > ''
ORDER BY c.seq;

INSERT INTO fresh_logins SELECT * FROM recent_logins
WHERE seq > (SELECT coalesce(max(run), 0) FROM recent_codes) ORDER BY seq;

DROP TABLE recent_codes;
DROP TABLE recent_logins;
