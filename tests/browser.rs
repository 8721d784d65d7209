//! The demo page of `weauth dev` in a real browser: a user's steps, and what they see.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "that is how a test fails")]

#[path = "api/harness/process.rs"]
#[expect(dead_code, reason = "the server's own tests need more of it")]
mod process;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use process::Process;
use serde_json::{Value, json};
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// How long a step of the page may take, including its animation.
const STEP: Duration = Duration::from_secs(30);

/// Flags of a throwaway browser: no sandbox for root, no background calls, ends with its driver. It prefers
/// reduced motion, so that nothing moves away under a click.
const FLAGS: [&str; 12] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-prefers-reduced-motion",
    "--remote-debugging-pipe",
    "--window-size=1280,1000",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_is_shown_step_by_step() {
    let demo = Demo::open().await;
    demo.type_user("carol").await;

    demo.click("wx-login").await;
    demo.see("#code[data-state='fresh']").await;
    demo.click("login").await;
    demo.see("#login-out[data-status='200']").await;
    demo.see("#out-status[data-status='200']").await;
    demo.see("#person[data-signed-in='true']").await;
    demo.see("#code[data-state='spent']").await;
    let login = demo.answer().await;
    assert_eq!((&login["token_type"], &login["user"]["created"]), (&json!("Bearer"), &json!(true)));
    let claims = demo.text("claims").await;
    for claim in ["iss", "sub", "sid", login["user"]["id"].as_str().unwrap()] {
        assert!(claims.contains(claim), "{claim} is missing in {claims}");
    }

    demo.click("me").await;
    demo.see("#me-out[data-status='200']").await;
    assert_eq!(demo.answer().await["id"], login["user"]["id"]);
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_sent_twice_is_used_unless_it_is_a_repeat() {
    let demo = Demo::open().await;
    demo.click("login").await;
    demo.see("#login-out[data-status='200']").await;

    demo.click("repeat").await;
    demo.see("#repeat-out[data-status='401'][data-code='wechat_code_used']").await;
    assert_eq!(demo.answer().await["retry"], "relogin");

    demo.click("repeat-key").await;
    demo.see("#repeat-out[data-status='200']").await;
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_logins_with_one_code_are_one_session() {
    let demo = Demo::open().await;
    demo.click("parallel").await;
    demo.see("#parallel-out[data-ok='20'][data-users='1'][data-sessions='1'][data-exchanges='1']").await;
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_wechats_is_turned_on_and_off() {
    let demo = Demo::open().await;
    demo.choose("fault", "html").await;
    demo.click("fault-on").await;
    demo.see("#fault-off:enabled").await;
    demo.click("fault-try").await;
    demo.see("#fault-out[data-status='502'][data-code='wechat_bad_response']").await;

    demo.click("fault-off").await;
    demo.see("#fault-off:disabled").await;
    demo.click("fault-try").await;
    demo.see("#fault-out[data-status='200']").await;
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_or_with_a_broken_one_nobody_is_let_in() {
    let demo = Demo::open().await;
    demo.click("me-none").await;
    demo.see("#guard-out[data-status='401'][data-code='token_missing']").await;
    demo.click("me-broken").await;
    demo.see("#guard-out[data-status='401'][data-code='token_invalid']").await;
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_speaks_chinese_and_english() {
    let demo = Demo::open().await;
    let before = demo.text("main").await;
    demo.click("lang").await;
    let after = demo.text("main").await;

    let is_chinese = |text: &str| text.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count() > 50;
    assert_ne!(is_chinese(&before), is_chinese(&after), "{before}\n----\n{after}");
    demo.click("login").await;
    demo.see("#login-out[data-status='200']").await;
    demo.click("lang").await;
    assert_eq!(is_chinese(&demo.text("main").await), is_chinese(&before));
    demo.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_person_types_is_never_markup() {
    let demo = Demo::open().await;
    demo.type_user("<img src=x onerror=document.title='gone'>").await;
    demo.click("wx-login").await;
    demo.click("login").await;
    demo.see("#login-out[data-status]").await;

    let title = demo.page.title().await.unwrap();
    assert_ne!(title, "gone");
    let images = demo.page.find_all(Locator::Css("main img")).await.unwrap();
    assert!(images.is_empty());
    demo.close().await;
}

/// The page, open in its own browser, served by its own server.
struct Demo {
    page: Client,
    driver: Process,
    server: Process,
    _folders: [TempDir; 2],
}

impl Demo {
    async fn open() -> Self {
        let (home, profile) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let server = Process::weauth(home.path(), &["dev", "--listen", "127.0.0.1:0"], &[]);
        let mut chromedriver = Command::new("chromedriver");
        chromedriver.arg("--port=0").env("TMPDIR", profile.path());
        let driver = Process::start(chromedriver);
        let port = driver.wait_for("port of chromedriver", |line| {
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });

        let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": arguments}));
        let page = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("the browser starts");
        page.goto(&format!("{}/demo", server.address())).await.unwrap();
        let demo = Self { page, driver, server, _folders: [home, profile] };
        demo.see("body[data-ready='true']").await;
        demo
    }

    /// Closes the browser and stops the server, which must not have logged a panic.
    async fn close(self) {
        self.page.clone().close().await.unwrap();
        self.server.terminate();
        assert!(self.server.end().success(), "weauth dev ended well");
        let said = self.server.lines().join("\n");
        assert!(!said.contains("panicked"), "{said}");
    }

    /// Waits until an element matches.
    async fn see(&self, selector: &str) {
        let seen = self.page.wait().at_most(STEP).for_element(Locator::Css(selector)).await;
        if let Err(error) = seen {
            let page = self.text("main").await;
            panic!("{selector} is not to be seen ({error}) on:\n{page}");
        }
    }

    /// Clicks a button as soon as the page is idle, and waits until it is idle again.
    async fn click(&self, id: &str) {
        self.see("body:not([data-busy])").await;
        let button = self.page.find(Locator::Id(id)).await.unwrap();
        button.click().await.unwrap();
        self.see("body:not([data-busy])").await;
    }

    async fn type_user(&self, name: &str) {
        let field = self.page.find(Locator::Id("user")).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(name).await.unwrap();
    }

    async fn choose(&self, id: &str, value: &str) {
        let list = self.page.find(Locator::Id(id)).await.unwrap();
        list.select_by_value(value).await.unwrap();
    }

    async fn text(&self, id: &str) -> String {
        self.page.find(Locator::Id(id)).await.unwrap().text().await.unwrap()
    }

    /// The last answer, as the page shows it.
    async fn answer(&self) -> Value {
        let text = self.text("out-body").await;
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        self.driver.kill(); // and the browser with it: their pipe is closed
    }
}
