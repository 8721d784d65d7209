-- Sessions that expire in time are good for earlier versions, too.
SELECT 1;
