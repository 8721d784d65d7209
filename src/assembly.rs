//! Puts the parts together, from settings to something that can be mounted in an actix-web `App`.

use crate::actors::{Db, DbSettings, WeChat};
use crate::config::{Config, DatabaseConfig, KeyConfig, TokenConfig, WeChatConfig};
use crate::crypto::MasterKeys;
use crate::domain::{App, AppId, Cidr, Clock, DatabaseUrl, RolePolicy};
use crate::flows::{
    ApiKeys, Background, FollowRevocations, Introspection, Issuer, KeyPolicy, LastLogins, LoginBrake,
    Revoking, ServerKeys, Sessions, SignIn, SignInLimits, StartKeysError, TokenLifetimes, Users, follow_keys,
    index_logins_forever, purge_forever,
};
use crate::http::{HttpState, everything, extractor_state, observed};
use crate::store::{EmptyLog, Migrator, StoreError};
use crate::tokens::{Revocations, Verifier};
use crate::wechat::Client;
use actix_web::{Scope, web};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::task::spawn_blocking;

/// Reads that may wait for a connection and writes that may wait for a commit before `overloaded` is answered.
const WAITING_READS: usize = 4096;
const WAITING_WRITES: usize = 16_384;

/// Why weauth can't start. Each message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database can't be opened or migrated.
    #[error("DATABASE_URL: {url}: {error}")]
    Database {
        /// The database URL, without its password.
        url: String,
        /// The database's error.
        error: StoreError,
    },
    /// The server's own keys can't be loaded.
    #[error(transparent)]
    Keys(#[from] StartKeysError),
    /// The HTTP client can't be created.
    #[error("{0}")]
    Client(String),
}

/// What weauth is built from.
#[derive(Debug)]
pub struct Settings {
    /// Where the data is stored.
    pub database: DatabaseConfig,
    /// The mini-programs and WeChat's base URL.
    pub wechat: WeChatConfig,
    /// How long tokens live.
    pub tokens: TokenConfig,
    /// The algorithm and the maximum age of signing keys.
    pub keys: KeyConfig,
    /// The master keys that encrypt secrets in the database.
    pub master_keys: MasterKeys,
    /// Which permissions each role grants.
    pub roles: RolePolicy,
    /// Proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<Cidr>,
    /// Logins per minute from one address. 0 is unlimited; `None` is 60,000, and unlimited from loopback addresses.
    pub rate_limit: Option<u32>,
    /// The URL under which clients reach weauth (`iss`).
    pub public_url: String,
}

impl Settings {
    /// Takes the settings from a configuration. Without `WEAUTH_PUBLIC_URL`, the issuer is `http://` and the
    /// address that the server is bound to. What concerns only weauth's own server and log is ignored.
    pub fn new(config: Config, bound_to: SocketAddr) -> Self {
        let Config { database, wechat, server, tokens, keys, master_keys, roles, log: _ } = config;
        let public_url = server.public_url.unwrap_or_else(|| format!("http://{bound_to}"));
        let (trusted_proxies, rate_limit) = (server.trusted_proxies, server.rate_limit);
        Self { database, wechat, tokens, keys, master_keys, roles, trusted_proxies, rate_limit, public_url }
    }
}

/// A running weauth, with its actors started and its database migrated. Cheap to clone.
///
/// Start it on the thread of an actix `System` (`#[actix_web::main]` makes one); it lives as long as that
/// `System`. Start one for the whole program and give each `App` a clone:
///
/// ```
/// use actix_web::{App, web};
/// use weauth::{AuthenticatedUser, Weauth};
///
/// async fn my_notes(user: AuthenticatedUser) -> String {
///     format!("notes of {}", user.id)
/// }
///
/// fn mount(weauth: &Weauth, cfg: &mut web::ServiceConfig) {
///     weauth.extractor(cfg);
///     cfg.service(weauth.scope("/auth"));
///     cfg.route("/notes", web::get().to(my_notes));
/// }
/// ```
///
/// `examples/embed.rs` is a complete program.
#[derive(Debug, Clone)]
pub struct Weauth {
    state: HttpState,
    last_logins: LastLogins,
}

