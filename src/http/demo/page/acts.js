// What the mini-program does: each act makes its requests and says how the picture tells them.

import { call, errorCode, exchangeCounter, newKey, succeeded } from "/demo/api.js";
import { has, t } from "/demo/texts.js";
import { read } from "/demo/token.js";

/** How many requests bring one code at the same time. */
export const CROWD = 20;

/** What the mini-program knows. Tokens live in memory only: a reload forgets them. */
export const state = {
  user: "alice",
  code: null,
  codeEnds: 0,
  codeSpent: false,
  key: null,
  token: null,
  person: null,
  fault: null,
  counter: { calls: 0, ok: 0 },
};

const busy = { fault: "errcode", errcode: -1 };

/** The faults on offer, as the simulator is told them. */
export const FAULTS = {
  "busy-once": { ...busy, times: 1 },
  busy,
  quota: { fault: "errcode", errcode: 45011 },
  risk: { fault: "errcode", errcode: 40226 },
  code: { fault: "errcode", errcode: 40029 },
  secret: { fault: "errcode", errcode: 40125 },
  html: { fault: "html" },
  http: { fault: "http502" },
  latency: { fault: "latency", latency_ms: 2000 },
  timeout: { fault: "timeout" },
  reset: { fault: "reset-before" },
  lost: { fault: "reset-after" },
};

// Only the code exchange misbehaves; the simulator's other endpoints are left alone.
const ENDPOINT = "jscode2session";

/** How a fault is named in the picture, where room is short. */
export function faultName() {
  const fault = FAULTS[state.fault];
  if (!fault) return state.fault && t("fault.other");
  return String(fault.errcode ?? fault.fault);
}

/** Reads WeChat's counter and faults, which others than this page may have changed. */
export async function lookAtWeChat() {
  const before = state.counter;
  state.counter = await exchangeCounter();
  const { json } = await call("GET", "/simulator/faults");
  if (!json?.items?.length) state.fault = null;
  else state.fault ??= "other";
  return { calls: state.counter.calls - before.calls, ok: state.counter.ok - before.ok };
}

/** The sentence for an answer that is an error. */
function failure(exchange, circuitOpen = false) {
  if (exchange.status === 0) return { key: "note.network" };
  const advice = `do.${exchange.json?.retry}`;
  const code = errorCode(exchange) || String(exchange.status);
  const why = has(`why.${code}`) ? `why.${code}` : "why.other";
  const values = { why: () => t(why, { code }), do: () => (has(advice) ? t(advice) : "") };
  return { key: circuitOpen ? "note.circuit" : "note.failed", values };
}

// Labels in the picture are functions where they hold words, so that a change of language words them anew.
const word = (key) => () => t(key);
const answer = (exchange, good) => (succeeded(exchange) ? good : String(exchange.status || "—"));
const mood = (exchange) => (succeeded(exchange) ? "ok" : "fail");

/** wx.login: the simulator plays WeChat's app on the phone. */
export async function getCode(stage) {
  stage.depart("direct", "wx.login()");
  const exchange = await call("POST", "/simulator/codes", { body: { user: state.user, kind: "login" } });
  if (succeeded(exchange)) {
    state.code = exchange.json.code;
    state.codeEnds = Date.now() + exchange.json.expires_in * 1000;
    state.codeSpent = false;
    state.key = newKey();
  }
  const refused = exchange.status === 400 ? { key: "note.name" } : failure(exchange);
  const sentence = succeeded(exchange) ? { key: "note.wx" } : refused;
  await stage.arrive(
    exchange,
    { first: "direct", node: "wechat", answer: answer(exchange, "code"), state: mood(exchange) },
    sentence,
  );
  return { exchange, sentence };
}

function remember(exchange) {
  if (!succeeded(exchange)) return;
  state.token = exchange.json.access_token;
  state.person = { ...exchange.json.user, name: state.user };
}

/** The hops of a login behind weauth, told from the answer and from WeChat's own counter. */
function loginHops(exchange, asked) {
  const hops = [];
  const good = succeeded(exchange);
  // WeChat may have exchanged the code and its answer been lost: the login's own word decides.
  const known = asked.ok > 0 && !errorCode(exchange).startsWith("wechat_");
  if (asked.calls > 0) {
    const back = known ? "openid + session_key" : word(good ? "hop.used" : "hop.failed");
    hops.push({ link: "wechat", node: "wechat", out: "code + AppSecret", back, state: known ? "ok" : "fail" });
  }
  if (good) hops.push({ link: "db", node: "db", out: word("hop.save"), back: "✓", state: "ok" });
  return hops;
}

/** What weauth answers without asking WeChat, after it has failed again and again. */
const OF_AN_OPEN_CIRCUIT = ["wechat_unavailable", "wechat_rate_limited", "wechat_misconfigured"];

