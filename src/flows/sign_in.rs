//! Sign-in: a code of `wx.login` becomes a session.
//!
//! WeChat decides who brought a code first. Whoever comes second is told "used" (40163), by WeChat or by our own
//! memory. Then the exchange record decides whether this request was *concurrent* or carries the same
//! `Idempotency-Key`, and gets the same session, or came too late.

use super::detached::detached;
use super::issue::{Issued, Issuer};
use super::last_logins::LastLogins;
use super::overlap::{Overlap, Overlaps};
use crate::actors::{Db, Exchange, ExchangeError, WeChat};
use crate::crypto::{MasterKeys, sha256_hex};
use crate::domain::{
    AppId, ClientInfo, Clock, CodeKey, IdempotencyKey, Lifetimes, LoginCode, SessionId, Time, UserId,
    UserStatus,
};
use crate::store::{FindExchange, FoundExchange, LiveSession, RecordSignIn, SignInRecord, StoreError};
use crate::tokens::{KeyError, Revocations};
use crate::wechat::WeChatError;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to wait for the record of a concurrent exchange: WeChat answered that request about when it answered
/// us. A user whose code is used waits as long to hear so.
const WAIT_FOR_RECORD: Duration = Duration::from_secs(2);

/// How far the clocks of two nodes may lie apart, which both keep to the shared one.
const CLOCK_DIFFERENCE_SECONDS: i64 = 1;

/// However much it is used, a session ends after a year, or after the refresh token lifetime if that is longer.
const SESSION_SECONDS: i64 = 365 * 24 * 3600;

const CODE_USED: ExchangeError = ExchangeError::WeChat(WeChatError::CodeUsed);

/// A login request.
#[derive(Debug)]
pub struct SignInRequest {
    /// The mini-program.
    pub app: AppId,
    /// The code of `wx.login`.
    pub code: LoginCode,
    /// Identifies a retry of the same login.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Where the request came from.
    pub client: ClientInfo,
}

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// The code was not exchanged.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An operator banned the user.
    #[error("the user is banned")]
    Banned,
    /// The access token could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The login panicked; nothing else is affected.
    #[error("the login crashed")]
    Crashed,
}

/// What a sign-in works with.
#[derive(Debug)]
pub struct SignInParts {
    /// Exchanges the codes.
    pub wechat: WeChat,
    /// Keeps the users and their sessions.
    pub db: Db,
    /// Issues the tokens.
    pub issuer: Issuer,
    /// Seal the session keys.
    pub master_keys: MasterKeys,
    /// How long a refresh token lives, and how long a retry gets the same session.
    pub lifetimes: Lifetimes,
    /// Sessions that a user may have at once; 0: unlimited.
    pub max_sessions: u32,
    /// Learn of the sessions that a login ends.
    pub revocations: Revocations,
    /// Learn when a user logs in.
    pub last_logins: LastLogins,
    /// The time.
    pub clock: Clock,
}

/// Signs users in. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct SignIn {
    parts: Arc<SignInParts>,
    overlaps: Overlaps,
}

impl SignIn {
    /// A sign-in with these parts.
    pub fn new(parts: SignInParts) -> Self {
        Self { parts: Arc::new(parts), overlaps: Overlaps::default() }
    }

    /// Exchanges the code, records the sign-in and issues the tokens. This very call begins the work, which
    /// finishes even if the caller goes away: a retry with the same `Idempotency-Key` then finds it done.
    pub fn sign_in(
        &self,
        request: SignInRequest,
    ) -> impl Future<Output = Result<Issued, SignInError>> + use<> {
        let SignIn { parts, overlaps } = self.clone();
        let id = request.client.request_id.clone();
        detached(async move { parts.sign_in(request, &overlaps).await }, SignInError::Crashed, id)
    }
}

/// A request for a code, and since when it has been waiting.
struct Waiting<'a> {
    key: CodeKey,
    idempotency_key: Option<&'a IdempotencyKey>,
    since: Time,
    overlap: Overlap,
}

impl SignInParts {
    async fn sign_in(&self, request: SignInRequest, overlaps: &Overlaps) -> Result<Issued, SignInError> {
        let SignInRequest { app, code, idempotency_key, client } = request;
        let key = CodeKey { app, code: code.hash() };
        let overlap = overlaps.enter(key.clone());
        let since = self.clock.now();
        let exchange = self.wechat.exchange(key.clone(), code, since).await;
        let waiting = Waiting { key, idempotency_key: idempotency_key.as_ref(), since, overlap };
        // Boxed: thousands may wait for WeChat at once, and need no space yet for what follows. Nor do those that then wait
        // for the database need space for a repeat, which is rare.
        Box::pin(self.record(waiting, exchange, client)).await
    }

