//! Verification of access tokens.

use super::claims::{ACCESS_TOKEN_TYPE, IncomingClaims};
use super::memory::{Remembered, TokenMemory};
use super::{KeyRing, Principal, Revocations, StandingState};
use crate::domain::{AppId, Clock};
use crate::shared::{read, write};
use jsonwebtoken::{Validation, decode, decode_header};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

/// Longest token that is accepted; ours are shorter, as they have to fit into a request head.
const MAX_TOKEN: usize = 16 * 1024;

/// Tolerated clock skew between nodes, in seconds.
const LEEWAY: i64 = 5;

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token of this issuer: malformed, forged, or of another type.
    #[error("the access token is not valid")]
    Invalid,
    /// Ours, but expired.
    #[error("the access token has expired")]
    Expired,
    /// Ours, but its session has ended or its user was deleted.
    #[error("the session of the access token has ended")]
    Revoked,
    /// Ours, but its user has been banned since.
    #[error("the user of the access token is banned")]
    Banned,
}

/// Verifies access tokens against the key ring. Cheap to clone; shared by all workers.
#[derive(Debug, Clone)]
pub struct Verifier {
    keys: Arc<RwLock<Arc<KeyRing>>>,
    /// Unique to this verifier, and changed whenever a key is removed. Tokens that a thread cached under
    /// another stamp are discarded.
    stamp: Arc<AtomicU64>,
    audience: Arc<[AppId]>,
    revocations: Revocations,
    /// Seconds.
    lifetime: i64,
    clock: Clock,
}

impl Verifier {
    /// Verifies tokens that `keys` signed for one of the apps in `audience`, unless `revocations` apply to them.
    ///
    /// `lifetime` is the number of seconds for which revocations are kept; a token issued with a longer
    /// lifetime, under other settings, expires after `lifetime` too.
    pub fn new(
        keys: KeyRing,
        audience: Vec<AppId>,
        revocations: Revocations,
        lifetime: i64,
        clock: Clock,
    ) -> Self {
        let keys = Arc::new(RwLock::new(Arc::new(keys)));
        // `RandomState` will do: the stamp is no secret, and the cryptographic generator takes 40 ms to initialise.
        let stamp = Arc::new(AtomicU64::new(RandomState::new().build_hasher().finish()));
        Self { keys, stamp, audience: audience.into(), revocations, lifetime, clock }
    }

    /// The mini-programs whose tokens are accepted.
    pub fn served(&self) -> &Arc<[AppId]> {
        &self.audience
    }

    /// The current keys. Private to the crate, because they can sign.
    pub(crate) fn keys(&self) -> Arc<KeyRing> {
        read(&self.keys).clone()
    }

    /// Replaces the keys. Tokens of removed keys are rejected from now on, cached ones included.
    pub(crate) fn replace_keys(&self, keys: KeyRing) {
        let keys = Arc::new(keys);
        let mut present = write(&self.keys);
        let before = std::mem::replace(&mut *present, keys.clone());
        drop(present);
        if !keys.verifies_all_of(&before) {
            self.stamp.fetch_add(1, Ordering::Release);
        }
    }

    /// Verifies a token. For a token that this thread has cached, the signature check becomes a hash lookup;
    /// expiry and revocations are checked every time.
    pub fn verify(&self, token: &str) -> Result<Arc<Principal>, TokenError> {
        TokenMemory::of_this_thread(|memory| {
            memory.forget_unless(self.stamp.load(Ordering::Acquire));
            if let Some(admitted) = memory.look(token, |remembered| self.admit(remembered)) {
                return admitted;
            }
            let principal = self.verify_signature(token)?;
            memory.insert(token, principal, |remembered| self.admit(remembered))
        })
    }

    /// Is an authentic token valid now?
    fn admit(&self, remembered: &Remembered) -> Result<Arc<Principal>, TokenError> {
        let (principal, now) = (&remembered.principal, self.clock.now().unix());
        if principal.expires_at.unix() <= now {
            return Err(TokenError::Expired);
        }
        // The clock may have been set back since it was first verified.
        if is_to_come(principal.issued_at.unix(), now) {
            return Err(TokenError::Invalid);
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

    /// Rejects the session of this token from now on, because the database shows its user in this state.
    pub(crate) fn refuse(&self, principal: &Principal, state: StandingState) {
        self.revocations.refuse(principal, state, self.clock.now());
    }

    /// The principal of an authentic token, even if it has expired or was revoked: sufficient to end its
    /// session, but never to grant access.
    pub fn read(&self, token: &str) -> Option<Principal> {
        self.verify_signature(token).ok()
    }

    /// Checks signature, `alg`, `typ`, `iss`, `aud` and format, but not the expiry.
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
        // RFC 7515 4.1.11: critical extensions that are not understood must be rejected; we understand none.
        if !is_access_token || header.crit.is_some() {
            return Err(TokenError::Invalid);
        }
        let claims = decode::<IncomingClaims>(token, &key.public, &self.validation(&keys, key.jwa()))
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let now = self.clock.now().unix();
        let is_early = is_to_come(claims.iat, now) || claims.nbf.is_some_and(|nbf| is_to_come(nbf, now));
        if is_early || claims.exp <= claims.iat {
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

/// Is a `NumericDate` of a token later than any node's clock should show now?
fn is_to_come(date: i64, now: i64) -> bool {
    date > now.saturating_add(LEEWAY)
}
