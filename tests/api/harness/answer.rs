//! A response read completely, with the assertions that every response of its kind must pass.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// Status, headers and body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// Reads the response to its end.
    pub async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = String::from_utf8_lossy(&response.bytes().await?).into_owned();
        Ok(Self { status, headers, text })
    }

    /// A header as text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are ASCII"))
    }

    /// The body as JSON; `Value::Null` if it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The `code` of a problem; empty if it is not one.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Expects success; returns the JSON.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        assert!(self.header("content-type").starts_with("application/json"), "{:?}", self.headers);
        assert_request_id(self);
        self.json()
    }

    /// Expects a problem with this status and code, in the form that every problem has; returns the JSON.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status.as_u16(), problem["code"].as_str()), (status, Some(code)), "{self:?}");
        assert!(
            self.header("content-type").starts_with("application/problem+json"),
            "a problem is application/problem+json: {:?}",
            self.headers
        );
        for field in ["type", "title", "detail", "code", "retry", "request_id"] {
            let text = problem[field].as_str();
            assert!(text.is_some_and(|text| !text.is_empty()), "`{field}` of {problem}");
        }
        assert_eq!(problem["status"], status, "{problem}");
        let retry = problem["retry"].as_str().unwrap();
        assert!(["none", "later", "relogin"].contains(&retry), "{problem}");
        assert_eq!(problem["request_id"], self.header("x-request-id"), "{problem}");
        assert_request_id(self);
        if status == 401 {
            let challenge = self.header("www-authenticate");
            assert!(challenge.starts_with("Bearer"), "a 401 carries a Bearer challenge: {challenge:?}");
        }
        if status == 429 || status == 503 {
            let seconds = self.header("retry-after").parse::<u32>();
            assert!(seconds.is_ok_and(|s| s >= 1), "{status} carries Retry-After: {:?}", self.headers);
        }
        problem
    }

    /// Expects an error of RFC 6749 5.2 along with the whole problem object; returns the JSON.
    #[track_caller]
    pub fn oauth_error(&self, status: u16, error: &str, code: &str) -> Value {
        let body = self.json();
        let told = (self.status.as_u16(), body["error"].as_str(), body["code"].as_str());
        assert_eq!(told, (status, Some(error), Some(code)), "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.header("cache-control"), "no-store");
        for field in ["error_description", "type", "title", "detail", "retry"] {
            assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "`{field}` of {body}");
        }
        let description = body["error_description"].as_str().unwrap().bytes();
        assert!(
            description.into_iter().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{body}"
        );
        assert_eq!(
            (&body["status"], body["request_id"].as_str()),
            (&status.into(), Some(self.header("x-request-id")))
        );
        assert_request_id(self);
        let challenges: Vec<_> = self.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(challenges.len(), if status == 401 { 2 } else { 0 }, "{challenges:?}");
        assert_eq!(self.headers.contains_key("retry-after"), status == 429 || status == 503);
        body
    }

    /// Expects a problem that tells the client to do this next.
    #[track_caller]
    pub fn problem_with_retry(&self, status: u16, code: &str, retry: &str) -> Value {
        let problem = self.problem(status, code);
        assert_eq!(problem["retry"], retry, "{problem}");
        problem
    }
}

#[track_caller]
fn assert_request_id(answer: &Answer) {
    let id = answer.header("x-request-id");
    let well_formed = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    assert!((8..=128).contains(&id.len()) && well_formed, "X-Request-Id of {answer:?}");
}