impl Weauth {
    /// Applies pending migrations, loads the keys and starts the actors.
    ///
    /// # Panics
    /// Outside of an actix `System` and of a tokio `LocalSet`, as under `#[tokio::main]`.
    pub async fn start(settings: Settings) -> Result<Self, StartError> {
        let Settings { database, wechat, tokens, keys, master_keys, roles, .. } = settings;
        let (trusted_proxies, rate_limit, public_url) =
            (settings.trusted_proxies, settings.rate_limit, settings.public_url);
        let clock = Clock::system();
        let unreadable = |error| StartError::Database { url: database.url.to_string(), error };
        let db = open_database(&database).await.map_err(unreadable)?;
        let access_ttl = i64::from(tokens.access_ttl);
        let policy =
            KeyPolicy { algorithm: keys.signing_algorithm, max_age: i64::from(keys.max_age), access_ttl };
        let server_keys = ServerKeys::new(db.aside(), master_keys.clone(), policy, public_url, clock.clone());
        let keys = server_keys.start().await?;
        let apps: Vec<AppId> = wechat.apps.iter().map(|app: &App| app.id.clone()).collect();
        let revocations = Revocations::default();
        let follow = FollowRevocations {
            db: db.aside(),
            revocations: revocations.clone(),
            roles: roles.clone(),
            clock: clock.clone(),
            access_ttl,
        };
        let heard = follow.load().await.map_err(unreadable)?;
        let verifier = Verifier::new(keys, apps.clone(), revocations.clone(), access_ttl, clock.clone());
        let last_logins = LastLogins::default();
        let users = Users::new(db.clone(), clock.clone(), roles, last_logins.clone());
        let lifetimes = TokenLifetimes { access: access_ttl, refresh: i64::from(tokens.refresh_ttl) };
        let issuer = Issuer::new(users.clone(), verifier.clone(), lifetimes, clock.clone());
        let grace = i64::from(tokens.refresh_grace);
        let sessions = Sessions::new(db.clone(), issuer.clone(), revocations.clone(), grace, clock.clone());
        let introspection = Introspection::new(db.clone(), verifier.clone(), grace, clock.clone());
        let revoking = Revoking::new(db.clone(), verifier.clone(), revocations.clone(), clock.clone());
        let api_keys = ApiKeys::new(db.aside(), clock.clone());
        let client = Client::new(&wechat.api_base).map_err(StartError::Client)?;
        let wechat = WeChat::start(client, wechat.apps, wechat.max_in_flight);
        let replay_window = i64::from(tokens.replay_window);
        let noted = last_logins.clone();
        let limits = SignInLimits { replay_window, max_sessions: tokens.max_sessions };
        let sign_in =
            SignIn::new(wechat, db.clone(), issuer, master_keys, limits, revocations, noted, clock.clone());
        let background = Background::default();
        let heard = Rc::new(Cell::new(heard));
        background.run("hearing of what ended elsewhere", move || follow.clone().follow(heard.clone()));
        let (following, keys) = (verifier.clone(), server_keys);
        background.run("following the signing keys", move || follow_keys(keys.clone(), following.clone()));
        let following = api_keys.clone();
        background.run("following the API keys", move || following.clone().follow_forever());
        let (noting, at) = (last_logins.clone(), db.clone());
        background.run("noting last logins", move || noting.clone().write_forever(at.clone()));
        if matches!(database.url, DatabaseUrl::Sqlite(_)) {
            let at = db.clone();
            background.run("indexing logins", move || index_logins_forever(at.clone()));
        }
        let (at, purging) = (db.clone(), clock.clone());
        background
            .run("purging", move || purge_forever(at.clone(), purging.clone(), replay_window, access_ttl));
        let state = HttpState {
            sign_in,
            sessions,
            users,
            introspection,
            revoking,
            api_keys,
            tokens: verifier,
            db,
            apps,
            trusted_proxies: trusted_proxies.into(),
            login_brake: LoginBrake::new(rate_limit, clock.clone()),
            background,
        };
        Ok(Self { state, last_logins })
    }

    /// Makes the extractor [`AuthenticatedUser`](crate::AuthenticatedUser) work in an `App`'s own handlers.
    pub fn extractor(&self, cfg: &mut web::ServiceConfig) {
        extractor_state(&self.state, cfg);
    }

    /// All of weauth's routes, under a path of your own such as `/auth`. The rest of the `App` is not affected: an
    /// unknown path gets weauth's problem object within the scope, and the `App`'s own answer elsewhere.
    pub fn scope(
        &self,
        path: &str,
    ) -> Scope<
        impl actix_web::dev::ServiceFactory<
            actix_web::dev::ServiceRequest,
            Config = (),
            Response = actix_web::dev::ServiceResponse,
            Error = actix_web::Error,
            InitError = (),
        > + use<>,
    > {
        let state = self.state.clone();
        observed(web::scope(path).configure(move |cfg| everything(&state, cfg)))
    }

    /// Stops the background tasks, writes the last-login times still in memory, and checkpoints SQLite's WAL, so
    /// that the database file is complete by itself. Call it when no more requests arrive.
    pub async fn finish(&self) {
        self.state.background.stop();
        if let Err(error) = self.last_logins.write(&self.state.db).await {
            log::warn!("last logins could not be noted: {error}");
        }
        if let Err(error) = self.state.db.run(EmptyLog).await {
            log::warn!("the write-ahead log was not carried over: {error}");
        }
    }

    /// The state that weauth's own server uses.
    pub(crate) fn http_state(&self) -> HttpState {
        self.state.clone()
    }
}

/// Applies pending migrations and opens the database. Another process may be migrating, so this may take a minute, in
/// which the thread does other work.
async fn open_database(database: &DatabaseConfig) -> Result<Db, StoreError> {
    if database.url.may_be_in_clear() {
        log::warn!(
            "DATABASE_URL: {} is on another machine, and its connection may be without encryption: add \
             ?sslmode=verify-full, or sslmode=disable where it needs none",
            database.url
        );
    }
    let url = database.url.clone();
    let applied = spawn_blocking(move || Migrator::connect(&url)?.apply_pending()).await;
    for name in applied.unwrap_or(Err(StoreError::Crashed))? {
        log::info!("applied migration {name}");
    }
    let settings = DbSettings {
        readers: database.connections.max(1),
        waiting_reads: WAITING_READS,
        waiting_writes: WAITING_WRITES,
    };
    Db::start(&database.url, settings).await
}
