-- A session is found by its id, which rises with time, and by its user. (SQLite writes whole pages, so there the
-- second index is kept otherwise: see the migration of the same name.)
ALTER TABLE sessions DROP CONSTRAINT sessions_pkey;
ALTER TABLE sessions ADD PRIMARY KEY (id);
CREATE INDEX sessions_of_user ON sessions (user_id);
