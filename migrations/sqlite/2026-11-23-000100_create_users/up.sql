-- One person. Everything personal in this row can be blanked; the id stays. `last_login_at` follows the newest
-- session within a second or two, so that a login need not write here.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('active', 'banned')),
    nickname TEXT,
    avatar_url TEXT,
    phone TEXT,
    phone_bound_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    last_login_at TIMESTAMP NOT NULL
) WITHOUT ROWID;

-- The roles that operators granted.
CREATE TABLE user_roles (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role TEXT NOT NULL,
    granted_at TIMESTAMP NOT NULL,
    PRIMARY KEY (user_id, role)
) WITHOUT ROWID;

-- A person as one mini-program knows them: an openid means nothing without its appid.
-- Session keys are sealed under the master key; the digest tells whether WeChat changed the key.
CREATE TABLE identities (
    appid TEXT NOT NULL,
    openid TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    unionid TEXT,
    session_key BLOB,
    session_key_digest TEXT,
    session_key_began_at TIMESTAMP NOT NULL,
    previous_session_key BLOB,
    previous_session_key_until TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    PRIMARY KEY (appid, openid)
) WITHOUT ROWID;

CREATE INDEX identities_of_user ON identities (user_id);
CREATE INDEX identities_of_unionid ON identities (unionid);
