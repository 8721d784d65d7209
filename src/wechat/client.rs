//! The client of WeChat's server API. The AppSecret is sent in the URL, so no URL may reach a log or an error.

use super::error::{SYSTEM_BUSY, advice, meaning};
use super::{WeChatError, wire};
use crate::domain::{App, LoginCode, OpenId, SessionKey, UnionId};
use crate::shared::lock;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use url::Url;

/// Timeout for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Timeout for a whole exchange, including retries.
const DEADLINE: Duration = Duration::from_secs(5);

/// The longest response that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// How many times a call is retried after `-1`.
const RETRIES: u32 = 2;

/// The result of exchanging a code.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The user within the app.
    pub openid: OpenId,
    /// The key of the user's session with WeChat.
    pub session_key: SessionKey,
    /// The user across all apps of one Open Platform account.
    pub unionid: Option<UnionId>,
}

/// A client of WeChat, or of a server in its place. Cheap to clone. Each calling thread has connections of
/// its own, which no other thread wakes or waits for.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    code2session: Url,
    /// Created at start, so that a machine where this fails is detected then; the first thread takes it.
    first: Mutex<Option<reqwest::Client>>,
}

thread_local! {
    /// The HTTP clients of this thread, one per [`Client`].
    static HTTP: RefCell<Vec<(Weak<Inner>, reqwest::Client)>> = const { RefCell::new(Vec::new()) };
}

fn http_client() -> Result<reqwest::Client, String> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tcp_nodelay(true)
        .pool_idle_timeout(Duration::from_secs(30))
        .pool_max_idle_per_host(512)
        .build()
        .map_err(|error| format!("the HTTP client can't be made: {}", error.without_url()))
}

impl Client {
    /// A client of the API at `base`, such as `https://api.weixin.qq.com`. It ignores proxies in the
    /// environment, because they would see the AppSecret.
    pub fn new(base: &Url) -> Result<Self, String> {
        let first = Mutex::new(Some(http_client()?));
        let mut code2session = base.clone();
        let path = format!("{}/sns/jscode2session", base.path().trim_end_matches('/'));
        code2session.set_path(&path);
        Ok(Self(Arc::new(Inner { code2session, first })))
    }

    /// This thread's HTTP client.
    fn http(&self) -> Result<reqwest::Client, WeChatError> {
        HTTP.with_borrow_mut(|known| {
            let ours = Arc::downgrade(&self.0);
            if let Some((_, http)) = known.iter().find(|(owner, _)| owner.ptr_eq(&ours)) {
                return Ok(http.clone());
            }
            let first = lock(&self.0.first).take();
            let http = first.map_or_else(http_client, Ok).map_err(|error| {
                log::error!("{error}");
                WeChatError::Unavailable
            })?;
            known.retain(|(owner, _)| owner.strong_count() > 0);
            known.push((ours, http.clone()));
            Ok(http)
        })
    }

    /// Exchanges a login code (`code2Session`). Retries after `-1` only; takes at most five seconds in all.
    pub async fn exchange(&self, app: &App, code: LoginCode) -> Result<Exchanged, WeChatError> {
        tokio::time::timeout(DEADLINE, self.attempts(app, &code)).await.unwrap_or_else(|_| {
            log::error!("WeChat did not answer a login of {app} within {} s", DEADLINE.as_secs());
            Err(WeChatError::Timeout)
        })
    }

    /// Not a block in `exchange`: that would hold the future of the attempts twice.
    async fn attempts(&self, app: &App, code: &LoginCode) -> Result<Exchanged, WeChatError> {
        let url = self.code2session_url(app, code);
        let http = self.http()?;
        let mut retries = 0;
        loop {
            let answer = call(&http, url.clone()).await?;
            if answer.errcode == SYSTEM_BUSY && retries < RETRIES {
                retries += 1;
                tokio::time::sleep(jittered_pause()).await;
                continue;
            }
            return match read(app, code, answer) {
                Err(WeChatError::CodeUsed) if retries > 0 => Err(WeChatError::OutcomeUnknown),
                result => result,
            };
        }
    }

