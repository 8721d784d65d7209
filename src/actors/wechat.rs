//! The WeChatActor makes sure that a code is exchanged once, however many requests bring it.
//!
//! Requests for one code share one call ("single flight"). The first request (the leader) makes the call, on its
//! own thread and in the task of its sign-in, which is not cancelled when the caller gives up; a panic in it fails
//! only that exchange. The actor itself only keeps the state.

use super::exchange::{Exchange, ExchangeError};
use crate::domain::{App, AppId, CodeKey, LoginCode, Time};
use crate::shared::TwoGenerations;
use crate::wechat::{Circuit, Client, Exchanged, WeChatError};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use futures_util::FutureExt;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// After this long, any record of a spent code's exchange is in the database: no write waits longer.
const SETTLED_AFTER: Duration = Duration::from_secs(15);

/// At least so many spent codes are remembered, and at most twice as many: a repeat of one is refused without asking
/// WeChat.
pub const REMEMBERED_CODES: usize = 14_000; // Just fits into a hash map of 16,384 places.

type Answer = Result<Exchange, ExchangeError>;

/// What a request for an exchange is told.
enum Reply {
    /// Nobody is exchanging the code: lead its exchange, for this app.
    Lead(Arc<App>, Lead),
    /// The exchange has ended or was refused.
    Ended(Answer),
}

struct WeChatActor {
    apps: HashMap<AppId, (Arc<App>, Circuit)>,
    /// The requests waiting for each exchange in flight, not counting its leader.
    in_flight: HashMap<CodeKey, Vec<oneshot::Sender<Reply>>>,
    /// Logins that lead an exchange or wait for one; at most `max_in_flight`.
    logins: usize,
    max_in_flight: usize,
    /// The codes that were exchanged of late, and when. Strangers can't choose them: WeChat made them.
    spent: TwoGenerations<CodeKey, Instant, REMEMBERED_CODES>,
}

impl Actor for WeChatActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::MAILBOX);
    }
}

/// Requests the exchange of a code.
#[derive(Message)]
#[rtype(result = "()")]
struct ExchangeCode {
    key: CodeKey,
    reply: oneshot::Sender<Reply>,
}

impl Handler<ExchangeCode> for WeChatActor {
    type Result = ();

    fn handle(&mut self, ExchangeCode { key, reply }: ExchangeCode, ctx: &mut Context<Self>) {
        let is_full = self.is_full();
        if let Some(waiting) = self.in_flight.get_mut(&key).filter(|_| !is_full) {
            waiting.push(reply);
            self.logins += 1;
            return;
        }
        let answer = match self.admit(&key) {
            Ok(app) => {
                self.in_flight.insert(key.clone(), Vec::new());
                self.logins += 1;
                Reply::Lead(app, Lead { actor: ctx.address(), key: Some(key) })
            }
            Err(refused) => Reply::Ended(Err(refused)),
        };
        // A caller that has gone away needs no answer; the lead that it was given is dropped, and so abandoned.
        let _gone = reply.send(answer);
    }
}

/// The leader of an exchange went away without a result: the next one in line leads.
#[derive(Message)]
#[rtype(result = "()")]
struct LeadAbandoned(CodeKey);

impl Handler<LeadAbandoned> for WeChatActor {
    type Result = ();

    fn handle(&mut self, LeadAbandoned(key): LeadAbandoned, ctx: &mut Context<Self>) {
        for reply in self.end(&key) {
            self.handle(ExchangeCode { key: key.clone(), reply }, ctx);
        }
    }
}

/// An exchange has ended.
#[derive(Message)]
#[rtype(result = "()")]
struct ExchangeEnded {
    key: CodeKey,
    answer: Answer,
}

impl Handler<ExchangeEnded> for WeChatActor {
    type Result = ();

    fn handle(&mut self, ExchangeEnded { key, answer }: ExchangeEnded, _: &mut Context<Self>) {
        let waiting = self.end(&key);
        match &answer {
            Ok(_) => self.learn(&key, None),
            Err(ExchangeError::WeChat(error)) => self.learn(&key, Some(error)),
            Err(error) => log::error!("a code of {} was not exchanged: {error}", key.app),
        }
        for reply in waiting {
            // A caller that has gone away needs no answer.
            let _gone = reply.send(Reply::Ended(answer.clone()));
        }
    }
}

impl WeChatActor {
    /// Checks whether this code may be sent to WeChat now.
    fn admit(&mut self, key: &CodeKey) -> Result<Arc<App>, ExchangeError> {
        if let Some(spent_at) = self.spent.get(key) {
            let is_settled = spent_at.elapsed() > SETTLED_AFTER;
            return Err(if is_settled { ExchangeError::UsedLongAgo } else { WeChatError::CodeUsed.into() });
        }
        if self.is_full() {
            return Err(ExchangeError::Busy);
        }
        let (app, circuit) = self.apps.get_mut(&key.app).ok_or(ExchangeError::UnknownApp)?;
        circuit.admit(Instant::now())?;
        Ok(app.clone())
    }

    /// Draws conclusions for other calls from how WeChat answered this one.
    fn learn(&mut self, key: &CodeKey, failure: Option<&WeChatError>) {
        let app = &key.app;
        if let Some((_, circuit)) = self.apps.get_mut(app)
            && circuit.record(failure, Instant::now())
            && let Some(error) = failure
        {
            log::error!("WeChat is not called for {app} for some seconds, after many failures: {error}");
        }
        match failure {
            None | Some(WeChatError::CodeUsed | WeChatError::OutcomeUnknown) => {
                self.spent.insert(key.clone(), Instant::now());
            }
            Some(WeChatError::BadResponse(what)) => {
                log::error!("WeChat's answer to {app} could not be understood: {what}");
            }
            Some(_) => {}
        }
    }

