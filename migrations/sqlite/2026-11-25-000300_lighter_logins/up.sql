-- Without AUTOINCREMENT, which kept the highest number in a table of its own, a page more for every commit. Numbers
-- are still never used again: the row with the highest one stays until there is a higher one.
CREATE TABLE fresh_logins_plain (
    seq INTEGER NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL
);

INSERT INTO fresh_logins_plain SELECT * FROM fresh_logins ORDER BY seq;
DROP TABLE fresh_logins;
ALTER TABLE fresh_logins_plain RENAME TO fresh_logins;
