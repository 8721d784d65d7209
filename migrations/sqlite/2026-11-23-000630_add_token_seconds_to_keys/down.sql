ALTER TABLE keys DROP COLUMN token_seconds;
