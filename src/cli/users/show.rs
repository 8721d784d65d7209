//! `weauth users show`.

use super::OneUser;
use crate::cli::Failure;
use crate::cli::terminal::{open_database, print_json, print_line, print_table, shared_now};
use crate::config::{Sources, roles_for_command};
use crate::domain::{Identity, Permission, Role, Session, User, mask_phone, scope};
use crate::http::{UserDetailView, UserView};
use crate::store::{ListIdentities, ListSessions};
use clap::Args;

/// The arguments of `weauth users show`.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    #[command(flatten)]
    user: OneUser,
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(sources: &Sources, arguments: &ShowArguments) -> Result<(), Failure> {
    let policy = roles_for_command(sources)?;
    let mut database = open_database(sources)?;
    let user = arguments.user.find(&mut database)?;
    let permissions = policy.permissions(&user.roles);
    let identities = database.run(&ListIdentities(user.id.clone()))?;
    let at = shared_now(&mut database)?;
    let sessions = database.run(&ListSessions { user: user.id.clone(), at })?;
    if arguments.json {
        let view = UserView::of(&user, &permissions, None);
        return print_json(&UserDetailView::of(view, &identities, &sessions));
    }
    print_user(&user, &permissions)?;
    print_line("")?;
    print_identities(&identities)?;
    print_line("")?;
    print_sessions(sessions)
}

fn print_user(user: &User, permissions: &[Permission]) -> Result<(), Failure> {
    let roles: Vec<&str> = user.roles.iter().map(Role::as_str).collect();
    let rows = [
        ("id", user.id.to_string()),
        ("status", user.status.as_str().to_owned()),
        ("roles", roles.join(" ")),
        ("permissions", scope(permissions)),
        ("nickname", user.nickname.clone().unwrap_or_default()),
        ("avatar_url", user.avatar_url.clone().unwrap_or_default()),
        ("phone", user.phone.as_deref().map(mask_phone).unwrap_or_default()),
        ("created_at", user.created_at.rfc3339()),
        ("last_login_at", user.last_login_at.rfc3339()),
    ];
    let rows = rows.map(|(name, value)| vec![name.to_owned(), value]);
    print_table(&["user", ""], rows.into())
}

fn print_identities(identities: &[Identity]) -> Result<(), Failure> {
    let row = |identity: &Identity| {
        let unionid = identity.unionid.as_ref().map(|unionid| unionid.as_str().to_owned());
        let (appid, openid) = (identity.app.to_string(), identity.openid.as_str().to_owned());
        vec![appid, openid, unionid.unwrap_or_default(), identity.created_at.rfc3339()]
    };
    print_table(&["appid", "openid", "unionid", "since"], identities.iter().map(row).collect())
}

fn print_sessions(sessions: Vec<Session>) -> Result<(), Failure> {
    let row = |session: Session| {
        let (id, ip) = (session.id.to_string(), session.ip.unwrap_or_default());
        let used = session.last_used_at.rfc3339();
        vec![
            id,
            session.app.to_string(),
            session.created_at.rfc3339(),
            used,
            ip,
            session.user_agent.unwrap_or_default(),
        ]
    };
    let header = ["session", "appid", "since", "last used", "ip", "user agent"];
    print_table(&header, sessions.into_iter().map(row).collect())
}
