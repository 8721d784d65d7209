//! The extractor that turns a Bearer token into a user.

use super::authorization::{self, Credentials, Malformed};
use super::language::Language;
use super::problem::{ErrorCode, Problem};
use super::state::held_by_app;
use crate::tokens::{Principal, Verifier};
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

/// The user whose access token came with the request; a handler that takes one can't be called without.
///
/// Checks the token's signature, issuer, audience, type and times, that its session has not ended, and that its
/// user is not banned. A token that this worker has seen before costs no signature check and no database read.
/// Dereferences to [`Principal`].
///
/// ```
/// use weauth::AuthenticatedUser;
///
/// async fn my_notes(user: AuthenticatedUser) -> String {
///     format!("notes of {}", user.id)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct AuthenticatedUser {
    principal: Arc<Principal>,
    language: Language,
}

impl Deref for AuthenticatedUser {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl AuthenticatedUser {
    /// Fails with `permission_denied`, in the request's language, unless the user holds this permission, by the
    /// token or by roles changed since.
    pub fn require(&self, permission: &str) -> Result<(), Problem> {
        let held = self.permissions.iter().any(|held| held.as_str() == permission);
        if held { Ok(()) } else { Err(Problem::new(ErrorCode::PermissionDenied).in_language(self.language)) }
    }
}

impl FromRequest for AuthenticatedUser {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let authenticated = authenticate(request)
            .map(|principal| Self { principal, language: Language::of(request.headers()) });
        ready(authenticated.map_err(|problem| problem.addressed_to(request)))
    }
}

fn authenticate(request: &HttpRequest) -> Result<Arc<Principal>, Problem> {
    let verifier: &Verifier =
        held_by_app(request, "AuthenticatedUser is used in an App without `weauth.extractor`")?;
    let token = bearer_token(request)?;
    Ok(verifier.verify(token)?)
}

fn bearer_token(request: &HttpRequest) -> Result<&str, Problem> {
    match authorization::of(request) {
        Ok(Some(Credentials::Bearer(token))) => Ok(token),
        Ok(_) | Err(Malformed::Unreadable) => Err(Problem::new(ErrorCode::TokenMissing)),
        Err(Malformed::Repeated) => Err(Problem::new(ErrorCode::TokenInvalid)),
    }
}
