CREATE TABLE fresh_logins_numbered (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL
);

INSERT INTO fresh_logins_numbered SELECT * FROM fresh_logins ORDER BY seq;
DROP TABLE fresh_logins;
ALTER TABLE fresh_logins_numbered RENAME TO fresh_logins;
