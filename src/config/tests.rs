//! The configuration as a whole: what is accepted, what is refused, and how mistakes are reported.

use super::*;

const KEY: &str = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=";
const SECRET: &str = "9f86d081884c7d659a2feaa0c55ad015";
const OTHER_SECRET: &str = "60303ae22b998861bce3b28f33eec1be";

/// An environment with all that `serve` needs.
fn complete() -> Vec<(&'static str, &'static str)> {
    vec![("WECHAT_APPID", "wx0123456789abcdef"), ("WECHAT_SECRET", SECRET), ("WEAUTH_MASTER_KEY", KEY)]
}

fn sources(file: Option<&str>, env: &[(&str, &str)]) -> Sources {
    Sources::new(file, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn serve(file: Option<&str>, env: &[(&str, &str)]) -> Result<Config, Mistakes> {
    Config::for_serve(&sources(file, env))
}

/// The mistakes of a complete environment with something added, one string each.
fn mistakes(file: Option<&str>, added: &[(&str, &str)]) -> Vec<String> {
    let env = [complete(), added.to_vec()].concat();
    serve(file, &env).err().map_or_else(Vec::new, |all| all.iter().map(ToString::to_string).collect())
}

fn only_mistake(file: Option<&str>, added: &[(&str, &str)]) -> String {
    let all = mistakes(file, added);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn three_variables_are_enough_for_serve() {
    let config = serve(None, &complete()).unwrap();
    assert_eq!(config.database.url.to_string(), "sqlite://weauth.db");
    assert_eq!(config.wechat.api_base.as_str(), "https://api.weixin.qq.com/");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.public_url, None);
    assert!(config.server.trusted_proxies.is_empty() && config.server.workers >= 1);
    let times = TokenConfig {
        access_ttl: 7200,
        refresh_ttl: 2_592_000,
        refresh_grace: 10,
        replay_window: 300,
        max_sessions: 0,
    };
    assert_eq!(config.tokens, times);
    assert_eq!(config.keys, KeyConfig::default());
    assert_eq!(config.log, LogConfig { filter: "info".to_owned(), format: LogFormat::Text });
    let names: Vec<_> = config.wechat.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["wx0123456789abcdef"]);
}

#[test]
fn the_environment_beats_the_file_and_an_empty_variable_is_not_set() {
    let file = "weauth_listen = '0.0.0.0:80'\nweauth_access_ttl = 60\nweauth_trusted_proxies = ['10.0.0.0/8', '::1']";
    let added = [("WEAUTH_LISTEN", "127.0.0.1:0"), ("WEAUTH_ACCESS_TTL", " ")];
    let config = serve(Some(file), &[complete(), added.to_vec()].concat()).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.tokens.access_ttl, 60);
    assert_eq!(config.server.trusted_proxies.len(), 2);
}

#[test]
fn every_mistake_is_told_at_once() {
    let all =
        serve(None, &[("WEAUTH_LISTEN", "8080"), ("WEAUTH_ACCESS_TTL", "0"), ("DATABASE_URL", "weauth.db")]);
    let told = all.unwrap_err().to_string();
    let places: Vec<&str> = told.lines().map(|line| line.split(": ").next().unwrap()).collect();
    let expected = [
        "DATABASE_URL (database_url in weauth.toml)",
        "WECHAT_APPID (wechat_appid in weauth.toml)",
        "WECHAT_SECRET (wechat_secret in weauth.toml)",
        "WEAUTH_LISTEN (weauth_listen in weauth.toml)",
        "WEAUTH_ACCESS_TTL (weauth_access_ttl in weauth.toml)",
        "WEAUTH_MASTER_KEY (weauth_master_key in weauth.toml)",
    ];
    assert_eq!(places, expected, "{told}");
}

