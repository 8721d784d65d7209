// The inspector: one exchange in full, and a list of the earlier ones.

import { curl, errorCode, succeeded } from "/demo/api.js";
import { t } from "/demo/texts.js";

const KEPT = 12;
const LINE = /("(?:[^"\\]|\\.)*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

const title = document.getElementById("out-title");
const status = document.getElementById("out-status");
const time = document.getElementById("out-time");
const request = document.getElementById("out-curl");
const body = document.getElementById("out-body");
const list = document.getElementById("history");
const copyButton = document.getElementById("copy");

const kept = [];
let current = null;
let count = 0;

/** How a status is coloured: ok, or fail for errors and for no answer at all. */
export function mood(exchange) {
  return succeeded(exchange) ? "ok" : "fail";
}

/** The status in words: the number, and the error's stable code. */
export function statusText(exchange) {
  if (exchange.status === 0) return t("noanswer");
  return [exchange.status, errorCode(exchange)].filter(Boolean).join(" ");
}

function name(exchange) {
  const times = exchange.times ? ` × ${exchange.times}` : "";
  return `${exchange.method} ${exchange.path}${times}`;
}

/** Puts JSON in as text, one span per token, so that nothing from the server is ever markup. */
function paint(target, json) {
  const text = JSON.stringify(json, null, 2);
  target.replaceChildren();
  let end = 0;
  for (const match of text.matchAll(LINE)) {
    target.append(text.slice(end, match.index));
    const span = document.createElement("span");
    span.className = match[2] ? "key" : match[1] ? "string" : "literal";
    span.textContent = match[1] ?? match[0];
    target.append(span, match[2] ?? "");
    end = match.index + match[0].length;
  }
  target.append(text.slice(end));
}

/** Adds an exchange and shows it. */
export function record(exchange) {
  count += 1;
  exchange.number = count;
  kept.unshift(exchange);
  kept.length = Math.min(kept.length, KEPT);
  current = exchange;
  render();
}

/** Draws the chosen exchange and the list in the page's language. */
export function render() {
  drawList();
  if (!current) {
    title.textContent = t("wire.empty");
    body.textContent = t("wire.empty.body");
    return;
  }
  title.textContent = name(current);
  status.hidden = false;
  status.textContent = statusText(current);
  status.className = `pill ${mood(current)}`;
  status.dataset.status = current.status;
  status.dataset.code = errorCode(current);
  status.dataset.seq = current.number;
  time.textContent = `${current.ms} ms`;
  request.textContent = curl(current);
  copyButton.hidden = false;
  copyButton.textContent = t("copy");
  if (current.json === null) body.textContent = current.text || "—";
  else paint(body, current.json);
  body.scrollTop = 0;
}

function drawList() {
  list.hidden = kept.length < 2;
  const focused = list.contains(document.activeElement);
  list.replaceChildren(
    ...kept.map((exchange) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = mood(exchange);
      button.setAttribute("aria-pressed", String(exchange === current));
      const what = document.createElement("span");
      what.textContent = name(exchange);
      const result = document.createElement("b");
      result.textContent = exchange.status === 0 ? t("noanswer") : exchange.status;
      button.append(what, result);
      button.addEventListener("click", () => {
        current = exchange;
        render();
      });
      return button;
    }),
  );
  if (focused) list.querySelector('[aria-pressed="true"]')?.focus();
}

copyButton.addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(request.textContent);
    copyButton.textContent = t("copied");
  } catch {
    copyButton.textContent = t("uncopied");
  }
});
