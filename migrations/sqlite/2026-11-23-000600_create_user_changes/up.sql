-- Users of whom something changed that an access token may contradict: status, roles, their being there at all.
-- Kept for as long as a token from before could still be about; every node reads what is new here twice a second.
-- Ids rise with time. A row outlives its user, so it refers to none.
CREATE TABLE user_changes (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    at TIMESTAMP NOT NULL
) WITHOUT ROWID;
