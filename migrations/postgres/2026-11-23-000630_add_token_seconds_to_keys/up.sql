-- The longest life, in seconds, of a token that any node signs with the key: so long it must verify after its
-- successor has begun.
ALTER TABLE keys ADD COLUMN token_seconds BIGINT NOT NULL DEFAULT 0;
