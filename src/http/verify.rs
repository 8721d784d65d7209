//! `GET /verify`: forward auth. A proxy calls it for every request; if the token is valid, the response names the
//! user in five headers, which the proxy passes on.
//!
//! Every 200 has all five headers, empty if a list is empty. If one were missing, the proxy could pass on a header
//! that the client forged.

use super::AuthenticatedUser;
use super::answer::private;
use super::problem::Problem;
use crate::domain::{Permission, Role};
use actix_web::{HttpRequest, HttpResponse};
use std::borrow::Cow;
use url::form_urlencoded;

/// `?permission=…` requires one permission; several require all of them.
pub(super) async fn verify(request: HttpRequest, user: AuthenticatedUser) -> Result<HttpResponse, Problem> {
    require_all(&user, &asked(request.query_string())?)?;
    Ok(who(&user))
}

/// For proxies that call with the path and method of the original request (Envoy): everything after `/verify/`,
/// including the query, belongs to that request. The exception is `/verify/?permission=…`, which may be a typo for
/// `/verify?permission=…` and must not let everybody in.
pub(super) async fn verify_below(
    request: HttpRequest,
    user: AuthenticatedUser,
) -> Result<HttpResponse, Problem> {
    if request.match_info().query("path").is_empty() {
        let query = form_urlencoded::parse(request.query_string().as_bytes());
        for (_, permission) in query.filter(|(name, _)| name == "permission") {
            user.require(&permission)?;
        }
    }
    Ok(who(&user))
}

/// The permissions that a query requires. Reports only the first mistake: a query has room for thousands.
fn asked(query: &str) -> Result<Vec<Permission>, Problem> {
    let parameters = form_urlencoded::parse(query.as_bytes());
    let permission = |(name, value): (Cow<'_, str>, Cow<'_, str>)| match &*name {
        "permission" => Permission::parse(&value).ok_or_else(|| {
            Problem::field("permission", ("must be the name of a permission", "必须是权限名"))
        }),
        unknown => Err(Problem::unknown_parameter(unknown)),
    };
    parameters.map(permission).collect()
}

fn require_all(user: &AuthenticatedUser, permissions: &[Permission]) -> Result<(), Problem> {
    permissions.iter().try_for_each(|permission| user.require(permission.as_str()))
}

fn who(user: &AuthenticatedUser) -> HttpResponse {
    let roles: Vec<&str> = user.roles.iter().map(Role::as_str).collect();
    let permissions: Vec<&str> = user.permissions.iter().map(Permission::as_str).collect();
    private()
        .insert_header(("x-user-id", user.id.as_str()))
        .insert_header(("x-user-roles", roles.join(",")))
        .insert_header(("x-user-permissions", permissions.join(",")))
        .insert_header(("x-user-app", user.appid.as_str()))
        .insert_header(("x-session-id", user.session.as_str()))
        .finish()
}
