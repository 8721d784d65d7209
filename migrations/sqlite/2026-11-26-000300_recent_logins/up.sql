-- Logins stay where they were appended, for the minutes for which their codes are remembered, and are removed in the
-- same order. They are indexed by code in runs: a run holds the codes of some logins that follow each other, sorted,
-- and is named after the last of them. So a run is written and removed as a piece, where an entry in one large index
-- costs a page of its own. Logins behind the last run are not indexed yet, neither by code nor by user.
CREATE TABLE recent_logins (
    seq INTEGER NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    session_id TEXT NOT NULL,
    appid TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    idempotency_key TEXT,
    exchanged_at TIMESTAMP NOT NULL
);

CREATE TABLE recent_codes (
    run INTEGER NOT NULL,
    code_hash TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (run, code_hash, seq)
) WITHOUT ROWID;

-- Goes with its table.
CREATE INDEX fresh_logins_by_code ON fresh_logins (appid, code_hash);

INSERT INTO recent_logins (user_id, session_id, appid, code_hash, idempotency_key, exchanged_at)
SELECT user_id, session_id, appid, code_hash, idempotency_key, exchanged_at FROM exchanges e
WHERE NOT EXISTS (SELECT 1 FROM fresh_logins f WHERE f.appid = e.appid AND f.code_hash = e.code_hash)
ORDER BY exchanged_at;

INSERT INTO recent_codes (run, code_hash, seq)
SELECT min((seq + 4095) / 4096 * 4096, (SELECT max(seq) FROM recent_logins)), code_hash, seq FROM recent_logins;

INSERT INTO recent_logins (user_id, session_id, appid, code_hash, idempotency_key, exchanged_at)
SELECT user_id, session_id, appid, code_hash, idempotency_key, exchanged_at FROM fresh_logins ORDER BY seq;

DROP TABLE exchanges;
DROP TABLE fresh_logins;
