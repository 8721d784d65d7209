// The picture of the flow: who speaks to whom, lit up step by step.

import { t } from "/demo/texts.js";

const STEP_MS = 240;
// An exchange at WeChat that takes longer than this is worth showing as such.
const PATIENCE_MS = 400;
const still = matchMedia("(prefers-reduced-motion: reduce)");

const nodes = byName("node");
const links = byName("link");
const labels = new Map();
const noteElement = document.getElementById("flow-note");

// A newer journey makes an older one stop drawing.
let journey = 0;
let arrived = 0;
let note = { key: "note.idle", values: {} };

function byName(kind) {
  const elements = document.querySelectorAll(`[data-${kind}]`);
  return Object.fromEntries(Array.from(elements, (element) => [element.dataset[kind], element]));
}

const pause = () => new Promise((done) => setTimeout(done, still.matches ? 0 : STEP_MS));

function light(element, state) {
  element.dataset.state = state;
}

function label(link, out, back) {
  labels.set(link, { out, back });
  link.querySelector(".out").textContent = worded(out);
  link.querySelector(".back").textContent = worded(back);
}

const worded = (text) => (typeof text === "function" ? text() : text);

function clear() {
  for (const node of Object.values(nodes)) light(node, "");
  for (const link of Object.values(links)) {
    light(link, "");
    label(link, "", "");
  }
}

/**
 * Draws the request on its way. Who was asked beyond weauth is known for certain once the answer is there;
 * an answer that takes its time is waiting for `slow`, where the act can wait for another.
 */
export function depart(first, out, slow) {
  journey += 1;
  const mine = journey;
  clear();
  light(nodes.mini, "go");
  light(links[first], "go");
  label(links[first], out, "");
  say("note.waiting");
  if (!slow) return;
  setTimeout(() => {
    if (mine !== journey || arrived === mine) return;
    light(nodes.weauth, "go");
    light(links[slow], "go");
  }, PATIENCE_MS);
}

/**
 * Draws how the request travelled.
 * A hop is { link, node, out, back, state }; `answer` is what came back on the first link.
 */
export async function arrive({ first, node, answer, state, hops = [] }, sentence) {
  const mine = journey;
  arrived = mine;
  light(nodes[node], "go");
  for (const hop of hops) {
    await pause();
    if (mine !== journey) return;
    light(links[hop.link], "go");
    label(links[hop.link], hop.out, "");
    await pause();
    if (mine !== journey) return;
    light(links[hop.link], hop.state);
    light(nodes[hop.node], hop.state);
    label(links[hop.link], hop.out, hop.back);
  }
  await pause();
  if (mine !== journey) return;
  for (const link of Object.values(links)) if (link.dataset.state === "go") light(link, "");
  light(nodes[node], state);
  light(links[first], state);
  label(links[first], labels.get(links[first]).out, answer);
  light(nodes.mini, state);
  say(sentence.key, sentence.values);
}

/** The sentence under the picture; a value that is a function is worded anew after a change of language. */
export function say(key, values = {}) {
  note = { key, values };
  noteElement.textContent = sentenceText(note);
}

/** The words of a sentence in the page's language. */
export function sentenceText({ key, values = {} }) {
  return t(key, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, worded(value)])));
}

/** What WeChat's node tells of itself: its counter and a fault that is on. */
export function showWeChat({ calls, ok }, fault) {
  const counter = document.getElementById("counter");
  counter.textContent = t("counter", { calls, ok });
  counter.dataset.calls = calls;
  counter.dataset.ok = ok;
  const mode = document.getElementById("wechat-mode");
  mode.textContent = fault ? t("node.wechat.fault", { fault }) : t("node.wechat.sub");
  nodes.wechat.toggleAttribute("data-fault", Boolean(fault));
}

/** Words the picture anew after a change of language. */
export function retranslate() {
  for (const [link, { out, back }] of labels) label(link, out, back);
  noteElement.textContent = sentenceText(note);
}