    /// Records the exchange, or answers a request whose code was exchanged by another one.
    async fn record(
        &self,
        mut waiting: Waiting<'_>,
        exchange: Result<Exchange, ExchangeError>,
        client: ClientInfo,
    ) -> Result<Issued, SignInError> {
        let exchange = match exchange {
            Ok(exchange) => {
                waiting.overlap.note_exchange();
                exchange
            }
            Err(
                spent @ (ExchangeError::UsedLongAgo
                | ExchangeError::WeChat(WeChatError::CodeUsed | WeChatError::OutcomeUnknown)),
            ) => {
                return Box::pin(self.repeat(&mut waiting, spent)).await;
            }
            Err(error) => return Err(error.into()),
        };
        let (session, at, committed) = self.commit(&waiting, exchange, client);
        match committed.await? {
            SignInRecord::Opened { user, created, ended } => {
                self.revocations.add(ended.into_iter().map(|session| (session, user.last_login_at)));
                self.last_logins.note(&user.id, user.last_login_at);
                // Requests that this thread could read by now came before the answer: they get to overlap with it.
                tokio::task::yield_now().await;
                let issued = self.issuer.issue(user, at, &waiting.key.app, &session, 1)?;
                Ok(Issued { created, ..issued })
            }
            SignInRecord::Banned(_) => Err(SignInError::Banned),
            SignInRecord::Repeated => Box::pin(self.repeat(&mut waiting, CODE_USED)).await,
        }
    }

    /// Queues the record of an exchange. Not done by the one who awaits it, whose future would hold the record.
    fn commit(
        &self,
        waiting: &Waiting<'_>,
        exchange: Exchange,
        client: ClientInfo,
    ) -> (SessionId, Time, impl Future<Output = Result<SignInRecord, StoreError>> + use<>) {
        let record = self.record_of(waiting, exchange, client);
        (record.session.clone(), record.at, self.db.commit(record))
    }

    fn record_of(&self, waiting: &Waiting<'_>, exchange: Exchange, client: ClientInfo) -> RecordSignIn {
        let at = self.clock.now();
        let Exchange { exchanged, began_at } = exchange;
        let key = exchanged.session_key.expose().as_bytes();
        let row = RecordSignIn::seal_row(&waiting.key.app, &exchanged.openid);
        let ends_at = at.plus_seconds(SESSION_SECONDS.max(self.lifetimes.refresh));
        RecordSignIn {
            app: waiting.key.app.clone(),
            code: waiting.key.code,
            idempotency_key: waiting.idempotency_key.cloned(),
            session_key: self.master_keys.seal(&row, key),
            session_key_digest: sha256_hex(key),
            openid: exchanged.openid,
            unionid: exchanged.unionid,
            exchange_began: began_at,
            client,
            at,
            clock: self.clock.clone(),
            expires_at: at.plus_seconds(self.lifetimes.refresh),
            ends_at,
            new_user: UserId::generate(at),
            session: SessionId::generate(at),
            max_sessions: self.max_sessions,
        }
    }

    /// Answers a request whose code was exchanged by another one; if there is no such one, with `spent`.
    async fn repeat(&self, waiting: &mut Waiting<'_>, spent: ExchangeError) -> Result<Issued, SignInError> {
        let find = || FindExchange { key: waiting.key.clone(), at: self.clock.now() };
        let wait = if spent == ExchangeError::UsedLongAgo { Duration::ZERO } else { WAIT_FOR_RECORD };
        let began = Instant::now();
        let mut appeared = false;
        let mut pause = Duration::from_millis(10);
        let found = loop {
            if let Some(found) = self.db.run(find()).await? {
                break found;
            }
            let left = wait.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(spent.into());
            }
            appeared = true;
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(Duration::from_millis(500));
        };
        // A record from the future comes from a wrong clock and does not tell when the code was exchanged.
        let until_now = waiting.since..=self.clock.now().plus_seconds(CLOCK_DIFFERENCE_SECONDS);
        if appeared || until_now.contains(&found.exchanged_at) {
            waiting.overlap.note_exchange();
        } else if !self.is_replay(waiting, &found) && !is_concurrent(&mut waiting.overlap).await {
            return Err(CODE_USED.into());
        }
        let (user, session) = (found.user, found.session);
        match (user, session) {
            (Some(user), _) if user.status == UserStatus::Banned => Err(SignInError::Banned),
            (Some(mut user), Some(LiveSession { id, generation, opened_at, expires_at })) => {
                user.last_login_at = user.last_login_at.max(opened_at);
                let issued = self.issuer.issue(user, waiting.since, &waiting.key.app, &id, generation)?;
                let left = expires_at.unix() - self.clock.now().unix();
                Ok(Issued { refresh_expires_in: issued.refresh_expires_in.min(left.max(1)), ..issued })
            }
            _ => Err(CODE_USED.into()),
        }
    }

    /// Whether the request carries the key recorded with the login, within the replay window.
    fn is_replay(&self, waiting: &Waiting<'_>, found: &FoundExchange) -> bool {
        let same_key = match (waiting.idempotency_key, &found.idempotency_key) {
            (Some(given), Some(recorded)) => given.digest() == recorded,
            _ => false,
        };
        let window = self.lifetimes.replay;
        same_key && window > 0 && self.clock.now() <= found.exchanged_at.plus_seconds(window)
    }
}

/// Whether a request overlaps with a concurrent one. What becomes of the others in progress may have to be awaited:
/// they are all on their way here.
async fn is_concurrent(overlap: &mut Overlap) -> bool {
    let began = Instant::now();
    while !overlap.with_an_exchange() {
        if !overlap.may_still_join() || began.elapsed() > WAIT_FOR_RECORD {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    true
}
