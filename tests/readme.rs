//! The two READMEs match the program (client module, error codes; settings: see `src/config/settings.rs`) and each other.

#![expect(clippy::unwrap_used, reason = "that is how a test fails")]

use weauth::{Config, ErrorCode, Mistakes, Retry, Sources};

const READMES: [(&str, &str); 2] =
    [("README.md", include_str!("../README.md")), ("README.zh-CN.md", include_str!("../README.zh-CN.md"))];
const CLIENT: &str = include_str!("../examples/mini-program/utils/weauth.js");

/// The fenced blocks of a language, without their fences.
fn blocks<'a>(readme: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let after = readme.split(&opening).skip(1);
    after.map(|rest| rest.split_once("\n```\n").unwrap().0).collect()
}

#[test]
fn the_client_is_shown_as_it_lies_in_the_examples() {
    for (name, readme) in READMES {
        assert!(blocks(readme, "js").contains(&CLIENT.trim_end()), "{name}");
    }
}

#[test]
fn every_error_code_stands_there_with_status_and_retry() {
    for (name, readme) in READMES {
        for code in ErrorCode::ALL {
            let retry = match code.retry() {
                Retry::None => "none",
                Retry::Later => "later",
                Retry::Relogin => "relogin",
            };
            let row = format!("| {} | `{}` | `{retry}` |", code.status().as_u16(), code.as_str());
            assert!(readme.contains(&row), "{name} has no row {row}");
        }
    }
}

#[test]
fn the_file_of_settings_lacks_nothing_but_real_app_secrets() {
    for (name, readme) in READMES {
        let toml = *blocks(readme, "toml").first().unwrap();
        let mistakes = serve(toml).unwrap_err();
        assert_eq!(mistakes.iter().count(), toml.matches("\nsecret = ").count(), "{name}: {mistakes}");
        assert!(mistakes.iter().all(|mistake| mistake.what.contains("is an example")), "{name}: {mistakes}");
        let lines = toml.lines().map(|line| match line.split_once("secret = ") {
            Some(("", _)) => format!("secret = '{}'\n", uuid::Uuid::now_v7().simple()),
            _ => format!("{line}\n"),
        });
        let config = serve(&lines.collect::<String>());
        assert!(config.is_ok(), "{name}: {}", config.unwrap_err());
    }
}

fn serve(toml: &str) -> Result<Config, Mistakes> {
    let key = ("WEAUTH_MASTER_KEY".to_owned(), "u3Zk1pVq7bS0n2Yx9cD4fG6hJ8kL5mN1oP3qR7sT9vA=".to_owned());
    Config::for_serve(&Sources::new(Some(toml), [key]))
}

#[test]
fn both_show_the_same_programs_and_configurations() {
    for language in ["js", "python", "go", "java", "rust", "nginx", "caddyfile", "yaml", "sql"] {
        let [english, chinese] = READMES.map(|(_, readme)| blocks(readme, language));
        assert!(!english.is_empty() && english == chinese, "{language}");
    }
}

#[test]
fn both_have_the_same_parts() {
    let parts = |text: &str| {
        let headings =
            text.lines().filter(|line| line.starts_with("## ") || line.starts_with("### ")).count();
        let commands: Vec<String> = blocks(text, "sh").iter().map(|block| without_comments(block)).collect();
        (headings, commands)
    };
    assert_eq!(parts(READMES[0].1), parts(READMES[1].1));
}

/// A block of commands without its comments, which are in the README's language.
fn without_comments(block: &str) -> String {
    block
        .lines()
        .map(|line| line.split(" #").next().unwrap().trim_end().to_owned() + "\n")
        .filter(|line| !line.starts_with('#'))
        .collect()
}
