//! Is this token ours, whole, and still good?

use super::claims::{ACCESS_TOKEN_TYPE, IncomingClaims};
use super::memory::Remembered;
use super::{KeyRing, Principal, Revocations, StandingState, TokenMemory};
use crate::domain::{AppId, Clock};
use jsonwebtoken::{Validation, decode, decode_header};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// No token of ours is longer: it would not fit into the head of a request.
const MAX_TOKEN: usize = 16 * 1024;

/// Seconds by which another machine's clock may differ from ours.
const LEEWAY: i64 = 5;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: malformed, forged, of another issuer or kind.
    #[error("the access token is not valid")]
    Invalid,
    /// Ours, but its time is over.
    #[error("the access token has expired")]
    Expired,
    /// Ours, but its session has ended, or its user was deleted.
    #[error("the session of the access token has ended")]
    Revoked,
    /// Ours, but an operator barred its user since.
    #[error("the user of the access token is banned")]
    Banned,
}

/// Verifies access tokens against the key ring. Cheap to clone; one for all workers.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Arc<RwLock<Arc<KeyRing>>>,
    /// Of this verifier alone, and another one whenever keys were taken away: what a thread remembers under another
    /// stamp counts for nothing.
    stamp: Arc<AtomicU64>,
    audience: Arc<[AppId]>,
    revocations: Revocations,
    /// Seconds.
    lifetime: i64,
    clock: Clock,
}

impl Verifier {
    /// Verifies tokens that `keys` signed for one of the apps in `audience`, unless `revocations` speak against
    /// them. `lifetime`: the seconds for which revocations are kept; a token that was issued for longer, under
    /// another setting, is good for no longer.
    pub fn new(
        keys: KeyRing,
        audience: Vec<AppId>,
        revocations: Revocations,
        lifetime: i64,
        clock: Clock,
    ) -> Self {
        let keys = Arc::new(RwLock::new(Arc::new(keys)));
        // By chance, of the cheap kind: it is no secret, and the other kind takes 40 ms to set up.
        let stamp = Arc::new(AtomicU64::new(RandomState::new().build_hasher().finish()));
        Self { keys, stamp, audience: audience.into(), revocations, lifetime, clock }
    }

    /// The mini-programs whose tokens are taken here.
    pub fn served(&self) -> Arc<[AppId]> {
        self.audience.clone()
    }

    /// The present keys, which can sign: not for whoever embeds weauth.
    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Works with these keys from now on. Tokens of a key that is no longer among them are refused, remembered
    /// ones too.
    pub(crate) fn replace_keys(&self, keys: KeyRing) {
        let keys = Arc::new(keys);
        let mut present = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *present, keys.clone());
        drop(present);
        if !keys.verifies_all_of(&before) {
            self.stamp.fetch_add(1, Ordering::Release);
        }
    }

    /// Verifies a token. One that this thread has verified before costs a hash look-up; that it has not
    /// expired, and that nothing has happened to its session or user since, is looked at every time.
    pub fn verify(&self, token: &str, memory: &mut TokenMemory) -> Result<Arc<Principal>, TokenError> {
        memory.forget_unless(self.stamp.load(Ordering::Acquire));
        if let Some(admitted) = memory.look(token, |remembered| self.admit(remembered)) {
            return admitted;
        }
        let principal = self.verify_signature(token)?;
        memory.insert(token, principal, |remembered| self.admit(remembered))
    }

    /// Is a token that we signed good now?
    fn admit(&self, remembered: &Remembered) -> Result<Arc<Principal>, TokenError> {
        let principal = &remembered.principal;
        if principal.expires_at.unix() <= self.clock.now().unix() {
            return Err(TokenError::Expired);
        }
        let additions = Some(self.revocations.additions());
        if remembered.uncontradicted_at.get() == additions {
            return Ok(principal.clone());
        }
        let applied = self.revocations.apply(principal.clone())?;
        if Arc::ptr_eq(&applied, principal) {
            remembered.uncontradicted_at.set(additions);
        }
        Ok(applied)
    }

    /// Refuses the session of this token from now on: the database shows its user in this state.
    pub(crate) fn refuse(&self, principal: &Principal, state: StandingState) {
        self.revocations.refuse(principal, state, self.clock.now());
    }

    /// Whom a token of ours speaks for, though it may have expired and its session ended: enough to end that
    /// session, never to let anybody in.
    pub fn read(&self, token: &str) -> Option<Principal> {
        self.verify_signature(token).ok()
    }

    /// Signature, `alg`, `typ`, `iss`, `aud` and form; not the time.
    fn verify_signature(&self, token: &str) -> Result<Principal, TokenError> {
        if token.len() > MAX_TOKEN {
            return Err(TokenError::Invalid);
        }
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let keys = self.keys();
        let key = header.kid.as_deref().and_then(|kid| keys.key(kid)).ok_or(TokenError::Invalid)?;
        let is_access_token = header.typ.as_deref().is_some_and(|typ| {
            typ.eq_ignore_ascii_case(ACCESS_TOKEN_TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
        });
        // RFC 7515 4.1.11: a critical extension that is not understood must be refused; none is.
        if !is_access_token || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let claims = decode::<IncomingClaims>(token, &key.public, &self.validation(&keys, key.jwa()))
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let soon = self.clock.now().unix().saturating_add(LEEWAY);
        if claims.iat > soon || claims.nbf.is_some_and(|nbf| nbf > soon) || claims.exp <= claims.iat {
            return Err(TokenError::Invalid);
        }
        let principal = Principal::from(claims);
        let longest = principal.issued_at.plus_seconds(self.lifetime);
        Ok(Principal { expires_at: principal.expires_at.min(longest), ..principal })
    }

    fn validation(&self, keys: &KeyRing, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.validate_exp = false;
        validation.set_issuer(&[keys.issuer()]);
        validation.set_audience(&self.audience.iter().map(AppId::as_str).collect::<Vec<_>>());
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation
    }
}
