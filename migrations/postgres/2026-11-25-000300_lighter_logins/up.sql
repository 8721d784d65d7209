-- A reference to `users` would look each login's user up once more. A sign-in holds its user until it is written down,
-- and a user's deletion ends their sessions itself.
ALTER TABLE sessions DROP CONSTRAINT sessions_user_id_fkey;
