ALTER TABLE sessions DROP COLUMN burst_began_at;
ALTER TABLE sessions DROP COLUMN burst_generation;
