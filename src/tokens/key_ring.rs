//! All keys of the server: one signs, all verify, and their public halves are published.

use super::claims::OutgoingClaims;
use super::{AccessToken, Principal, SigningKey};
use crate::crypto::{KeyError, sha256_hex};
use crate::domain::{RefreshTokenMac, Time, scope, signing_place};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use std::sync::Arc;

/// The keys of this server.
#[derive(Debug)]
pub struct KeyRing {
    issuer: String,
    /// Sorted by `active_from`.
    keys: Vec<Arc<SigningKey>>,
    active_from: Vec<Time>,
    refresh: RefreshTokenMac,
    jwks: String,
    jwks_digest: String,
}

impl KeyRing {
    /// A ring of these keys, at least one. `issuer` is the public URL of the server (`iss`).
    pub fn new(
        issuer: String,
        mut keys: Vec<Arc<SigningKey>>,
        refresh: RefreshTokenMac,
    ) -> Result<Self, KeyError> {
        if keys.is_empty() {
            return Err(KeyError::Missing);
        }
        keys.sort_by_key(|key| key.active_from);
        let active_from = keys.iter().map(|key| key.active_from).collect();
        let jwks = JwkSet { keys: keys.iter().map(|key| key.jwk.clone()).collect() };
        let jwks = serde_json::to_string(&jwks).map_err(|_| KeyError::Malformed)?;
        let jwks_digest = sha256_hex(jwks.as_bytes());
        Ok(Self { issuer, keys, active_from, refresh, jwks, jwks_digest })
    }

    /// The issuer of the tokens (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys as a JWK set (RFC 7517, 5).
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// SHA-256 of the JWK set, equal on all nodes with the same keys.
    pub fn jwks_digest(&self) -> &str {
        &self.jwks_digest
    }

    /// Issues and verifies refresh tokens.
    pub fn refresh(&self) -> &RefreshTokenMac {
        &self.refresh
    }

    /// The key with this id.
    pub fn key(&self, kid: &str) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|key| key.id == kid)
    }

    /// Does this ring contain every key of the other one?
    pub(super) fn verifies_all_of(&self, other: &Self) -> bool {
        other.keys.iter().all(|key| self.key(&key.id).is_some())
    }

    /// Signs an access token for a principal, with the key that is active at the time of issue.
    pub fn issue(&self, principal: &Principal) -> Result<AccessToken, KeyError> {
        let claims = OutgoingClaims {
            iss: &self.issuer,
            sub: principal.id.as_str(),
            aud: principal.appid.as_str(),
            client_id: principal.appid.as_str(),
            iat: principal.issued_at.unix(),
            exp: principal.expires_at.unix(),
            jti: &principal.token_id,
            sid: principal.session.as_str(),
            roles: &principal.roles,
            scope: scope(&principal.permissions),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| KeyError::NotSigned)?;
        let key =
            self.keys.get(signing_place(&self.active_from, principal.issued_at)).ok_or(KeyError::Missing)?;
        let mut token = String::with_capacity(key.header().len() + claims.len() * 4 / 3 + 96);
        token.push_str(key.header());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(AccessToken(token))
    }
}
