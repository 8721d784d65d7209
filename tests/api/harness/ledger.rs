//! Records all secrets of a test and all output of its programs, and looks for the secrets in the output.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// The paths whose responses contain tokens; no others may.
const TOKEN_ENDPOINTS: [&str; 3] = ["/login", "/token/refresh", "/token"];

/// Shorter texts are not secrets, and would be found by chance.
const SHORTEST_SECRET: usize = 12;

/// The kind of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// The AppSecret of a mini-program.
    OfApp,
    /// The key that encrypts at rest.
    MasterKey,
    /// The password of the database.
    DatabasePassword,
    /// A code of `wx.login`.
    LoginCode,
    /// WeChat's key for a user's data.
    SessionKey,
    /// A token that the server issued.
    Token,
    /// The API key of a backend.
    ApiKey,
    /// WeChat's response, verbatim.
    UpstreamBody,
}

/// The secrets and the output of one test.
#[derive(Default)]
pub struct Ledger {
    secrets: Mutex<BTreeMap<String, Secret>>, // plain and percent-encoded
    answers: Mutex<Vec<(String, String)>>,
    lines: Mutex<Vec<String>>,
}

impl Ledger {
    /// Registers a secret: from now on it may appear nowhere else.
    pub fn keep_secret(&self, kind: Secret, text: &str) {
        if text.len() >= SHORTEST_SECRET {
            let encoded = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            self.secrets.lock().unwrap().extend([(text.to_owned(), kind), (encoded, kind)]);
        }
    }

    /// Records a response with all its headers.
    pub fn answered(&self, path: &str, answer: &str) {
        self.answers.lock().unwrap().push((path.to_owned(), answer.to_owned()));
    }

    /// Records what a process wrote.
    pub fn said(&self, lines: Vec<String>) {
        self.lines.lock().unwrap().extend(lines);
    }

    /// Every secret found where it must not be, and every panic; empty in a test that passes.
    pub fn faults(&self) -> Vec<String> {
        let secrets = self.secrets.lock().unwrap();
        let mut faults = Vec::new();
        for line in self.lines.lock().unwrap().iter() {
            if line.contains("panicked") {
                faults.push(format!("a panic: {line}"));
            }
            for kind in found(&secrets, line) {
                faults.push(format!("{kind:?} in a log line: {line}"));
            }
        }
        for (path, answer) in self.answers.lock().unwrap().iter() {
            let path = path.split('?').next().unwrap_or_default();
            for kind in found(&secrets, answer) {
                if !(kind == Secret::Token && TOKEN_ENDPOINTS.contains(&path)) {
                    faults.push(format!("{kind:?} in an answer of {path}: {answer}"));
                }
            }
        }
        faults
    }

    /// What the processes wrote, for the report of a failed test.
    pub fn transcript(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// The kinds of secrets in `text`, plain or percent-encoded.
fn found(secrets: &BTreeMap<String, Secret>, text: &str) -> Vec<Secret> {
    secrets.iter().filter(|(secret, _)| text.contains(*secret)).map(|(_, kind)| *kind).collect()
}

#[test]
fn a_secret_is_found_in_logs_and_in_answers_where_it_does_not_belong() {
    let ledger = Ledger::default();
    ledger.keep_secret(Secret::Token, "eyJhbGciOi.J9.abc");
    ledger.keep_secret(Secret::SessionKey, "tiihtNczf5v6AKR+yhw==");
    ledger.answered("/login", r#"{"access_token":"eyJhbGciOi.J9.abc"}"#);
    ledger.said(vec!["a quiet line".to_owned()]);
    assert_eq!(ledger.faults(), Vec::<String>::new());

    ledger.answered("/me?lang=zh", "eyJhbGciOi.J9.abc");
    ledger.answered("/login", "tiihtNczf5v6AKR%2Byhw%3D%3D");
    ledger.said(vec!["token=eyJhbGciOi.J9.abc".to_owned()]);
    ledger.said(vec!["thread 'main' panicked at src/main.rs".to_owned()]);
    assert_eq!(ledger.faults().len(), 4, "{:#?}", ledger.faults());
}
