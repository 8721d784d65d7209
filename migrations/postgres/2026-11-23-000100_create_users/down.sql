DROP TABLE identities;
DROP TABLE user_roles;
DROP TABLE users;
