DROP INDEX users_by_phone;
DROP INDEX users_by_nickname;
DROP INDEX users_by_creation;
