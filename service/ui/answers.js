// Shows answers and problems in words: built from the answer's schema, so any model's will do.

import { el } from "/ui/dom.js";
import { has, isForeign, label, number, own, percent, t } from "/ui/words.js";

// The model's own fields of one answer; `fields` are pairs of name and schema.
export function answer(fields, given) {
  const shown = fields.filter(([name, schema]) => name in given && !isHeatMap(schema));
  return el("dl", { class: "answer" }, shown.map(([name, schema]) => field(name, schema, given[name])));
}

// Who answered: model version, release, time, request.
export function origin({ version, release, processing_time_ms: ms, requestId }) {
  const part = (name, value) => el("span", {}, el("i", {}, `${t(name)} `), value);
  return el("p", { class: "origin" },
    part("version", version),
    part("release_word", release),
    part("time", t("milliseconds", { ms: number(ms, 1) })),
    part("request", el("code", {}, requestId)));
}

// A problem as a whole, with its fields.
export function problem({ slug, detail, errors = [], requestId }, { withFields = true } = {}) {
  const title = has(`problem.${slug}`) ? t(`problem.${slug}`) : t("problem.odd");
  const named = withFields ? errors : [];
  const lines = named.map(({ field, message }) =>
    el("li", { lang: "en" }, field && el("code", {}, field), field && " ", message));
  return el("div", { class: "problem" },
    el("strong", {}, title),
    named.length ? el("ul", {}, lines) : detail && el("p", { lang: "en" }, detail),
    requestId && el("p", { class: "origin" }, el("i", {}, `${t("request")} `), el("code", {}, requestId)));
}

export function foreign(text) {
  return { lang: isForeign(text) ? "en" : null };
}

function field(name, schema, value) {
  const [kind, shown] = valueOf(name, schema, value);
  const description = schema.description ?? "";
  return el("div", { class: `field ${kind}` },
    el("dt", {}, label(name)),
    el("dd", {}, shown),
    description && el("dd", { class: "hint", ...foreign(description) }, own(description)));
}

function valueOf(name, schema, value) {
  if (typeof value === "boolean") {
    return ["yes-no", el("span", { class: `verdict ${value ? "yes" : "no"}` }, t(value ? "yes" : "no"))];
  }
  if (isShare(schema)) return ["share", bar("", value)];
  if (typeof value === "number") return ["number", number(value)];
  if (isRanking(schema)) {
    return ["ranking", el("ol", {}, value.map((item) => el("li", {}, bar(item.label, item.probability))))];
  }
  if (typeof value === "string") return ["text", value];
  return ["raw", el("code", {}, JSON.stringify(value))];
}

// A confidence: its words, its percentage, and a bar that says the same to the eye.
function bar(text, share) {
  const filled = el("span", { class: "filled" });
  filled.style.width = `${share * 100}%`;
  return el("span", { class: "bar-row" },
    text && el("span", { class: "name" }, text),
    el("span", { class: "percent" }, percent(share)),
    el("span", { class: "track", "aria-hidden": "true" }, filled));
}

const isShare = ({ type, minimum, maximum }) => type === "number" && minimum === 0 && maximum === 1;

const isRanking = ({ type, items }) =>
  type === "array" && items.type === "object" && "label" in items.properties && "probability" in items.properties;

const isHeatMap = ({ type, properties = {} }) => type === "object" && "rows" in properties;
