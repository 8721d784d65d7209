//! `weauth serve` refuses to start on a wrong setting, and reports it and all the others.

use crate::harness::{ISSUER, app_secret, appid, master_key, run_weauth};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

/// Settings with which the server starts.
fn good() -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", "sqlite://weauth.db".to_owned()),
        ("WECHAT_APPID", appid()),
        ("WECHAT_SECRET", app_secret()),
        ("WECHAT_API_BASE", "http://127.0.0.1:9".to_owned()),
        ("WEAUTH_LISTEN", "127.0.0.1:0".to_owned()),
        ("WEAUTH_PUBLIC_URL", ISSUER.to_owned()),
        ("WEAUTH_MASTER_KEY", master_key()),
    ]
}

#[test]
fn each_wrong_setting_is_refused_and_named() {
    let trivial_key = STANDARD.encode([7; 32]);
    let example_key = STANDARD.encode("change-me-change-me-change-me-32");
    let short_key = STANDARD.encode([1, 9, 4, 3, 8, 2]);
    for (name, wrong) in [
        ("WECHAT_APPID", ""),
        ("WECHAT_APPID", "wx0123456789ABCDEF"),
        ("WECHAT_APPID", "1234"),
        ("WECHAT_SECRET", ""),
        ("WECHAT_SECRET", "too-short-for-a-secret"),
        ("WECHAT_SECRET", "00000000000000000000000000000000"),
        ("WECHAT_SECRET", "0123456789abcdef0123456789abcdef"),
        ("WEAUTH_MASTER_KEY", ""),
        ("WEAUTH_MASTER_KEY", "not base64 at all, sorry"),
        ("WEAUTH_MASTER_KEY", &short_key),
        ("WEAUTH_MASTER_KEY", &trivial_key),
        ("WEAUTH_MASTER_KEY", &example_key),
        ("WEAUTH_PUBLIC_URL", "https://login.test/?a=b"),
        ("WEAUTH_PUBLIC_URL", "https://login.test/#top"),
        ("WEAUTH_PUBLIC_URL", "login.test"),
        ("WEAUTH_LISTEN", "here"),
        ("WEAUTH_LISTEN", "127.0.0.1:99999"),
        ("WECHAT_API_BASE", "api.weixin.qq.com"),
        ("DATABASE_URL", "weauth.db"),
        ("DATABASE_URL", "host=localhost dbname=weauth"),
        ("DATABASE_URL", "mysql://localhost/weauth"),
        ("WEAUTH_ACCESS_TTL", "0"),
        ("WEAUTH_REFRESH_TTL", "0"),
        ("WEAUTH_ACCESS_TTL", "2h"),
        ("WEAUTH_REPLAY_WINDOW", "-1"),
        ("WEAUTH_TRUSTED_PROXIES", "10.0.0.0/99"),
        ("WEAUTH_LOG_FORMAT", "xml"),
    ] {
        let said = refusal_of(&[(name, wrong)]);
        assert!(said.contains(name), "{name}={wrong:?} is refused with:\n{said}");
        let secret = name.ends_with("SECRET") || name.ends_with("KEY");
        assert!(!(secret && wrong.len() > 8 && said.contains(wrong)), "a secret is not repeated:\n{said}");
    }
}

#[test]
fn an_example_is_refused_with_the_way_to_a_real_secret() {
    let said = refusal_of(&[
        ("WECHAT_SECRET", "8f1d64c2b97e03a5d6c8417f92be30da"),
        ("WEAUTH_MASTER_KEY", &STANDARD.encode("example-example-example-example-")),
    ]);
    for mend in ["copy your own from mp.weixin.qq.com", "openssl rand -base64 32"] {
        assert!(said.contains(mend), "{mend} is missing in:\n{said}");
    }
}

