// @generated automatically by Diesel CLI.

diesel::table! {
    api_keys (hash) {
        hash -> Text,
        name -> Text,
        hint -> Text,
        scopes -> Text,
        created_at -> Timestamp,
        last_used_at -> Nullable<Timestamp>,
        revoked_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    audit (id) {
        id -> Text,
        at -> Timestamp,
        actor -> Text,
        action -> Text,
        target -> Nullable<Text>,
        ip -> Nullable<Text>,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    identities (appid, openid) {
        appid -> Text,
        openid -> Text,
        user_id -> Text,
        unionid -> Nullable<Text>,
        session_key -> Nullable<Binary>,
        session_key_digest -> Nullable<Text>,
        session_key_began_at -> Timestamp,
        previous_session_key -> Nullable<Binary>,
        previous_session_key_until -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    keys (id) {
        id -> Text,
        purpose -> Text,
        algorithm -> Text,
        sealed -> Binary,
        created_at -> Timestamp,
        active_from -> Timestamp,
        retired_at -> Nullable<Timestamp>,
        token_seconds -> BigInt,
    }
}

diesel::table! {
    recent_codes (run, code_hash, seq) {
        run -> BigInt,
        code_hash -> Text,
        seq -> BigInt,
    }
}

diesel::table! {
    recent_logins (seq) {
        seq -> BigInt,
        user_id -> Text,
        session_id -> Text,
        appid -> Text,
        code_hash -> Text,
        idempotency_key -> Nullable<Text>,
        exchanged_at -> Timestamp,
    }
}

diesel::table! {
    revocations (id) {
        id -> Text,
        session_id -> Text,
        at -> Timestamp,
    }
}

diesel::table! {
    sessions (id) {
        id -> Text,
        user_id -> Text,
        appid -> Text,
        openid -> Text,
        generation -> Integer,
        rotated_at -> Timestamp,
        created_at -> Timestamp,
        last_used_at -> Timestamp,
        expires_at -> Timestamp,
        ends_at -> Timestamp,
        ip -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        burst_generation -> Integer,
        burst_began_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    user_changes (id) {
        id -> Text,
        user_id -> Text,
        at -> Timestamp,
    }
}

diesel::table! {
    user_roles (user_id, role) {
        user_id -> Text,
        role -> Text,
        granted_at -> Timestamp,
    }
}

diesel::table! {
    user_sessions (user_id, session_id) {
        user_id -> Text,
        session_id -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> Text,
        status -> Text,
        nickname -> Nullable<Text>,
        avatar_url -> Nullable<Text>,
        phone -> Nullable<Text>,
        phone_bound_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
        last_login_at -> Timestamp,
    }
}

diesel::joinable!(identities -> users (user_id));
diesel::joinable!(user_roles -> users (user_id));

diesel::allow_tables_to_appear_in_same_query!(
    api_keys,
    audit,
    identities,
    keys,
    recent_codes,
    recent_logins,
    revocations,
    sessions,
    user_changes,
    user_roles,
    user_sessions,
    users,
);
