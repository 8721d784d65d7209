-- Sessions that were ended before their time, for as long as an access token of theirs could still be about.
-- Every node reads what is new here twice a second. Ids rise with time.
CREATE TABLE revocations (
    id TEXT NOT NULL PRIMARY KEY,
    session_id TEXT NOT NULL,
    at TIMESTAMP NOT NULL
);
