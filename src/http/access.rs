//! Middleware for every request: assigns its id, limits the size of its head, writes errors in its language, and
//! logs one line.

use super::access_log::log_line;
use super::arrival::{ArrivesBy, arrives_by};
use super::kept_payload::KeptPayload;
use super::problem::{ErrorCode, Problem};
use super::request_id::{HEADER, RequestId};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceFactory, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::Method;
use actix_web::{Error, HttpMessage, Scope};
use futures_util::future::LocalBoxFuture;
use std::future::{Ready, ready};
use std::time::Instant;

/// The maximum size of request line and headers, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// The middleware around all of weauth's routes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Access;

impl<S, B> Transform<S, ServiceRequest> for Access
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type InitError = ();
    type Transform = AccessMiddleware<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AccessMiddleware { service }))
    }
}

/// Wraps a scope in this middleware.
pub fn with_access_log(
    scope: Scope,
) -> Scope<
    impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse, Error = Error, InitError = ()>
    + use<>,
> {
    scope.wrap(Access)
}

pub(super) struct AccessMiddleware<S> {
    service: S,
}

impl<S, B> Service<ServiceRequest> for AccessMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, mut request: ServiceRequest) -> Self::Future {
        let began = Instant::now();
        let id = RequestId::of(request.headers());
        let arrives_by = arrives_by(request.request(), began);
        // Only for handlers that read a body, and for problems inside a response: all others get the id at the end.
        if request.method() == Method::POST {
            request.extensions_mut().insert(ArrivesBy(arrives_by));
            request.extensions_mut().insert(id.clone());
        }
        let kept = KeptPayload::of(&mut request);
        if head_length(&request) > MAX_HEAD {
            let problem = Problem::new(ErrorCode::PayloadTooLarge);
            let response = finish(request.error_response(problem), &id, began);
            return Box::pin(ready(Ok(keeping(kept, response))));
        }
        let answer = self.service.call(request);
        Box::pin(async move { Ok(keeping(kept, finish(answer.await?, &id, began))) })
    }
}

fn keeping(kept: Option<KeptPayload>, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    match kept {
        Some(kept) => response.map_body(|_, body| kept.beside(body)),
        None => response,
    }
}

fn head_length(request: &ServiceRequest) -> usize {
    let headers: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum();
    let uri = request.uri();
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + authority + target + "  HTTP/1.1\r\n".len();
    line + headers + "\r\n".len()
}

/// Addresses a problem to its reader, adds the id, and logs: the problem's cause, if it is ours, and the request.
fn finish<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
    id: &RequestId,
    began: Instant,
) -> ServiceResponse<BoxBody> {
    let problem = addressed(&response, id);
    let code = problem.as_ref().map(Problem::code);
    let mut response = match problem {
        Some(problem) => {
            problem.log_cause(id);
            let (request, _) = response.into_parts();
            ServiceResponse::from_err(problem, request).map_into_boxed_body()
        }
        None => response.map_into_boxed_body(),
    };
    response.headers_mut().insert(HEADER.clone(), id.header());
    log_line(&response, id, code, began);
    response
}

/// The problem in the response, addressed to its reader.
fn addressed<B>(response: &ServiceResponse<B>, id: &RequestId) -> Option<Problem> {
    let problem = response.response().error()?.as_error::<Problem>()?;
    response.request().extensions_mut().insert(id.clone());
    Some(problem.clone().addressed_to(response.request()))
}
