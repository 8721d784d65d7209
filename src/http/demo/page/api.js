// One HTTP exchange: made, timed, and kept so that the page can show all of it.

import { languageTag } from "/demo/texts.js";

// Longer than weauth's own patience with WeChat, so that its answer is what the page shows.
const PATIENCE_MS = 20_000;

/** Sends a request. Never throws: a request without an answer has status 0. */
export async function call(method, path, { body, headers = {} } = {}) {
  const sent = { ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  sent["Accept-Language"] = languageTag();
  const exchange = { method, path, headers: sent, body, status: 0, ms: 0, text: "", json: null, retryAfter: null };

  const begun = performance.now();
  try {
    const response = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    exchange.text = await response.text();
    exchange.status = response.status;
    exchange.retryAfter = response.headers.get("Retry-After");
  } catch {
    exchange.status = 0;
  }
  exchange.ms = Math.round(performance.now() - begun);

  try {
    exchange.json = JSON.parse(exchange.text);
  } catch {
    // Not JSON (a 204 has no body): the text is shown as it came.
  }
  return exchange;
}

/** Whether the answer is a 2xx. */
export function succeeded(exchange) {
  return exchange.status >= 200 && exchange.status < 300;
}

/** The stable `code` of an error answer, or the empty string. */
export function errorCode(exchange) {
  return succeeded(exchange) ? "" : String(exchange.json?.code ?? "");
}

/** The same request as a line for the terminal. */
export function curl(exchange) {
  const words = ["curl", "-i"];
  // With a body, curl sends POST by itself.
  if (exchange.method !== (exchange.body === undefined ? "GET" : "POST")) words.push("-X", exchange.method);
  words.push(quoted(location.origin + exchange.path));
  for (const [name, value] of Object.entries(exchange.headers)) words.push("-H", quoted(`${name}: ${value}`));
  if (exchange.body !== undefined) words.push("-d", quoted(JSON.stringify(exchange.body)));
  return words.join(" ");
}

function quoted(word) {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What the simulated WeChat has counted on the code exchange. */
export async function exchangeCounter() {
  const { json } = await call("GET", "/simulator/counters");
  const counter = json?.jscode2session;
  return { calls: counter?.calls ?? 0, ok: counter?.ok ?? 0 };
}

/** A value that is new every time, for Idempotency-Key. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `demo-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
