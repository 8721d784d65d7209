//! The WeChatActor sees to it that a code is exchanged once, however many requests bring it.
//!
//! Requests for one code share one call ("single flight"). The call runs in a task of its own: a caller who
//! loses patience cancels nobody else's, and a panic in it costs that exchange only.

use crate::domain::{App, AppId, CodeHash, LoginCode, Time};
use crate::wechat::{Circuit, Client, Exchanged, WeChatError};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use futures_util::FutureExt;
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// How many spent codes are remembered: a repeat of one is refused without asking WeChat.
const REMEMBERED_CODES: usize = 20_000;

type CodeKey = (AppId, CodeHash);
type Answer = Result<Exchange, WeChatError>;

/// A code's exchange, and when it began.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What WeChat gave.
    pub exchanged: Exchanged,
    /// When WeChat was first asked; of two exchanges of one person the later one's key counts.
    pub began_at: Time,
}

struct WeChatActor {
    client: Client,
    apps: HashMap<AppId, (Arc<App>, Circuit)>,
    /// Who waits for each exchange that is under way.
    in_flight: HashMap<CodeKey, Vec<oneshot::Sender<Answer>>>,
    max_in_flight: usize,
    spent: SpentCodes,
}

impl Actor for WeChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::MAILBOX);
    }
}

/// Exchange a code at WeChat.
#[derive(Message)]
#[rtype(result = "()")]
struct ExchangeCode {
    key: CodeKey,
    code: LoginCode,
    at: Time,
    reply: oneshot::Sender<Answer>,
}

impl Handler<ExchangeCode> for WeChatActor {
    type Result = ();

    fn handle(&mut self, message: ExchangeCode, ctx: &mut Context<Self>) {
        let ExchangeCode { key, code, at, reply } = message;
        if let Some(waiting) = self.in_flight.get_mut(&key) {
            waiting.push(reply);
            return;
        }
        let app = match self.admit(&key) {
            Ok(app) => app,
            Err(refused) => return tell(reply, Err(refused)),
        };
        self.in_flight.insert(key.clone(), vec![reply]);
        let exchange = AssertUnwindSafe(self.client.clone().exchange(app, code)).catch_unwind();
        let actor = ctx.address();
        // Not in the actor's own context, which looks at all its futures whenever one of them moves.
        actix::spawn(async move {
            let exchanged = exchange.await.unwrap_or(Err(WeChatError::Crashed));
            let answer = exchanged.map(|exchanged| Exchange { exchanged, began_at: at });
            if actor.try_send(Landed { key, answer }).is_err() {
                log::error!("an exchange ended after its actor");
            }
        });
    }
}

/// An exchange has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct Landed {
    key: CodeKey,
    answer: Answer,
}

impl Handler<Landed> for WeChatActor {
    type Result = ();

    fn handle(&mut self, Landed { key, answer }: Landed, _: &mut Context<Self>) {
        let waiting = self.in_flight.remove(&key).unwrap_or_default();
        if let Some((_, circuit)) = self.apps.get_mut(&key.0) {
            circuit.record(&answer, Instant::now());
        }
        match &answer {
            Ok(_) | Err(WeChatError::CodeUsed) => self.spent.remember(&key),
            Err(WeChatError::BadResponse(what)) => {
                log::error!("WeChat's answer to {} makes no sense: {what}", key.0);
            }
            Err(WeChatError::Crashed) => log::error!("an exchange for {} crashed", key.0),
            Err(_) => {}
        }
        for reply in waiting {
            tell(reply, answer.clone());
        }
    }
}

/// A caller that has gone away needs no answer.
fn tell(reply: oneshot::Sender<Answer>, answer: Answer) {
    let _gone = reply.send(answer);
}

impl WeChatActor {
    /// May this code be brought to WeChat now?
    fn admit(&mut self, key: &CodeKey) -> Result<Arc<App>, WeChatError> {
        if self.spent.contains(key) {
            return Err(WeChatError::CodeUsed);
        }
        if self.in_flight.len() >= self.max_in_flight {
            return Err(WeChatError::Busy);
        }
        let (app, circuit) = self.apps.get_mut(&key.0).ok_or(WeChatError::CodeInvalid)?;
        if circuit.admits(Instant::now()) { Ok(app.clone()) } else { Err(WeChatError::Unavailable) }
    }
}

/// The codes that were exchanged of late, the oldest of which is forgotten first.
#[derive(Default)]
struct SpentCodes {
    known: HashSet<(AppId, u128)>,
    in_order: VecDeque<(AppId, u128)>,
}

impl SpentCodes {
    fn contains(&self, key: &CodeKey) -> bool {
        self.known.contains(&shortened(key))
    }

    fn remember(&mut self, key: &CodeKey) {
        if !self.known.insert(shortened(key)) {
            return;
        }
        self.in_order.push_back(shortened(key));
        if self.in_order.len() > REMEMBERED_CODES
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Half of the digest is plenty to tell codes apart, and takes a quarter of the room.
fn shortened((app, code): &CodeKey) -> (AppId, u128) {
    let half = code.as_str().get(..32).and_then(|digits| u128::from_str_radix(digits, 16).ok());
    (app.clone(), half.unwrap_or_default())
}

/// The handle by which everyone else reaches WeChat.
#[derive(Debug, Clone)]
pub struct WeChat(Addr<WeChatActor>);

impl WeChat {
    /// Starts the actor on this thread's arbiter, for these apps; at most `max_in_flight` exchanges run at once.
    pub fn start(client: Client, apps: Vec<App>, max_in_flight: usize) -> Self {
        let apps =
            apps.into_iter().map(|app| (app.id.clone(), (Arc::new(app), Circuit::default()))).collect();
        let actor = WeChatActor {
            client,
            apps,
            in_flight: HashMap::new(),
            max_in_flight,
            spent: SpentCodes::default(),
        };
        Self(actor.start())
    }

    /// Exchanges a code, or joins the exchange that is under way for it. `at` is now.
    pub async fn exchange(&self, app: AppId, code: LoginCode, at: Time) -> Result<Exchange, WeChatError> {
        let (reply, answer) = oneshot::channel();
        let key = (app, code.hash());
        self.0.try_send(ExchangeCode { key, code, at, reply }).map_err(|_| WeChatError::Busy)?;
        answer.await.unwrap_or(Err(WeChatError::Crashed))
    }
}
