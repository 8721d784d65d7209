DROP TABLE exchanges;
DROP TABLE sessions;