#[test]
fn each_wrong_value_is_refused_by_the_name_of_its_variable() {
    for (variable, value) in [
        ("DATABASE_URL", "host=localhost"),
        ("WECHAT_APPID", "wx0123456789ABCDEF"),
        ("WECHAT_SECRET", "short"),
        ("WECHAT_SECRET", "00000000000000000000000000000000"),
        ("WECHAT_API_BASE", "http://api.weixin.qq.com"),
        ("WEAUTH_LISTEN", "localhost"),
        ("WEAUTH_PUBLIC_URL", "https://example.com/?a"),
        ("WEAUTH_TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
        ("WEAUTH_MASTER_KEY", "c2hvcnQ="),
        ("WEAUTH_MASTER_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        ("WEAUTH_ACCESS_TTL", "0"),
        ("WEAUTH_ACCESS_TTL", "2h"),
        ("WEAUTH_ACCESS_TTL", "-1"),
        ("WEAUTH_REFRESH_TTL", "315360001"),
        ("WEAUTH_REFRESH_TTL", "99999999999999999999"),
        ("WEAUTH_REFRESH_GRACE", "3601"),
        ("WEAUTH_REPLAY_WINDOW", "86401"),
        ("WEAUTH_WORKERS", "0"),
        ("WEAUTH_WORKERS", "513"),
        ("WEAUTH_MAX_CONNECTIONS", "0"),
        ("RUST_LOG", "weauth=loud"),
        ("WEAUTH_LOG_FORMAT", "xml"),
    ] {
        let mistake = only_mistake(None, &[(variable, value)]);
        let place = format!("{variable} ({} in weauth.toml): ", variable.to_lowercase());
        assert!(mistake.starts_with(&place), "{mistake}");
    }
}

#[test]
fn unknown_names_are_mistakes_with_a_guess_where_one_is_near() {
    let mistake = only_mistake(Some("weauth_listn = 'x'"), &[]);
    assert_eq!(mistake, "`weauth_listn` in weauth.toml: unknown key; did you mean `weauth_listen`?");
    assert!(
        only_mistake(Some("[[webhooks]]\nurl = 'x'"), &[]).contains("`webhooks` in weauth.toml: unknown key")
    );
    let app = format!("[[apps]]\nappid = 'wx1111111111111112'\nsecret = '{OTHER_SECRET}'\npush_token = 'x'");
    assert!(
        only_mistake(Some(&app), &[])
            .starts_with("`push_token` in [[apps]] no. 1 in weauth.toml: unknown key")
    );
    let role = only_mistake(Some("[roles.a]\npermissions = []\npermission = 1"), &[]);
    assert!(role.contains("did you mean `permissions`?"), "{role}");
    let typo = only_mistake(None, &[("WEAUTH_ACESS_TTL", "60")]);
    assert!(typo.contains("did you mean `WEAUTH_ACCESS_TTL`?"), "{typo}");
    assert!(mistakes(None, &[("WEAUTH_SERVICE_HOST", "10.0.0.1"), ("WEAUTH_PORT", "80")]).is_empty());
    let typo = only_mistake(None, &[("WECHAT_APIBASE", "http://127.0.0.1:8081")]);
    assert!(typo.contains("did you mean `WECHAT_API_BASE`?"), "{typo}");
    let other_programs = [("WECHAT_APP_ID", "x"), ("WECHAT_SECRETS", "x"), ("WECHAT_TOKEN", "x")];
    assert!(mistakes(None, &other_programs).is_empty(), "what they may be mistaken for is given");
    let told = serve(None, &[complete()[0], complete()[2], other_programs[1]]).unwrap_err().to_string();
    assert!(told.contains("did you mean `WECHAT_SECRET`?"), "{told}");
}

#[test]
fn wrong_types_and_broken_toml_are_told_by_place() {
    assert!(only_mistake(Some("weauth_access_ttl = '60'"), &[]).contains("is of type string"));
    assert!(
        only_mistake(Some("database_url = 1"), &[]).contains("is of type integer: give a string in quotes")
    );
    assert!(only_mistake(Some("weauth_trusted_proxies = '10.0.0.0/8'"), &[]).contains("an array of strings"));
    assert!(only_mistake(Some("apps = 3"), &[]).starts_with("apps in weauth.toml: is of type integer"));
    assert!(only_mistake(Some("roles = []"), &[]).starts_with("roles in weauth.toml: is of type array"));
    let broken =
        serve(Some("weauth_access_ttl = 60\nwechat_secret = 'hunter2"), &[]).unwrap_err().to_string();
    assert!(broken.starts_with("weauth.toml: line 2 is not TOML") && !broken.contains("hunter2"), "{broken}");
    assert_eq!(broken.lines().count(), 1, "{broken}");
}

#[test]
fn apps_of_file_and_environment_are_merged_but_never_twice() {
    let app = |id: &str| format!("[[apps]]\nappid = '{id}'\nsecret = '{OTHER_SECRET}'\nname = '小店'\n");
    let config = serve(Some(&app("wx1111111111111112")), &complete()).unwrap();
    let names: Vec<_> = config.wechat.apps.iter().map(|app| app.name.as_str()).collect();
    assert_eq!(names, ["wx0123456789abcdef", "小店"]);
    let both = only_mistake(Some(&app("wx0123456789abcdef")), &[]);
    assert!(both.starts_with("WECHAT_APPID") && both.contains("also in [[apps]]"), "{both}");
    let twice = app("wx1111111111111112").repeat(2);
    assert!(only_mistake(Some(&twice), &[]).contains("wx1111111111111112 is listed twice"));
    let alone = [("WEAUTH_MASTER_KEY", KEY), ("WECHAT_APPID", "wx0123456789abcdef")];
    assert!(
        serve(Some(&app("wx1111111111111112")), &alone).unwrap_err().to_string().starts_with("WECHAT_SECRET")
    );
    assert!(serve(Some(&app("wx1111111111111112")), &alone[..1]).is_ok());
    assert!(
        only_mistake(Some("[[apps]]\nappid = 'wx1111111111111112'"), &[])
            .contains("`secret` of [[apps]] no. 1")
    );
}

#[test]
fn an_empty_list_of_apps_is_no_app() {
    let told = serve(Some("apps = []"), &[("WEAUTH_MASTER_KEY", KEY)]).unwrap_err().to_string();
    assert!(told.starts_with("WECHAT_APPID"), "{told}");
}

#[test]
fn roles_are_read_and_bad_names_refused() {
    let file = "[roles.editor]\npermissions = ['posts:write', 'posts:read']";
    let config = serve(Some(file), &complete()).unwrap();
    let editor = crate::domain::Role::parse("editor").unwrap();
    assert_eq!(config.roles.permissions(&[editor]).len(), 2);
    assert!(
        only_mistake(Some("[roles.Editor]\npermissions = []"), &[])
            .starts_with("[roles.Editor] in weauth.toml")
    );
    assert!(only_mistake(Some("[roles.a]\npermissions = ['x y']"), &[]).contains("\"x y\""));
    assert!(only_mistake(Some("[roles.a]"), &[]).starts_with("`permissions` of [roles.a]"));
}

#[test]
fn no_secret_is_ever_shown() {
    let wrong = [
        ("DATABASE_URL", "mysql://user:hunter2@host/db"),
        ("WECHAT_APPID", "hunter2"),
        ("WECHAT_SECRET", "hunter2"),
        ("WECHAT_API_BASE", "https://user:hunter2@host"),
        ("WEAUTH_PUBLIC_URL", "https://user:hunter2@host"),
        ("WEAUTH_MASTER_KEY", "hunter2"),
    ];
    let file = "wechat_secret = 'hunter2'\n[[apps]]\nappid = 'hunter2'\nsecret = 'hunter2'";
    let told = serve(Some(file), &wrong).unwrap_err().to_string();
    assert!(!told.contains("hunter2") && told.lines().count() == 8, "{told}");
    let debug = format!("{:?}", serve(None, &complete()).unwrap());
    assert!(!debug.contains(SECRET) && !debug.contains("3q2+7w"), "{debug}");
}

#[test]
fn a_value_that_beats_the_file_is_named_as_the_culprit() {
    let mistake = only_mistake(Some("weauth_access_ttl = 60"), &[("WEAUTH_ACCESS_TTL", "0")]);
    assert!(mistake.ends_with("(the environment's value, which overrides the file's)"), "{mistake}");
}

#[test]
fn a_named_file_that_is_missing_is_a_mistake() {
    let sources = Sources::of_process(Some(std::path::Path::new("/nowhere/weauth.toml")));
    let told = DatabaseConfig::for_command(&sources).unwrap_err().to_string();
    assert!(told.starts_with("/nowhere/weauth.toml: the file can't be read"), "{told}");
}

#[test]
fn migrate_needs_the_database_only() {
    let config = DatabaseConfig::for_command(&sources(None, &[("WEAUTH_ACCESS_TTL", "0")])).unwrap();
    assert_eq!(config.url.to_string(), "sqlite://weauth.db");
    assert!(DatabaseConfig::for_command(&sources(Some("databse_url = 'x'"), &[])).is_err());
}

#[test]
fn dev_listens_on_loopback_and_ignores_what_production_needs() {
    let file = "database_url = 'wrong'\nwechat_appid = 'wrong'\nweauth_master_key = 'wrong'";
    let config = DevConfig::for_dev(&sources(Some(file), &[("WEAUTH_ACCESS_TTL", "60")]), None).unwrap();
    assert_eq!((config.server.listen.to_string().as_str(), config.tokens.access_ttl), ("127.0.0.1:8080", 60));
    let open = sources(None, &[("WEAUTH_LISTEN", "0.0.0.0:8080")]);
    assert!(DevConfig::for_dev(&open, None).unwrap_err().to_string().starts_with("WEAUTH_LISTEN"));
    assert!(parse_loopback("10.0.0.1:80").unwrap_err().contains("weauth serve"));
    let argument = parse_loopback("[::1]:0").unwrap();
    assert_eq!(DevConfig::for_dev(&open, Some(argument)).unwrap().server.listen, argument);
}

#[test]
fn keys_have_a_known_algorithm_and_a_sensible_age() {
    let config =
        serve(Some("weauth_signing_algorithm = 'ES256'\nweauth_key_max_age = 3600"), &complete()).unwrap();
    assert_eq!((config.keys.signing_algorithm.as_str(), config.keys.max_age), ("ES256", 3600));
    for wrong in ["HS256", "none", "eddsa"] {
        let mistake = only_mistake(None, &[("WEAUTH_SIGNING_ALGORITHM", wrong)]);
        assert!(mistake.contains("is none of EdDSA, ES256, RS256"), "{mistake}");
    }
    let mistake = only_mistake(None, &[("WEAUTH_KEY_MAX_AGE", "60")]);
    assert!(mistake.contains("is 60: give seconds, 0 or 3600 to 315360000"), "{mistake}");
}
