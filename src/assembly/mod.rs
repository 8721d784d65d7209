//! Puts the parts together, from settings to something that can be mounted in an actix-web `App`.

mod parts;

use crate::config::{Config, DatabaseConfig, KeyConfig, TokenConfig, WeChatConfig};
use crate::crypto::MasterKeys;
use crate::domain::{AppId, Cidr, RolePolicy};
use crate::flows::{LastLogins, StartKeysError};
use crate::http::{HttpState, extractor_state, routes, with_access_log};
use crate::store::{StoreError, TruncateWal};
use actix_web::{Scope, web};
use parts::Parts;
use std::net::SocketAddr;

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
