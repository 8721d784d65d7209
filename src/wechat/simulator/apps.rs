//! The simulated mini-programs: their secrets, switches and state.

use super::access_tokens::AccessTokens;
use super::session_keys::SessionKeys;
use super::wire::Errcode;
use crate::domain::AppId;
use crate::shared::{lock, read, write};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock};

/// Most apps that are registered on first use.
const CAPACITY: usize = 1000;

/// The configurable behaviour of a simulated app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AppSwitches {
    /// Is the app bound to an Open Platform account, so that logins return a `unionid`? Default: yes.
    pub unionid: bool,
    /// Has the owner frozen the secret (40243)? Default: no.
    pub frozen: bool,
    /// Do logins return `"expires_in":7200` and escaped slashes, as until 2018? Default: no.
    pub legacy_expires_in: bool,
    /// A login gets a new session key if the current one is at least this old, in seconds. Default: 3600; 0
    /// means at every login.
    pub key_rotation_seconds: i64,
    /// Does sending a code with another app's appid use it up? Default: yes.
    pub burn_on_wrong_app: bool,
    /// The errcode for a phone code sent with another user's openid, which WeChat does not document. Default: 40003.
    pub phone_openid_errcode: i64,
}

impl Default for AppSwitches {
    fn default() -> Self {
        Self {
            unionid: true,
            frozen: false,
            legacy_expires_in: false,
            key_rotation_seconds: 3600,
            burn_on_wrong_app: true,
            phone_openid_errcode: 40003,
        }
    }
}

/// A mini-program to simulate.
#[derive(Clone, Default)]
pub struct SimulatedApp {
    /// Its appid.
    pub appid: String,
    /// Its AppSecret.
    pub secret: String,
    /// Its behaviour.
    pub switches: AppSwitches,
}

/// Omits the secret.
impl std::fmt::Debug for SimulatedApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedApp")
            .field("appid", &self.appid)
            .field("switches", &self.switches)
            .finish_non_exhaustive()
    }
}

/// The changes to an app that a request to the control API asks for.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AppChange {
    secret: Option<String>,
    unionid: Option<bool>,
    frozen: Option<bool>,
    legacy_expires_in: Option<bool>,
    key_rotation_seconds: Option<i64>,
    burn_on_wrong_app: Option<bool>,
    phone_openid_errcode: Option<i64>,
}

impl AppChange {
    /// Are all values valid?
    pub(super) fn is_sound(&self) -> bool {
        self.key_rotation_seconds.is_none_or(|seconds| seconds >= 0) && self.phone_openid_errcode != Some(0)
    }
}

/// The state of an app.
pub(super) struct App {
    pub(super) appid: String,
    /// `None` until the first call sets it.
    secret: RwLock<Option<String>>,
    switches: RwLock<AppSwitches>,
    pub(super) tokens: Mutex<AccessTokens>,
    pub(super) session_keys: SessionKeys,
}

impl App {
    fn new(appid: &str, secret: Option<String>, switches: AppSwitches) -> Arc<Self> {
        Arc::new(Self {
            appid: appid.to_owned(),
            secret: RwLock::new(secret),
            switches: RwLock::new(switches),
            tokens: Mutex::default(),
            session_keys: SessionKeys::new(),
        })
    }

    /// The current switches.
    pub(super) fn switches(&self) -> AppSwitches {
        *read(&self.switches)
    }

    /// Is this the secret? If the app has none yet, the first one becomes its secret.
    pub(super) fn check_secret(&self, given: &str) -> Result<(), Errcode> {
        let known = read(&self.secret).as_deref().map(|secret| secret == given);
        let fits = known.unwrap_or_else(|| {
            let mut secret = write(&self.secret);
            secret.get_or_insert_with(|| given.to_owned()) == given
        });
        match (fits, self.switches().frozen) {
            (false, _) => Err(40125),
            (true, true) => Err(40243),
            (true, false) => Ok(()),
        }
    }

    /// Applies the given changes.
    pub(super) fn change(&self, change: AppChange) {
        if let Some(secret) = change.secret {
            *write(&self.secret) = Some(secret);
        }
        let mut switches = write(&self.switches);
        let old = *switches;
        *switches = AppSwitches {
            unionid: change.unionid.unwrap_or(old.unionid),
            frozen: change.frozen.unwrap_or(old.frozen),
            legacy_expires_in: change.legacy_expires_in.unwrap_or(old.legacy_expires_in),
            key_rotation_seconds: change.key_rotation_seconds.unwrap_or(old.key_rotation_seconds),
            burn_on_wrong_app: change.burn_on_wrong_app.unwrap_or(old.burn_on_wrong_app),
            phone_openid_errcode: change.phone_openid_errcode.unwrap_or(old.phone_openid_errcode),
        };
    }
}

/// All apps. If none is configured, any well-formed appid is accepted.
pub(super) struct Apps {
    configured: Vec<SimulatedApp>,
    apps: RwLock<HashMap<String, Arc<App>>>,
}

impl Apps {
    pub(super) fn new(configured: Vec<SimulatedApp>) -> Self {
        let apps = Self { configured, apps: RwLock::default() };
        apps.reset();
        apps
    }

    /// Restores the configured apps to their initial state and removes all others.
    pub(super) fn reset(&self) {
        let fresh = |app: &SimulatedApp| {
            (app.appid.clone(), App::new(&app.appid, Some(app.secret.clone()), app.switches))
        };
        *write(&self.apps) = self.configured.iter().map(fresh).collect();
    }

    /// The app with this id; `None` where WeChat would answer 40013.
    pub(super) fn get(&self, appid: &str) -> Option<Arc<App>> {
        let known = read(&self.apps).get(appid).cloned();
        if known.is_some() || !self.configured.is_empty() {
            return known;
        }
        AppId::parse(appid).ok()?;
        let mut apps = write(&self.apps);
        if apps.len() >= CAPACITY {
            return apps.get(appid).cloned();
        }
        let new = || App::new(appid, None, AppSwitches::default());
        Some(apps.entry(appid.to_owned()).or_insert_with(new).clone())
    }

    /// The app, if there is exactly one.
    pub(super) fn only(&self) -> Option<Arc<App>> {
        let apps = read(&self.apps);
        if apps.len() == 1 { apps.values().next().cloned() } else { None }
    }

    /// The app that this access token belongs to, if the token is valid.
    pub(super) fn of_token(&self, token: &str, now: i64) -> Result<Arc<App>, Errcode> {
        let apps = read(&self.apps);
        let verdict = apps.values().find_map(|app| Some((lock(&app.tokens).check(token, now)?, app)));
        match verdict {
            Some((Ok(()), app)) => Ok(app.clone()),
            Some((Err(errcode), _)) => Err(errcode),
            None if super::access_tokens::is_token_shaped(token) => Err(40001),
            None => Err(40014),
        }
    }

    /// All apps, sorted by id.
    pub(super) fn all(&self) -> Vec<Arc<App>> {
        let mut all: Vec<_> = read(&self.apps).values().cloned().collect();
        all.sort_by(|a, b| a.appid.cmp(&b.appid));
        all
    }
}
