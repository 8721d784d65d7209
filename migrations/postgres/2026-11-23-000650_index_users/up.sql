-- For the list of users. Only a user's first login pays for these, with one entry at the end of the first index:
-- no other login changes a column of theirs. `last_login_at` changes at every login and has none for that reason;
-- a list in that order reads the table. `text_pattern_ops` makes a search by prefix work in every locale.
CREATE INDEX users_by_creation ON users (created_at, id);
CREATE INDEX users_by_nickname ON users (nickname text_pattern_ops) WHERE nickname IS NOT NULL;
CREATE INDEX users_by_phone ON users (phone) WHERE phone IS NOT NULL;
