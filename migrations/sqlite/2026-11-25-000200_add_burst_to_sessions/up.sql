-- Refreshes that come in a burst: the first generation that was replaced in it, and when. All from that one on
-- were replaced no longer ago.
ALTER TABLE sessions ADD COLUMN burst_generation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN burst_began_at TIMESTAMP;
