//! weauth is a login server for WeChat mini-programs. A mini-program sends the code of `wx.login`; weauth
//! exchanges it at WeChat, stores the user, and issues tokens that any backend can verify. To mount its routes in
//! your own actix-web `App`, see [`Weauth`] and `examples/embed.rs`; what is exported here serves that. The
//! program is in `cli`.
//!
//! # The parts
//!
//! ```text
//! main → cli → assembly → http → flows → actors → wechat ─┐
//!         │                 │      │        └───→ store  ─┤
//!         │                 ├──────┴────→ tokens ─────────┼→ domain → crypto
//!         └────→ config ──────────────────────────────────┘
//! ```
//!
//! | part | what it holds | the only part that names |
//! |---|---|---|
//! | `domain` | the vocabulary, each concept a type that holds only valid values; no I/O | – |
//! | `crypto` | master key, digests, MACs, key pairs, random bytes | aws-lc-rs |
//! | `wechat` | the client for WeChat, its wire format, its crypto, and a WeChat simulator | reqwest |
//! | `store` | rows, queries, migrations, group commit; SQLite or Postgres, chosen by the URL | diesel |
//! | `tokens` | signing keys, access tokens, their verification | jsonwebtoken |
//! | `actors` | `WeChatActor` and `DbActor`, behind the handles `WeChat` and `Db` | actix |
//! | `flows` | the use cases, step by step: sign-in, refresh, ending sessions, key lifecycle, purge | – |
//! | `http` | the route table, extractors, the error table, the demo page | actix-web |
//! | `config` | settings from file and environment, read once into small structs | toml |
//! | `cli` | one file per subcommand; logging | clap, env_logger |
//! | `shared` | a leaf: locks, sharded maps and bounded caches for data that many requests share | – |
//! | `assembly` | puts the parts together: [`Settings`] in, [`Weauth`] out | – |
//!
//! **The import rule:** a part uses only the parts that its arrows lead to, directly or through others. So
//! `wechat` and `store` do not know each other, and only `assembly` and `cli` know `config` and `http`.
//! `tests/architecture.rs` enforces this. (Three more places name actix-web: `assembly`, whose routes are mounted
//! in an `App`; `cli`, which runs the server; and the simulator, which serves WeChat's HTTP rather than ours.)
//!
//! # One login, through the files
//!
//! 1. `http/access.rs`, `AccessMiddleware::call`: the request gets its id; a request head over 16 KiB is refused
//!    here.
//! 2. `http/fields.rs`, `Fields::from_request`: reads the body, JSON or form, at most 64 KiB within 10 seconds.
//! 3. `http/login.rs`, `login`: parses code, appid and `Idempotency-Key` into domain types; all invalid fields are
//!    reported at once.
//! 4. `flows/sign_in.rs`, `SignIn::sign_in`: continues in a task of its own, which finishes even if the caller
//!    hangs up; `overlap.rs` records which requests overlap.
//! 5. `actors/wechat.rs`, `WeChat::exchange`: joins the exchange in flight for the same code, or is admitted (code
//!    not spent, capacity left, circuit closed) and starts one; `ExchangeEnded` delivers the result to everyone
//!    waiting.
//! 6. `wechat/client.rs`, `Client::exchange`: calls WeChat, retrying on `-1`, within five seconds in all;
//!    `wire.rs` parses the answer, `error.rs` interprets the errcode.
//! 7. `flows/sign_in.rs`, `record_of`: seals the session key with `crypto/master_key.rs`.
//! 8. `actors/db.rs`, `Db::commit` → `store/group_commit.rs`: the write is queued, committed in one transaction
//!    with the others waiting, and answered once it is durable.
//! 9. `store/sign_in/`, `RecordSignIn`: finds or creates the user, stores the session key, opens a session, and
//!    records which session the code became. On SQLite, `flows/index_logins.rs` updates the costly indexes some
//!    seconds later, many logins at a time (`store/recent_logins.rs`).
//! 10. `flows/issue.rs`, then `tokens/key_ring.rs`, `KeyRing::issue`: signs the access token with the current
//!     signing key.
//! 11. `http/token_view.rs`, `render`: builds the response. `http/access.rs`, `finish`: adds the request id;
//!     `access_log.rs`: writes one log line.
//!
//! If WeChat, or our own memory, reports the code as used, `repeat` takes the place of step 7: from the record of
//! the first exchange it decides whether this request was concurrent or carries the same `Idempotency-Key`. If so,
//! it gets the same session; otherwise it fails with `wechat_code_used`. An error at any step keeps its own type
//! (`WeChatError`, `StoreError`) until `http/problem/mapping.rs` turns it into a [`Problem`]; only
//! `http/problem/code.rs` chooses statuses.
//!
//! A request with a token is shorter: [`AuthenticatedUser`] → `Verifier::verify`, where a token that this worker
//! has seen before costs a hash look-up instead of a signature check. Whether its session has ended or its user
//! has changed is looked up in memory (`Revocations`), which `flows/follow_revocations.rs` keeps in step with the
//! other nodes and the terminal. Whatever makes such a change (`store/user_status.rs`, `user_roles.rs`,
//! `user_deletion.rs`, `sessions.rs`) announces it in the same transaction. `flows/follow_keys.rs` does the same
//! for the keys: every node publishes a new key before it signs. A backend's API key is also looked up in memory
//! (`http/api_key.rs`, `flows/api_keys.rs`). `GET /verify` is nothing but such a request: a proxy makes it for a
//! backend that can't verify tokens itself.
//!
//! `POST /token` offers the same login and refresh to standard OAuth clients: `http/token.rs` reads its form and
//! calls the same flows, and `http/problem/oauth.rs` translates a [`Problem`] into an OAuth error.
//!
//! # What is deliberately absent
//!
//! - **No lock or round trip for "one code, one exchange".** WeChat decides who came first.
//! - **No work in an actor's `handle`, and no reliance on mailboxes:** mailboxes bound nothing. Actors only start
//!   tasks, and refuse excess work with errors of their own; every queue has an explicit bound in the code.
//! - **No `SyncArbiter`, `Supervisor` or `do_send`:** the first two do not survive a panic as one would expect,
//!   the third drops errors. A panic costs only the login that it happened in.
//! - **No WeChat access token in the login path:** the exchange does not need one.
//! - **No session key, AppSecret, token or whole code in a response or a log line.** The types that hold them hide
//!   them in `Debug`.
//! - **No cookies, no redirects, no PATCH:** `wx.request` has no use for them.
//! - **No second crypto library** except `aes` and `cbc`, for WeChat's own formats. **No `unsafe`. No global
//!   state** except the logger and per-thread caches.

mod actors;
mod assembly;
mod cli;
mod config;
mod crypto;
mod domain;
mod flows;
mod http;
mod shared;
mod store;
mod tokens;
mod wechat;

pub use assembly::{Settings, StartError, Weauth};
#[doc(hidden)] // For src/main.rs alone.
pub use cli::main;
pub use config::{
    Config, DatabaseConfig, KeyConfig, LogConfig, LogFormat, Mistake, Mistakes, ServerConfig, Sources,
    TokenConfig, WeChatConfig,
};
pub use crypto::{InvalidMasterKey, KeyError, MasterKeys, SigningAlgorithm, UnknownAlgorithm};
pub use domain::{
    App, AppId, AppSecret, Cidr, DatabaseUrl, InvalidApp, InvalidCidr, InvalidDatabaseUrl, InvalidTime,
    Permission, Role, RolePolicy, SessionId, Time, UserId,
};
pub use flows::StartKeysError;
pub use http::AuthenticatedUser;
pub use http::problem::{Detail, ErrorCode, FieldMistake, Problem, Retry};
pub use store::StoreError;
pub use tokens::Principal;
