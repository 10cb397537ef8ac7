// Asks every few seconds whether the service lives and is ready, and says why not.

import { el, put } from "/ui/dom.js";
import { t } from "/ui/words.js";

const EVERY_MS = 3000;
const TIMEOUT_MS = 3000;

let seen = { state: "asking", release: "", reasons: [], models: {} };
let places = null;

export function start(pill, alarm) {
  places = { pill, alarm };
  look();
}

export function draw() {
  const { state, release, reasons } = seen;
  const name = release && el("span", { class: "release" }, `· ${t("release", { release })}`);
  put(places.pill, el("span", { class: `dot ${state}`, "aria-hidden": "true" }), t(`health.${state}`), name);
  const lines = reasons.map((reason) => el("li", { lang: "en" }, reason));
  const bad = state === "not_ready" || state === "silent";
  put(places.alarm, bad && el("div", { class: "alarm" },
    el("strong", {}, t(`alarm.${state}`)), lines.length > 0 && el("ul", {}, lines)));
}

async function look() {
  const now = await asked();
  if (JSON.stringify(now) !== JSON.stringify(seen)) {
    seen = now;
    draw(); // only what changed is said by screen readers
  }
  setTimeout(look, EVERY_MS);
}

async function asked() {
  const silent = { state: "silent", release: seen.release, reasons: [], models: {} };
  try {
    const options = () => ({ cache: "no-store", credentials: "omit", signal: AbortSignal.timeout(TIMEOUT_MS) });
    const [live, ready] = await Promise.all([fetch("/livez", options()), fetch("/readyz", options())]);
    const { release = "", reasons = [], models = {} } = await ready.json();
    if (!live.ok) return silent;
    return { state: ready.ok ? "ready" : "not_ready", release, reasons, models };
  } catch {
    return silent;
  }
}
