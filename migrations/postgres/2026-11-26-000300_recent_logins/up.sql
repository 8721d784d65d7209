-- Only SQLite, which writes whole pages, keeps the codes of recent logins otherwise: see the migration of the same name.
SELECT 1;
