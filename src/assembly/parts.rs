//! Opens the database, and builds the flows upon what is loaded from it.

use super::{Settings, StartError};
use crate::actors::{Db, DbSettings, REMEMBERED_CODES, WeChat};
use crate::config::DatabaseConfig;
use crate::domain::{Clock, CodeKey, DatabaseUrl, Lifetimes, Time};
use crate::flows::{
    ApiKeys, Background, FollowRevocations, Introspection, Issuer, KeyPolicy, LastLogins, LoginBrake,
    ServerKeys, Sessions, SignIn, SignInParts, TokenRevocation, Users, follow_keys, index_logins_forever,
    purge_forever,
};
use crate::http::HttpState;
use crate::store::{FindLatestCodes, Migrator, StoreError};
use crate::tokens::{Revocations, Verifier};
use crate::wechat::Client;
use std::cell::Cell;
use std::rc::Rc;
use tokio::task::spawn_blocking;

/// Reads that may wait for a connection and writes that may wait for a commit before `overloaded` is answered.
const WAITING_READS: usize = 4096;
const WAITING_WRITES: usize = 16_384;

/// What the flows are built from: the database, and what was loaded from it.
pub(super) struct Parts<'a> {
    settings: &'a Settings,
    lifetimes: Lifetimes,
    db: Db,
    clock: Clock,
    server_keys: ServerKeys,
    tokens: Verifier,
    news: FollowRevocations,
    /// When the news was read.
    heard: Time,
    pub(super) last_logins: LastLogins,
    /// Codes of logins before this start.
    spent_codes: Vec<CodeKey>,
}

impl<'a> Parts<'a> {
    /// Opens the database, and loads from it what is needed before the first request.
    pub(super) async fn load(settings: &'a Settings) -> Result<Self, StartError> {
        let Settings { database, master_keys, public_url, .. } = settings;
        let unreadable = |error| StartError::Database { url: database.url.to_string(), error };
        let (clock, lifetimes) = (Clock::system(), settings.tokens.lifetimes());
        let db = open_database(database).await.map_err(unreadable)?;
        let (key_db, policy) = (db.for_followers(), key_policy(settings));
        let server_keys =
            ServerKeys::new(key_db, master_keys.clone(), policy, public_url.clone(), clock.clone());
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
        let latest_codes = FindLatestCodes { limit: REMEMBERED_CODES as i64 };
        let spent_codes = db.run(latest_codes).await.map_err(unreadable)?;
        let last_logins = LastLogins::default();
        Ok(Self {
            settings,
            lifetimes,
            db,
            clock,
            server_keys,
            tokens,
            news,
            heard,
            last_logins,
            spent_codes,
        })
    }

    /// Builds the flows, for the handlers.
    pub(super) fn http_state(&self) -> Result<HttpState, StartError> {
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
            wechat: WeChat::start(client, wechat.apps.clone(), wechat.max_in_flight, &self.spent_codes),
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
    pub(super) fn run_in_background(&self, state: &HttpState) {
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

fn key_policy(settings: &Settings) -> KeyPolicy {
    KeyPolicy {
        algorithm: settings.keys.signing_algorithm,
        max_age: i64::from(settings.keys.max_age),
        access_ttl: settings.tokens.lifetimes().access,
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