    fn code2session_url(&self, app: &App, code: &LoginCode) -> Url {
        let mut url = self.0.code2session.clone();
        url.query_pairs_mut()
            .append_pair("appid", app.id.as_str())
            .append_pair("secret", app.secret.expose())
            .append_pair("js_code", code.expose())
            .append_pair("grant_type", "authorization_code");
        url
    }
}

async fn call(http: &reqwest::Client, url: Url) -> Result<wire::Code2Session, WeChatError> {
    let mut response = http.get(url).send().await.map_err(|error| not_sent(&error))?;
    if !response.status().is_success() {
        return Err(WeChatError::BadResponse(format!("HTTP status {}", response.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| not_read(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(WeChatError::BadResponse("longer than 64 KiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    // A parser's message may quote the body, so it is dropped.
    wire::read(&body).ok_or_else(|| WeChatError::BadResponse("not the JSON it should be".into()))
}

fn read(app: &App, code: &LoginCode, answer: wire::Code2Session) -> Result<Exchanged, WeChatError> {
    if answer.errcode != 0 {
        let (errcode, errmsg) = (answer.errcode, answer.errmsg.unwrap_or_default());
        let error = meaning(errcode);
        let level = match error {
            WeChatError::CodeInvalid | WeChatError::CodeUsed | WeChatError::UserBlocked(_) => {
                log::Level::Info
            }
            _ => log::Level::Error,
        };
        let errmsg = without_secrets(&errmsg, &[app.secret.expose(), code.expose()]);
        log::log!(level, "WeChat refused a login of {app}: {errcode} {errmsg}: {}", advice(errcode));
        return Err(error);
    }
    let field = |name: &str| WeChatError::BadResponse(format!("success without a usable {name}"));
    Ok(Exchanged {
        openid: answer.openid.as_deref().and_then(OpenId::parse).ok_or_else(|| field("openid"))?,
        session_key: answer
            .session_key
            .as_deref()
            .and_then(SessionKey::parse)
            .ok_or_else(|| field("session_key"))?,
        unionid: answer.unionid.as_deref().filter(|unionid| !unionid.is_empty()).and_then(UnionId::parse),
    })
}

/// Makes WeChat's message safe for a log: truncated, and without the secrets that were sent and anything that
/// looks like a session key.
fn without_secrets(errmsg: &str, secrets: &[&str]) -> String {
    let hidden = secrets.iter().fold(errmsg.to_owned(), |text, secret| text.replace(secret, "…"));
    let ends_word = |c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c);
    let words = hidden.split_inclusive(ends_word).map(|piece| {
        let word = piece.trim_end_matches(ends_word);
        let is_key = word.len() >= 24 && word.ends_with("==");
        if is_key { piece.replace(word, "…") } else { piece.to_owned() }
    });
    words.collect::<String>().chars().take(300).collect()
}

/// The error for a request that could not be sent or got no response.
fn not_sent(error: &reqwest::Error) -> WeChatError {
    let failure = if error.is_connect() || !error.is_timeout() {
        WeChatError::Unavailable
    } else {
        WeChatError::Timeout
    };
    log::warn!("WeChat did not answer: {}", cause(error));
    failure
}

fn not_read(error: &reqwest::Error) -> WeChatError {
    WeChatError::BadResponse(format!("it broke off: {}", cause(error)))
}

/// The innermost cause, which lacks the URL with the AppSecret.
fn cause(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.last().map_or_else(|| "no further cause".to_owned(), ToString::to_string)
}

/// A random pause of 100 to 300 ms, so that retries do not arrive together.
fn jittered_pause() -> Duration {
    let [random] = crate::crypto::random_bytes::<1>();
    Duration::from_millis(100 + u64::from(random) * 200 / 255)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_secret_that_wechat_repeats_reaches_the_log() {
        let said = r#"invalid code 0a1B2c3, secret "8f1d64c2", key="tiihtNczf5v6AKRyjwEUhQ==", rid: 6b03a972-7eff8720"#;
        assert_eq!(
            without_secrets(said, &["8f1d64c2", "0a1B2c3"]),
            r#"invalid code …, secret "…", key="…", rid: 6b03a972-7eff8720"#
        );
        assert_eq!(without_secrets(&"x".repeat(1000), &["y"]).len(), 300);
    }
}
