//! All keys of the server: one signs, all verify, and the world is shown their public parts.

use super::claims::OutgoingClaims;
use super::{AccessToken, InvalidKey, Principal, SigningKey};
use crate::domain::RefreshTokenMac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::JwtSigner;
use jsonwebtoken::jwk::JwkSet;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// The keys of this server.
#[derive(Debug)]
pub struct KeyRing {
    issuer: String,
    signing: Arc<SigningKey>,
    verifying: HashMap<String, Arc<SigningKey>>,
    refresh: RefreshTokenMac,
    jwks: String,
}

impl KeyRing {
    /// A ring of these keys; the last one signs. `issuer` is the public URL of the server (`iss`).
    pub fn new(issuer: String, keys: Vec<SigningKey>, refresh: RefreshTokenMac) -> Result<Self, InvalidKey> {
        let keys: Vec<Arc<SigningKey>> = keys.into_iter().map(Arc::new).collect();
        let signing = keys.last().cloned().ok_or(InvalidKey)?;
        let jwks = JwkSet { keys: keys.iter().map(|key| key.jwk.clone()).collect() };
        let jwks = serde_json::to_string(&jwks).map_err(|_| InvalidKey)?;
        let verifying = keys.into_iter().map(|key| (key.id.clone(), key)).collect();
        Ok(Self { issuer, signing, verifying, refresh, jwks })
    }

    /// Who issues the tokens (`iss`).
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys as a JWK set (RFC 7517, 5).
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Makes and recognises refresh tokens.
    pub fn refresh(&self) -> &RefreshTokenMac {
        &self.refresh
    }

    pub(super) fn verifying_key(&self, kid: &str) -> Option<&SigningKey> {
        self.verifying.get(kid).map(Arc::as_ref)
    }

    /// Signs an access token for a principal.
    pub fn issue(&self, principal: &Principal) -> Result<AccessToken, InvalidKey> {
        let scope: Vec<&str> = principal.permissions.iter().map(|permission| permission.as_str()).collect();
        let claims = OutgoingClaims {
            iss: &self.issuer,
            sub: principal.user.as_str(),
            aud: principal.app.as_str(),
            client_id: principal.app.as_str(),
            iat: principal.issued_at.unix(),
            exp: principal.expires_at.unix(),
            jti: &principal.token_id,
            sid: principal.session.as_str(),
            roles: &principal.roles,
            scope: scope.join(" "),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| InvalidKey)?;
        let mut token = String::with_capacity(self.signing.header().len() + claims.len() * 4 / 3 + 96);
        token.push_str(self.signing.header());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = sign(&self.signing, token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(AccessToken(token))
    }
}

thread_local! {
    /// The parsed key of this thread. Parsing it costs as much as signing, and a signer can't be shared.
    static SIGNER: RefCell<Option<(String, Box<dyn JwtSigner>)>> = const { RefCell::new(None) };
}

fn sign(key: &SigningKey, message: &[u8]) -> Result<Vec<u8>, InvalidKey> {
    SIGNER.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(id, _)| *id != key.id) {
            *slot = Some((key.id.clone(), key.signer()?));
        }
        let (_, signer) = slot.as_ref().ok_or(InvalidKey)?;
        signer.try_sign(message).map_err(|_| InvalidKey)
    })
}
