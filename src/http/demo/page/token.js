// The access token, read the way any backend may read it.

import { has, t } from "/demo/texts.js";

const TIMES = ["iat", "exp", "nbf"];

const claims = document.getElementById("claims");
const raw = document.getElementById("jwt");
const bar = document.getElementById("exp-bar");
const empty = document.getElementById("token-none");
const shown = document.getElementById("token-shown");

let token = null;

function decoded(part) {
  const base64 = part.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}

/** The claims of a JWT, unverified: for showing only. */
export function read(jwt) {
  const [header, payload] = jwt.split(".");
  return { header: decoded(header), payload: decoded(payload) };
}

/** A duration as people write it: 4:05, 1:59:58. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] === 0) parts.shift();
  return parts.map((part, index) => (index === 0 ? String(part) : String(part).padStart(2, "0"))).join(":");
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

function row(name, value) {
  const made = element("div", "claim", "");
  made.dataset.claim = name;
  const term = element("dt", "", name);
  const definition = element("dd", "", "");
  definition.append(element("span", "value", typeof value === "string" ? value : JSON.stringify(value)));
  if (TIMES.includes(name)) {
    definition.append(element("span", "time", new Date(value * 1000).toLocaleTimeString(document.documentElement.lang)));
  }
  if (name === "exp") {
    const left = element("span", "left", "");
    left.id = "exp-left";
    definition.append(left);
  }
  if (has(`claim.${name}`)) definition.append(element("span", "meaning", t(`claim.${name}`)));
  made.append(term, definition);
  return made;
}

/** Shows a token, or with null that there is none. */
export function show(jwt) {
  token = jwt && { ...read(jwt), parts: jwt.split(".") };
  render();
}

/** Draws the token in the page's language. */
export function render() {
  empty.hidden = Boolean(token);
  shown.hidden = !token;
  claims.replaceChildren();
  raw.replaceChildren();
  if (!token) return;
  for (const [index, part] of token.parts.entries()) {
    if (index > 0) raw.append(".");
    raw.append(element("span", ["header", "payload", "signature"][index] ?? "", part));
  }
  for (const part of ["header", "payload"]) {
    const group = document.createElement("div");
    const list = document.createElement("dl");
    list.append(...Object.entries(token[part]).map(([name, value]) => row(name, value)));
    group.append(element("h3", part, t(`token.${part}`)), list);
    claims.append(group);
  }
  tick();
}

/** Counts the token's time down. */
export function tick() {
  if (!token) return;
  const { iat, exp } = token.payload;
  const left = exp - Date.now() / 1000;
  const text = left > 0 ? t("token.left", { left: clock(left) }) : t("token.over");
  const output = document.getElementById("exp-left");
  if (output) output.textContent = text;
  bar.value = Math.max(0, Math.min(1, left / (exp - iat)));
}