#[test]
fn all_mistakes_are_named_at_once() {
    let wrong = [
        ("WECHAT_APPID", "wx1"),
        ("WECHAT_SECRET", "s3cret-and-malformed"),
        ("WEAUTH_MASTER_KEY", ""),
        ("WEAUTH_PUBLIC_URL", "nowhere"),
        ("WEAUTH_ACCESS_TTL", "0"),
        ("DATABASE_URL", "weauth.db"),
    ];
    let said = refusal_of(&wrong);
    for (name, value) in wrong {
        assert!(said.contains(name), "{name} is missing in:\n{said}");
        assert!(name != "WECHAT_SECRET" || !said.contains(value), "a secret is not repeated:\n{said}");
    }
}

#[test]
fn a_server_without_any_setting_says_what_it_needs() {
    let said = refusal(&TempDir::new().unwrap(), &["serve"], Vec::new());
    for name in ["WECHAT_APPID", "WECHAT_SECRET", "WEAUTH_MASTER_KEY"] {
        assert!(said.contains(name), "{name} is missing in:\n{said}");
    }
}

#[test]
fn a_mistyped_key_of_the_file_is_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("weauth.toml"), "weauth_acces_ttl = 60\n").unwrap();
    let said = refusal(&folder, &["serve"], good());
    assert!(said.contains("weauth_acces_ttl") && said.contains("weauth.toml"), "{said}");
}

#[test]
fn a_file_that_is_not_there_or_no_toml_is_named() {
    let said = refusal(&TempDir::new().unwrap(), &["serve", "--config", "missing.toml"], good());
    assert!(said.contains("missing.toml"), "{said}");

    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("broken.toml"), "[[apps]\nappid = ").unwrap();
    let said = refusal(&folder, &["serve", "--config", "broken.toml"], good());
    assert!(said.contains("broken.toml"), "{said}");
}

#[test]
fn two_apps_with_one_appid_are_refused() {
    let folder = TempDir::new().unwrap();
    let (appid, one, two) = (appid(), app_secret(), app_secret());
    let apps = [&one, &two].map(|secret| format!("[[apps]]\nappid = \"{appid}\"\nsecret = \"{secret}\"\n"));
    std::fs::write(folder.path().join("weauth.toml"), apps.concat()).unwrap();
    let mut settings = good();
    settings.retain(|(name, _)| !name.starts_with("WECHAT_APPID") && !name.starts_with("WECHAT_SECRET"));
    let said = refusal(&folder, &["serve"], settings);
    assert!(said.contains(&appid), "{said}");
    assert!(!said.contains(&one) && !said.contains(&two), "a secret is not repeated:\n{said}");
}

#[test]
fn wrong_usage_ends_with_2() {
    for arguments in [&["serve", "--no-such-option"][..], &["no-such-command"], &[]] {
        let refused = run_weauth(TempDir::new().unwrap().path(), arguments, &[]);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?} gives {refused:?}");
    }
}

#[test]
fn a_disk_that_is_full_leaves_no_half_key() {
    let folder = TempDir::new().unwrap();
    let mut dev = std::process::Command::new("sh");
    // A file that may not grow is written as on a full disk.
    dev.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" dev --listen 127.0.0.1:0"]);
    let ended = dev.arg(env!("CARGO_BIN_EXE_weauth")).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("weauth-dev.key: File too large"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the next start begins anew");
}

/// What `serve` prints when these settings replace good ones.
fn refusal_of(wrong: &[(&'static str, &str)]) -> String {
    let mut settings = good();
    settings.retain(|(name, _)| wrong.iter().all(|(replaced, _)| replaced != name));
    settings.extend(wrong.iter().map(|(name, value)| (*name, (*value).to_owned())));
    refusal(&TempDir::new().unwrap(), &["serve"], settings)
}

/// What `weauth` prints when it exits with 1, as it must.
fn refusal(folder: &TempDir, arguments: &[&str], settings: Vec<(&str, String)>) -> String {
    let settings: Vec<_> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let refused = run_weauth(folder.path(), arguments, &settings);
    assert_eq!(refused.status.code(), Some(1), "{settings:?} gives {refused:?}");
    assert_eq!(refused.printed, "", "errors go to standard error");
    refused.said
}
