// The page itself: buttons to acts, acts to what is shown.

import * as acts from "/demo/acts.js";
import { errorCode, succeeded } from "/demo/api.js";
import * as flow from "/demo/flow.js";
import { switchLanguage, t, translatePage } from "/demo/texts.js";
import * as token from "/demo/token.js";
import * as wire from "/demo/wire.js";

const { state } = acts;
const $ = (id) => document.getElementById(id);

// What each outcome line says, kept so that a change of language can word it anew.
const outcomes = new Map();
let busy = false;

/** Where the acts draw: the answer goes to the inspector as soon as it is there, the picture takes its time. */
const stage = {
  depart: flow.depart,
  async arrive(exchange, path, sentence) {
    wire.record(exchange);
    showState();
    await flow.arrive(path, sentence);
    announce(exchange, sentence);
  },
};

function announce(exchange, sentence) {
  const what = `${exchange.method} ${exchange.path}`;
  const note = flow.sentenceText(sentence);
  $("announce").textContent = t("announce", { what, status: wire.statusText(exchange), ms: exchange.ms, note });
}

function drawOutcome(id) {
  const { exchange, sentence } = outcomes.get(id);
  const line = $(id);
  line.replaceChildren();
  line.dataset.status = exchange.status;
  line.dataset.code = errorCode(exchange);
  const pill = document.createElement("span");
  pill.className = `pill ${wire.mood(exchange)}`;
  pill.textContent = wire.statusText(exchange);
  line.append(pill, ` ${flow.sentenceText(sentence)}`);
}

function outcome(id, result) {
  outcomes.set(id, result);
  drawOutcome(id);
  return result;
}

function showPerson() {
  const { person } = state;
  $("person").dataset.signedIn = String(Boolean(person));
  $("avatar").textContent = person ? [...person.name][0]?.toUpperCase() : "?";
  $("who").textContent = person ? person.name : t("signed.out");
  if (person) $("who-sub").textContent = t(person.created ? "signed.new" : "signed.back");
  else $("who-sub").textContent = t("signed.out.sub");
}

function showCode() {
  const { code, codeEnds, codeSpent } = state;
  const left = (codeEnds - Date.now()) / 1000;
  let phase = "none";
  if (code) phase = codeSpent ? "spent" : left > 0 ? "fresh" : "expired";
  const output = $("code");
  if (output.dataset.code !== (code ?? "")) output.textContent = code ?? "";
  output.dataset.code = code ?? "";
  output.dataset.state = phase;
  $("code-state").textContent = t(`code.${phase}`, { left: token.clock(left) });
}

// The token is drawn only when it is another one: a redraw would throw away a selection.
let drawnToken = null;

function showState() {
  showPerson();
  showCode();
  flow.showWeChat(state.counter, acts.faultName());
  $("fault-off").disabled = state.fault === null;
  $("to-token").hidden = !state.token;
  if (drawnToken !== state.token) token.show(state.token);
  drawnToken = state.token;
}

function drawFaults() {
  const chosen = $("fault").value;
  const options = Object.keys(acts.FAULTS).map((name) => new Option(t(`fault.${name}`), name));
  $("fault").replaceChildren(...options);
  if (chosen) $("fault").value = chosen;
}

function retranslate() {
  translatePage();
  drawFaults();
  token.render();
  wire.render();
  flow.retranslate();
  for (const id of outcomes.keys()) drawOutcome(id);
  showState();
}

/** One act at a time: the picture can tell only one story. */
function on(id, act) {
  $(id).addEventListener("click", async () => {
    if (busy) return;
    busy = true;
    document.body.dataset.busy = "true";
    $(id).setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      busy = false;
      delete document.body.dataset.busy;
      $(id).removeAttribute("aria-busy");
      showState();
    }
  });
}

function chooseUser(name) {
  if (name === state.user) return;
  state.user = name;
  // A code belongs to the user it was made for.
  state.code = null;
  for (const chip of document.querySelectorAll("[data-user]")) {
    chip.setAttribute("aria-pressed", String(chip.dataset.user === name));
  }
  showState();
}

async function parallel() {
  const dots = $("parallel-dots");
  dots.replaceChildren(...Array.from({ length: acts.CROWD }, () => document.createElement("i")));
  dots.hidden = false;
  const result = await acts.crowd(stage, (index, exchange) => {
    dots.children[index].className = wire.mood(exchange);
  });
  outcome("parallel-out", {
    exchange: result.exchange,
    sentence: result.tally?.ok ? { key: "parallel.out", values: result.tally } : result.sentence,
  });
  Object.assign($("parallel-out").dataset, result.tally ?? {});
}

async function turnFault(name) {
  const exchange = await acts.setFault(name);
  const sentence = succeeded(exchange) ? { key: name ? "fault.is.on" : "fault.is.off" } : { key: "note.network" };
  wire.record(exchange);
  outcome("fault-out", { exchange, sentence });
  announce(exchange, sentence);
}

const loginAndTell = async () => outcome("login-out", await acts.login(stage));
const meAndTell = async () => outcome("me-out", await acts.me(stage, state.token));

on("wx-login", () => acts.getCode(stage));
on("login", loginAndTell);
on("me", meAndTell);
on("play", async () => {
  const picture = document.querySelector(".flow");
  // On a small screen the picture is further down than the button that sets it going.
  if (picture.getBoundingClientRect().bottom > innerHeight) picture.scrollIntoView();
  const got = await acts.getCode(stage);
  if (!succeeded(got.exchange)) return;
  const { exchange } = await loginAndTell();
  if (succeeded(exchange)) await meAndTell();
});
on("repeat", async () => outcome("repeat-out", await acts.repeat(stage, false)));
on("repeat-key", async () => outcome("repeat-out", await acts.repeat(stage, true)));
on("parallel", parallel);
on("fault-on", () => turnFault($("fault").value));
on("fault-off", () => turnFault(null));
on("fault-try", async () => outcome("fault-out", await acts.loginAnew(stage)));
on("me-none", async () => outcome("guard-out", await acts.me(stage, null)));
on("me-broken", async () => {
  if (!state.token && !succeeded((await acts.login(stage)).exchange)) return;
  outcome("guard-out", await acts.me(stage, acts.broken(state.token)));
});
on("jwks", async () => outcome("jwks-out", await acts.keys(stage)));

$("lang").addEventListener("click", () => {
  switchLanguage();
  retranslate();
});
$("user").addEventListener("input", () => chooseUser($("user").value.trim() || "alice"));
for (const chip of document.querySelectorAll("[data-user]")) {
  chip.addEventListener("click", () => {
    $("user").value = chip.dataset.user;
    chooseUser(chip.dataset.user);
  });
}

retranslate();
setInterval(() => {
  showCode();
  token.tick();
}, 1000);
// The simulator outlives a reload of the page: its counter goes on, and a fault may still be on.
await acts.lookAtWeChat();
showState();
document.body.dataset.ready = "true";
