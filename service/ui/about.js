// What a model's card says: data, measures, limits. Known once a token opened /v1/models.

import { el } from "/ui/dom.js";
import { number, t } from "/ui/words.js";

export function about(card) {
  if (!card) return null;
  return el("details", { class: "card about" },
    el("summary", {}, t("about")),
    el("dl", {},
      row("version", el("code", {}, card.version)),
      row("runs_on", `${card.runtime}, ${card.device}`),
      card.data && row("data", el("span", { lang: "en" }, card.data.source)),
      card.licence && row("licence", el("span", { lang: "en" }, card.licence))),
    bars(card.bars),
    limits(card.limits));
}

// Said beside the title: answers learnt from made-up data are no news of the world.
export const isSimulated = (card) => Boolean(card?.data?.simulated);

const row = (name, value) => [el("dt", {}, t(name)), el("dd", {}, value)];

function bars(list = []) {
  if (!list.length) return null;
  const lines = list.map(({ measure, at_least: least, measured }) =>
    el("tr", {}, el("th", { scope: "row" }, el("code", {}, measure)),
      el("td", {}, number(measured, 3)), el("td", {}, number(least, 3))));
  const head = ["measure", "measured", "at_least"].map((name) => el("th", { scope: "col" }, t(name)));
  return el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines));
}

function limits(list = []) {
  if (!list.length) return null;
  return [el("h3", {}, t("limits")), el("ul", { lang: "en" }, list.map((text) => el("li", {}, text)))];
}
