-- No session expires later than it ends, so that whoever asks whether it has ended looks at one column.
UPDATE sessions SET expires_at = ends_at WHERE expires_at > ends_at;