    fn is_full(&self) -> bool {
        self.logins >= self.max_in_flight
    }

    /// Removes an ended exchange and returns those who waited for it.
    fn end(&mut self, key: &CodeKey) -> Vec<oneshot::Sender<Reply>> {
        let waiting = self.in_flight.remove(key);
        self.logins -= waiting.as_ref().map_or(0, |waiting| waiting.len() + 1);
        waiting.unwrap_or_default()
    }
}

/// The handle through which everyone else reaches WeChat.
#[derive(Debug, Clone)]
pub struct WeChat {
    actor: Addr<WeChatActor>,
    client: Client,
}

impl WeChat {
    /// Starts the actor on this thread's arbiter; at most `max_in_flight` logins wait for WeChat at once. `spent` are the
    /// latest codes that were exchanged before, the latest last.
    pub fn start(client: Client, apps: Vec<App>, max_in_flight: usize, spent: &[CodeKey]) -> Self {
        let apps =
            apps.into_iter().map(|app| (app.id.clone(), (Arc::new(app), Circuit::default()))).collect();
        let mut actor = WeChatActor {
            apps,
            in_flight: HashMap::new(),
            logins: 0,
            max_in_flight,
            spent: TwoGenerations::default(),
        };
        let now = Instant::now();
        for key in spent {
            actor.spent.insert(key.clone(), now);
        }
        Self { actor: actor.start(), client }
    }

    /// Exchanges a code, whose key this is, or joins the exchange in flight for it. `at` is the current time.
    ///
    /// Await this in a task that outlives its caller, as a sign-in's does: if a leader is dropped half-way, the
    /// next request leads, and the code may already be spent.
    pub async fn exchange(&self, key: CodeKey, code: LoginCode, at: Time) -> Answer {
        let (reply, replied) = oneshot::channel();
        self.actor.try_send(ExchangeCode { key, reply }).map_err(|_| ExchangeError::Busy)?;
        match replied.await {
            Ok(Reply::Lead(app, lead)) => {
                // Boxed: the future is moved three times, and each move would reserve space for it.
                let exchange = Box::pin(self.client.exchange(&app, code));
                lead.run(exchange, at).await
            }
            Ok(Reply::Ended(answer)) => answer,
            Err(_) => Err(ExchangeError::Crashed),
        }
    }
}

/// The lead of an exchange: whoever holds it calls WeChat and reports the result. Dropped before, it goes to the next.
struct Lead {
    actor: Addr<WeChatActor>,
    key: Option<CodeKey>,
}

impl Lead {
    async fn run(self, exchange: impl Future<Output = Result<Exchanged, WeChatError>>, at: Time) -> Answer {
        let exchanged = AssertUnwindSafe(exchange).catch_unwind().await;
        self.end(match exchanged {
            Ok(Ok(exchanged)) => Ok(Exchange { exchanged, began_at: at }),
            Ok(Err(error)) => Err(error.into()),
            Err(_panic) => Err(ExchangeError::Crashed),
        })
    }

    /// Reports the result.
    fn end(mut self, answer: Answer) -> Answer {
        if let Some(key) = self.key.take()
            && self.actor.try_send(ExchangeEnded { key, answer: answer.clone() }).is_err()
        {
            log::error!("an exchange ended after its actor");
        }
        answer
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            // If the actor has ended too, nobody is waiting.
            let _ended = self.actor.try_send(LeadAbandoned(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (WeChat, CodeKey) {
        let id = AppId::parse("wx0123456789abcdef").unwrap();
        let secret = crate::domain::AppSecret::parse("9f86d081884c7d659a2feaa0c55ad015").unwrap();
        let app = App { id: id.clone(), secret, name: String::new() };
        let client = Client::new(&"http://127.0.0.1:9/".parse().unwrap()).unwrap();
        let key = CodeKey { app: id, code: LoginCode::parse("code").unwrap().hash() };
        (WeChat::start(client, vec![app], 3, &[]), key)
    }

    #[actix::test]
    async fn a_code_of_an_unknown_app_is_not_called_invalid() {
        let (wechat, key) = start();
        let other = CodeKey { app: AppId::parse("wx0000000000000000").unwrap(), ..key };
        let code = LoginCode::parse("code").unwrap();
        let refused = wechat.exchange(other, code, Time::from_unix(0)).await;
        assert_eq!(refused.unwrap_err(), ExchangeError::UnknownApp);
    }

    #[actix::test]
    async fn a_leader_who_goes_away_before_asking_leaves_the_lead_to_the_next() {
        let (WeChat { actor, .. }, key) = start();
        let ask = || {
            let (reply, replied) = oneshot::channel();
            actor.try_send(ExchangeCode { key: key.clone(), reply }).map(|()| replied).unwrap()
        };
        let (first, second, third) = (ask(), ask(), ask());
        drop(first);
        let Ok(Reply::Lead(_, lead)) = second.await else { panic!("the second one leads") };
        drop(lead);
        let Ok(Reply::Lead(_, lead)) = third.await else { panic!("then the third") };
        assert!(lead.run(async { Err(WeChatError::CodeInvalid) }, Time::from_unix(0)).await.is_err());
        assert!(matches!(ask().await, Ok(Reply::Lead(..))), "it has ended: there is room for the next");
    }
}
