//! The extractor that turns an API key into the backend that calls with it.

use super::authorization::{self, Credentials};
use super::fields::{Accepts, Fields};
use super::problem::{BackendProblem, ErrorCode, Problem};
use super::state::HttpState;
use crate::domain::{ApiKey, ApiKeyName, ApiScope};
use crate::flows::KnownApiKey;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// The backend whose API key came in the header `Authorization`: as `Bearer KEY` (RFC 6750 2.1), or by HTTP Basic
/// with the key's name as the user and the key as the password (RFC 6749 2.3.1).
pub(super) struct ApiKeyCaller(Arc<KnownApiKey>);

impl ApiKeyCaller {
    /// The name of the key.
    pub(super) fn name(&self) -> &ApiKeyName {
        &self.0.name
    }

    /// Fails with `permission_denied` unless the key grants this scope.
    pub(super) fn require(&self, scope: ApiScope) -> Result<(), Problem> {
        if self.0.opens(scope) { Ok(()) } else { Err(Problem::of_api_key(ErrorCode::PermissionDenied)) }
    }

    async fn authenticate(request: &HttpRequest, presented: Presented) -> Result<Self, Problem> {
        let known = HttpState::of(request)?.api_keys.find(&presented.key).await?;
        let is_named_so =
            |known: &Arc<KnownApiKey>| presented.name.as_ref().is_none_or(|name| name == known.name.as_str());
        known.filter(is_named_so).map(Self).ok_or_else(|| Problem::of_api_key(ErrorCode::TokenInvalid))
    }
}

/// A form sent by a backend, with its API key in the header or, as `client_id` and `client_secret`, in the form.
pub(super) struct ApiKeyForm {
    /// The backend that sent it.
    pub(super) caller: ApiKeyCaller,
    /// The parameters.
    pub(super) fields: Fields,
}

impl FromRequest for ApiKeyForm {
    type Error = BackendProblem;
    type Future = LocalBoxFuture<'static, Result<Self, BackendProblem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let fields = Fields::read(request, payload, Accepts::OAuthForm);
        let request = request.clone();
        Box::pin(async move { Ok(Self::read(&request, fields).await?) })
    }
}

impl ApiKeyForm {
    /// A caller without a key is not told what is wrong with the rest of the form.
    async fn read(
        request: &HttpRequest,
        fields: impl Future<Output = Result<Fields, Problem>>,
    ) -> Result<Self, Problem> {
        if let Some(presented) = in_header(request)? {
            let caller = ApiKeyCaller::authenticate(request, presented).await?;
            let fields = fields.await?;
            if fields.optional_text("client_secret").is_some() {
                let both =
                    ("must not be sent together with an Authorization header", "多余：请求头中已有 API key");
                return Err(Problem::field("client_secret", both));
            }
            return Ok(Self { caller, fields });
        }
        let fields = fields.await.map_err(|problem| match problem.code() {
            ErrorCode::PayloadTooLarge => problem,
            _ => Problem::of_api_key(ErrorCode::TokenMissing),
        })?;
        let presented = in_form(&fields)?;
        Ok(Self { caller: ApiKeyCaller::authenticate(request, presented).await?, fields })
    }
}

/// A presented key, and the name that came with it.
#[derive(Debug)]
struct Presented {
    name: Option<String>,
    key: ApiKey,
}

impl Presented {
    fn new(name: Option<String>, key: &str) -> Result<Self, Problem> {
        let key = ApiKey::parse(key).ok_or_else(|| Problem::of_api_key(ErrorCode::TokenInvalid))?;
        Ok(Self { name, key })
    }
}

fn in_header(request: &HttpRequest) -> Result<Option<Presented>, Problem> {
    let credentials = authorization::of(request).map_err(|_| Problem::of_api_key(ErrorCode::TokenInvalid))?;
    match credentials {
        None => Ok(None),
        Some(Credentials::Bearer(key)) => Presented::new(None, key).map(Some),
        Some(Credentials::Basic { user, password }) => Presented::new(Some(user), &password).map(Some),
        Some(Credentials::Other) => Err(Problem::of_api_key(ErrorCode::TokenMissing)),
    }
}

fn in_form(fields: &Fields) -> Result<Presented, Problem> {
    let missing = || Problem::of_api_key(ErrorCode::TokenMissing);
    let key = fields.optional_text("client_secret").ok_or_else(missing)?;
    let name = fields.required_text("client_id").map(str::to_owned);
    fields.check()?;
    Presented::new(name, key)
}
