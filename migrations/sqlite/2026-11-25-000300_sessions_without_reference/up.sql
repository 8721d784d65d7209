-- Sessions have no reference here since they lie in the order of time.
SELECT 1;
