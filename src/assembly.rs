//! Puts the parts together, from settings to something that can be mounted in an actix-web `App`.

use crate::actors::{Db, DbSettings, WeChat};
use crate::config::{Config, DatabaseConfig, KeyConfig, TokenConfig, WeChatConfig};
use crate::crypto::MasterKeys;
use crate::domain::{AppId, Cidr, Clock, DatabaseUrl, Lifetimes, RolePolicy, Time};
use crate::flows::{
    ApiKeys, Background, FollowRevocations, Introspection, Issuer, KeyPolicy, LastLogins, LoginBrake,
    ServerKeys, Sessions, SignIn, SignInParts, StartKeysError, TokenRevocation, Users, follow_keys,
    index_logins_forever, purge_forever,
};
use crate::http::{HttpState, extractor_state, routes, with_access_log};
use crate::store::{Migrator, StoreError, TruncateWal};
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

    fn app_ids(&self) -> Vec<AppId> {
        self.wechat.apps.iter().map(|app| app.id.clone()).collect()
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
        let parts = Parts::load(&settings).await?;
        let state = parts.http_state()?;
        parts.run_in_background(&state);
        Ok(Self { state, last_logins: parts.last_logins })
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
        with_access_log(web::scope(path).configure(move |cfg| routes(&state, cfg)))
    }

    /// Stops the background tasks, writes the last-login times still in memory, and checkpoints SQLite's WAL, so
    /// that the database file is complete by itself. Call it when no more requests arrive.
    pub async fn finish(&self) {
        self.state.background.stop();
        if let Err(error) = self.last_logins.write(&self.state.db).await {
            log::warn!("the last logins could not be written: {error}");
        }
        if let Err(error) = self.state.db.run(TruncateWal).await {
            log::warn!("the write-ahead log could not be checkpointed: {error}");
        }
    }

    /// The state that weauth's own server uses.
    pub(crate) fn http_state(&self) -> HttpState {
        self.state.clone()
    }
}

/// What the flows are built from: the database, and what was loaded from it.
struct Parts<'a> {
    settings: &'a Settings,
    lifetimes: Lifetimes,
    db: Db,
    clock: Clock,
    server_keys: ServerKeys,
    tokens: Verifier,
    news: FollowRevocations,
    /// When the news was read.
    heard: Time,
    last_logins: LastLogins,
}

impl<'a> Parts<'a> {
    /// Opens the database, and loads from it what is needed before the first request.
    async fn load(settings: &'a Settings) -> Result<Self, StartError> {
        let Settings { database, master_keys, public_url, .. } = settings;
        let unreadable = |error| StartError::Database { url: database.url.to_string(), error };
        let (clock, lifetimes) = (Clock::system(), settings.tokens.lifetimes());
        let db = open_database(database).await.map_err(unreadable)?;
        let policy = KeyPolicy {
            algorithm: settings.keys.signing_algorithm,
            max_age: i64::from(settings.keys.max_age),
            access_ttl: lifetimes.access,
        };
        let server_keys = ServerKeys::new(
            db.for_followers(),
            master_keys.clone(),
            policy,
            public_url.clone(),
            clock.clone(),
        );
        let keys = server_keys.start().await?;
        let revocations = Revocations::default();
        let news = FollowRevocations {
            db: db.for_followers(),
            revocations: revocations.clone(),
            roles: settings.roles.clone(),
            clock: clock.clone(),
            access_ttl: lifetimes.access,
        };
        let heard = news.load().await.map_err(unreadable)?;
        let tokens = Verifier::new(keys, settings.app_ids(), revocations, lifetimes.access, clock.clone());
        let last_logins = LastLogins::default();
        Ok(Self { settings, lifetimes, db, clock, server_keys, tokens, news, heard, last_logins })
    }

    /// Builds the flows, for the handlers.
    fn http_state(&self) -> Result<HttpState, StartError> {
        let Self { settings, lifetimes, db, clock, tokens, last_logins, .. } = self;
        let users = Users::new(db.clone(), clock.clone(), settings.roles.clone(), last_logins.clone());
        let issuer = Issuer::new(users.clone(), tokens.clone(), *lifetimes, clock.clone());
        let sessions = Sessions {
            db: db.clone(),
            tokens: tokens.clone(),
            users: users.clone(),
            issuer: issuer.clone(),
            lifetimes: *lifetimes,
            revocations: self.news.revocations.clone(),
            clock: clock.clone(),
        };
        Ok(HttpState {
            sign_in: self.sign_in(issuer)?,
            token_revocation: TokenRevocation::new(tokens.clone(), sessions.clone()),
            sessions,
            users,
            introspection: Introspection::new(db.clone(), tokens.clone(), *lifetimes, clock.clone()),
            api_keys: ApiKeys::new(db.for_followers(), clock.clone()),
            tokens: tokens.clone(),
            db: db.clone(),
            trusted_proxies: settings.trusted_proxies.clone().into(),
            login_brake: LoginBrake::new(settings.rate_limit, clock.clone()),
            background: Background::default(),
        })
    }

    fn sign_in(&self, issuer: Issuer) -> Result<SignIn, StartError> {
        let wechat = &self.settings.wechat;
        let client = Client::new(&wechat.api_base).map_err(StartError::Client)?;
        Ok(SignIn::new(SignInParts {
            wechat: WeChat::start(client, wechat.apps.clone(), wechat.max_in_flight),
            db: self.db.clone(),
            issuer,
            master_keys: self.settings.master_keys.clone(),
            lifetimes: self.lifetimes,
            max_sessions: self.settings.tokens.max_sessions,
            revocations: self.news.revocations.clone(),
            last_logins: self.last_logins.clone(),
            clock: self.clock.clone(),
        }))
    }

    /// Begins to follow the other nodes, and to do what is left to do after the requests.
    fn run_in_background(&self, state: &HttpState) {
        let (background, db) = (&state.background, &self.db);
        let news = (self.news.clone(), Rc::new(Cell::new(self.heard)));
        background.run("session follower", news, |(news, heard)| news.follow(heard));
        let keys = (self.server_keys.clone(), self.tokens.clone());
        background.run("signing-key follower", keys, |(keys, tokens)| follow_keys(keys, tokens));
        background.run("API-key follower", state.api_keys.clone(), ApiKeys::follow_forever);
        let logins = (self.last_logins.clone(), db.clone());
        background.run("last-login writer", logins, |(logins, db)| logins.write_forever(db));
        if matches!(self.settings.database.url, DatabaseUrl::Sqlite(_)) {
            background.run("login indexer", db.clone(), index_logins_forever);
        }
        let purging = (db.clone(), self.clock.clone(), self.lifetimes);
        background.run("purger", purging, |(db, clock, kept)| purge_forever(db, clock, kept));
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
