//! weauth: login for WeChat mini-programs. A mini-program brings the code of `wx.login`; weauth exchanges it
//! at WeChat, keeps the user, and hands out tokens that any backend can verify. The program is in [`cli`];
//! to mount the same routes in an actix-web `App` of your own, see [`Weauth`] and `examples/embed.rs`.
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
//! | part | what it holds | the only one that names |
//! |---|---|---|
//! | [`domain`] | the words of the trade, each a type that only holds valid values; no I/O | – |
//! | [`crypto`] | master key, digests, MACs, key pairs, random bytes | aws-lc-rs |
//! | [`wechat`] | WeChat's client, its words on the wire, its crypto, and a simulator of it | reqwest |
//! | [`store`] | rows, queries, migrations, group commit; SQLite or Postgres by the URL | diesel |
//! | [`tokens`] | signing keys, access tokens, their verification | jsonwebtoken |
//! | [`actors`] | `WeChatActor` and `DbActor`, behind the handles `WeChat` and `Db` | actix |
//! | [`flows`] | what the product does, in order: sign-in, refresh, endings, the life of keys, purge | – |
//! | [`http`] | the route table, extractors, the table of errors, the demo page | actix-web |
//! | [`config`] | settings from file and environment, read once into small structs | toml |
//! | [`cli`] | one file a subcommand; the log | clap, env_logger |
//! | `sharded` | a leaf: maps and locks for what every request looks at | – |
//! | `assembly` | puts the parts together: [`Settings`] in, [`Weauth`] out | – |
//!
//! **The import rule:** a part uses only parts that the arrows lead to from it, be it over others. So [`wechat`]
//! and [`store`] do not know each other, and only `assembly` and [`cli`] know [`config`] and [`http`].
//! (actix-web is named in three places more, for what they are: `assembly`, whose routes are mounted in an
//! `App`, [`cli`], which runs the server, and the simulator, which is WeChat's HTTP and not ours.)
//!
//! # One login, through the files
//!
//! 1. `http/access.rs`, `Observed::call`: the request gets its id; a head over 16 KiB ends here.
//! 2. `http/fields.rs`, `Fields::from_request`: the body, JSON or form, at most 64 KiB within 10 seconds.
//! 3. `http/login.rs`, `login`: parses code, appid and `Idempotency-Key` into domain types; all that is wrong
//!    is answered at once.
//! 4. `flows/sign_in.rs`, [`SignIn::sign_in`](flows::SignIn::sign_in): goes on in a task of its own, which
//!    finishes also when the caller hangs up; notes in `overlap.rs` which requests overlap.
//! 5. `actors/wechat.rs`, [`WeChat::exchange`](actors::WeChat::exchange): joins the exchange under way for the
//!    same code, or is admitted (code not spent, room left, circuit closed) and starts one; `Landed` tells
//!    everybody who waits.
//! 6. `wechat/client.rs`, [`Client::exchange`](wechat::Client::exchange): asks WeChat, again on `-1`, five
//!    seconds in all; `wire.rs` reads the answer, `error.rs` says what an errcode means.
//! 7. `flows/sign_in.rs`, `record_of`: seals the session key with `crypto/master_key.rs`.
//! 8. `actors/db.rs`, [`Db::commit`](actors::Db::commit) → `store/group_commit.rs`: queued, and committed with
//!    whatever else waits; answered once it is durable.
//! 9. `store/sign_in/`, [`RecordSignIn`](store::RecordSignIn): finds or makes the user, keeps the key, opens a
//!    session, records which session the code became. What an index of SQLite would cost it, it leaves to
//!    `flows/index_logins.rs`, a second later and many at a time (`store/fresh_logins.rs`).
//! 10. `flows/issue.rs`, then `tokens/key_ring.rs`, [`KeyRing::issue`](tokens::KeyRing::issue): signs the access
//!     token with the key whose turn it is.
//! 11. `http/token_view.rs`, `render`: the answer. `http/access.rs`, `finish`: its id;
//!     `access_log.rs`: one line in the log.
//!
//! A code that WeChat, or our own memory, calls used takes `repeat` in step 7 instead: the record of the first
//! exchange decides whether the request came at the same time, or with the same `Idempotency-Key`, and is
//! given the same session; else it is `wechat_code_used`. An error on any step keeps the words of its own
//! trade ([`WeChatError`](wechat::WeChatError), [`StoreError`](store::StoreError)) until
//! `http/problem/mapping.rs` makes it a [`Problem`]; `http/problem/code.rs` alone chooses statuses.
//!
//! A call with a token is shorter: [`AuthenticatedUser`] → [`Verifier::verify`](tokens::Verifier::verify),
//! where a token that the worker has seen before costs a hash look-up and no signature; that its session has
//! not ended, and that nothing changed about its user, is looked up in memory
//! ([`Revocations`](tokens::Revocations)), which `flows/follow_revocations.rs` keeps true to the other nodes and
//! the terminal. What changes there (`store/user_status.rs`, `user_roles.rs`, `user_deletion.rs`, `sessions.rs`)
//! leaves word in the transaction of the change itself. `flows/follow_keys.rs` does the same for the keys: every
//! node publishes a new one before it signs. A backend's API key is looked up in memory likewise
//! (`http/api_key.rs`, `flows/api_keys.rs`). `GET /verify` is such a call and nothing else: a proxy makes it for a
//! backend that can't.
//!
//! `POST /token` is a second face of the login and the refresh, for standard OAuth clients: `http/token.rs`
//! reads its form and calls the same flows, and `http/problem/oauth.rs` tells a [`Problem`] in OAuth's words.
//!
//! # What is deliberately absent
//!
//! - **No lock or round trip for "one code, one exchange".** WeChat is the arbiter of who came first.
//! - **No work in an actor's `handle`, and no reliance on mailboxes:** they bound nothing. Actors start tasks
//!   and refuse in their own words; every queue has a bound that stands in the code.
//! - **No `SyncArbiter`, `Supervisor` or `do_send`:** the first two do not survive a panic as one would
//!   think, the third drops errors. A panic costs the one login that it happened in.
//! - **No WeChat access token on the way of a login:** the exchange does not need it.
//! - **No session key, AppSecret, token or whole code in an answer or a log line.** The types that hold them
//!   show nothing in `Debug`.
//! - **No cookies, no redirects, no PATCH:** `wx.request` has no use for them.
//! - **No second crypto library** but `aes` and `cbc`, for WeChat's own formats. **No `unsafe`. No global state**
//!   but the logger and what a thread remembers.

pub mod actors;
mod assembly;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod flows;
pub mod http;
mod sharded;
pub mod store;
pub mod tokens;
pub mod wechat;
pub use assembly::{Settings, StartError, Weauth};
pub use config::Config;
pub use http::AuthenticatedUser;
pub use http::problem::Problem;