async function sendCode(stage, { withKey, greeting }) {
  state.counter = await exchangeCounter();
  stage.depart("weauth", "code", "wechat");
  const headers = withKey ? { "Idempotency-Key": state.key } : {};
  const exchange = await call("POST", "/login", { body: { code: state.code }, headers });
  if (exchange.status !== 0) state.codeSpent = true;
  const asked = await lookAtWeChat();
  remember(exchange);

  const unasked = asked.calls <= 0 && OF_AN_OPEN_CIRCUIT.includes(errorCode(exchange));
  const sentence = succeeded(exchange) ? greeting(exchange, asked) : failure(exchange, unasked);
  await stage.arrive(
    exchange,
    {
      first: "weauth",
      node: "weauth",
      answer: answer(exchange, word("hop.tokens")),
      state: mood(exchange),
      hops: loginHops(exchange, asked),
    },
    sentence,
  );
  return { exchange, sentence };
}

/** Logs in with the code at hand; fetches a new one where there is none to use. */
export async function login(stage) {
  if (!state.code || state.codeSpent || Date.now() > state.codeEnds) {
    const got = await getCode(stage);
    if (!succeeded(got.exchange)) return got;
  }
  const { user } = state;
  return sendCode(stage, {
    withKey: true,
    greeting: (exchange, asked) => {
      if (asked.calls > asked.ok && asked.ok > 0) return { key: "note.login.retried" };
      return { key: exchange.json.user.created ? "note.login.new" : "note.login.back", values: { user } };
    },
  });
}

/** A login with a code that is certainly new. */
export function loginAnew(stage) {
  state.codeSpent = true;
  return login(stage);
}

/** Sends the last code once more, with its Idempotency-Key or without. */
export async function repeat(stage, withKey) {
  if (!state.code || !state.codeSpent) {
    const first = await login(stage);
    if (!succeeded(first.exchange)) return first;
  }
  return sendCode(stage, { withKey, greeting: () => ({ key: "note.replay" }) });
}

/** Calls /me with a token, or with none. */
export async function me(stage, token) {
  stage.depart("weauth", word(token ? "hop.bearer" : "hop.notoken"));
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const exchange = await call("GET", "/me", { headers });
  const good = succeeded(exchange);
  const sentence = good ? { key: "note.me" } : failure(exchange);
  const hops = good ? [{ link: "db", node: "db", out: word("hop.read"), back: "✓", state: "ok" }] : [];
  await stage.arrive(
    exchange,
    { first: "weauth", node: "weauth", answer: answer(exchange, word("hop.user")), state: mood(exchange), hops },
    sentence,
  );
  return { exchange, sentence };
}

/** The token with the first character of its signature changed. */
export function broken(token) {
  const at = token.lastIndexOf(".") + 1;
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}

/** The public keys. */
export async function keys(stage) {
  stage.depart("weauth", "GET");
  const exchange = await call("GET", "/.well-known/jwks.json");
  const sentence = succeeded(exchange) ? { key: "note.jwks" } : failure(exchange);
  await stage.arrive(
    exchange,
    { first: "weauth", node: "weauth", answer: answer(exchange, word("hop.keys")), state: mood(exchange) },
    sentence,
  );
  return { exchange, sentence };
}

/** Many logins with one new code at the same time. */
export async function crowd(stage, onEach) {
  const got = await getCode(stage);
  if (!succeeded(got.exchange)) return { ...got, tally: null };
  state.counter = await exchangeCounter();
  stage.depart("weauth", `${CROWD} × code`, "wechat");
  const send = async (_, index) => {
    const headers = { "Idempotency-Key": state.key };
    const exchange = await call("POST", "/login", { body: { code: state.code }, headers });
    onEach(index, exchange);
    return exchange;
  };
  const exchanges = await Promise.all(Array.from({ length: CROWD }, send));
  state.codeSpent = true;
  const asked = await lookAtWeChat();

  const good = exchanges.filter(succeeded);
  const tally = {
    n: CROWD,
    ok: good.length,
    users: new Set(good.map((exchange) => exchange.json.user.id)).size,
    sessions: new Set(good.map((exchange) => read(exchange.json.access_token).payload.sid)).size,
    exchanges: asked.ok,
  };
  const exchange = exchanges.find((each) => !succeeded(each)) ?? exchanges[0];
  exchange.times = CROWD;
  remember(good[0] ?? exchange);
  const sentence =
    good.length === CROWD ? { key: "note.parallel", values: tally } : failure(exchange);
  await stage.arrive(
    exchange,
    {
      first: "weauth",
      node: "weauth",
      answer: answer(exchange, () => `${good.length} × ${t("hop.tokens")}`),
      state: mood(exchange),
      hops: loginHops(exchange, asked),
    },
    sentence,
  );
  return { exchange, sentence, tally };
}

/** Turns a fault on, in place of any other, or with null turns all off. */
export async function setFault(name) {
  const cleared = await call("DELETE", "/simulator/faults");
  if (name === null || !succeeded(cleared)) {
    if (succeeded(cleared)) state.fault = null;
    return cleared;
  }
  const exchange = await call("POST", "/simulator/faults", { body: { ...FAULTS[name], endpoint: ENDPOINT } });
  state.fault = succeeded(exchange) ? name : null;
  return exchange;
}
