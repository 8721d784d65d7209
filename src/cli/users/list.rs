//! `weauth users list`.

use crate::cli::Failure;
use crate::cli::terminal::{open_database, print_json, print_table, tell};
use crate::config::{Sources, roles_for_command};
use crate::domain::{
    AppId, InvalidTime, Role, Time, User, UserCursor, UserFilter, UserOrder, UserSearch, UserSort,
    UserStatus, mask_phone,
};
use crate::http::{UserPageView, UserView};
use crate::store::{ListUsers, UserPage};
use clap::{Args, ValueEnum};

/// The maximum number of users per page.
const MOST: i64 = 200;

/// The arguments of `weauth users list`.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// The beginning of an id, openid, unionid or nickname; or a whole phone number, with or without +86.
    #[arg(long, value_name = "TEXT", value_parser = parse_search)]
    q: Option<UserSearch>,
    /// Only users with this status: `active` or `banned`.
    #[arg(long, value_parser = parse_status)]
    status: Option<UserStatus>,
    /// Only users with this role.
    #[arg(long, value_parser = parse_role)]
    role: Option<Role>,
    /// Only users who have signed in to this mini-program.
    #[arg(long, value_parser = AppId::parse)]
    appid: Option<AppId>,
    /// Only users who first signed in at this time or later: RFC 3339, or a date.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    created_after: Option<Time>,
    /// Only users who first signed in before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    created_before: Option<Time>,
    /// Only users who last signed in at this time or later.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    login_after: Option<Time>,
    /// Only users who last signed in before this time.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    login_before: Option<Time>,
    /// What to sort by; `last_login_at` reads the whole table.
    #[arg(long, default_value = "created_at", value_enum)]
    sort: Sort,
    /// The order: latest first (`desc`) or earliest first (`asc`).
    #[arg(long, default_value = "desc", value_enum)]
    order: Order,
    /// The maximum number of users to list, up to 200.
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    limit: u32,
    /// Where to continue: `next_cursor` of the previous page.
    #[arg(long)]
    cursor: Option<String>,
    /// Prints JSON, for scripts.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Sort {
    #[value(name = "created_at")]
    CreatedAt,
    #[value(name = "last_login_at")]
    LastLoginAt,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Order {
    Desc,
    Asc,
}

fn parse_search(text: &str) -> Result<UserSearch, &'static str> {
    UserSearch::parse(text).ok_or("give 1 to 128 characters, none of them a control character")
}

fn parse_status(text: &str) -> Result<UserStatus, &'static str> {
    UserStatus::parse(text).ok_or("give `active` or `banned`")
}

fn parse_role(text: &str) -> Result<Role, &'static str> {
    Role::parse(text).ok_or("a role is 1 to 64 of lowercase letters, digits, `_`, `-`, `.`, `:`")
}

fn parse_time(text: &str) -> Result<Time, InvalidTime> {
    Time::parse(text)
}

pub(super) fn run(sources: &Sources, arguments: &ListArguments) -> Result<(), Failure> {
    let (filter, order) = (arguments.filter(), arguments.order());
    let after = match &arguments.cursor {
        Some(cursor) => {
            let place = UserCursor::decode(cursor, &filter, order);
            Some(
                place
                    .map_err(|error| Failure::Usage(format!("--cursor {} {error}", cursor.escape_debug())))?,
            )
        }
        None => None,
    };
    let query = ListUsers { filter, order, limit: arguments.limit, after };
    let page = open_database(sources)?.run(&query)?;
    let next = page.next.as_ref().map(|place| place.encode(&query.filter, order));
    if arguments.json { print_page_as_json(sources, &page, next) } else { print_page(page, next) }
}

impl ListArguments {
    fn filter(&self) -> UserFilter {
        UserFilter {
            search: self.q.clone(),
            status: self.status,
            role: self.role.clone(),
            app: self.appid.clone(),
            created_after: self.created_after,
            created_before: self.created_before,
            login_after: self.login_after,
            login_before: self.login_before,
        }
    }

    fn order(&self) -> UserOrder {
        let sort = match self.sort {
            Sort::CreatedAt => UserSort::CreatedAt,
            Sort::LastLoginAt => UserSort::LastLoginAt,
        };
        UserOrder { sort, descending: matches!(self.order, Order::Desc) }
    }
}

fn print_page_as_json(sources: &Sources, page: &UserPage, next: Option<String>) -> Result<(), Failure> {
    let policy = roles_for_command(sources)?;
    let permissions: Vec<_> = page.users.iter().map(|user| policy.permissions(&user.roles)).collect();
    let both = page.users.iter().zip(&permissions);
    print_json(&UserPageView {
        items: both.map(|(user, permissions)| UserView::of(user, permissions, None)).collect(),
        next_cursor: next,
        total: page.total,
        total_is_estimate: page.total_is_estimate,
    })
}

fn print_page(page: UserPage, next: Option<String>) -> Result<(), Failure> {
    let shown = page.users.len();
    let row = |user: User| {
        let roles: Vec<&str> = user.roles.iter().map(Role::as_str).collect();
        vec![
            user.id.to_string(),
            user.status.as_str().to_owned(),
            roles.join(" "),
            user.nickname.unwrap_or_default(),
            user.phone.as_deref().map(mask_phone).unwrap_or_default(),
            user.created_at.rfc3339(),
            user.last_login_at.rfc3339(),
        ]
    };
    let header = ["id", "status", "roles", "nickname", "phone", "created at", "last login at"];
    print_table(&header, page.users.into_iter().map(row).collect())?;
    if let Some(next) = next {
        let total =
            if page.total_is_estimate { format!("more than {}", page.total) } else { page.total.to_string() };
        // On standard error, so that a script that reads the table reads users only.
        tell(&format!("{shown} of {total}; for the next page: --cursor {next}"));
    }
    Ok(())
}
