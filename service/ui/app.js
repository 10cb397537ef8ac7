// The page: which model is shown, the token, the language. Everything else comes from the API.

import { about, isSimulated } from "/ui/about.js";
import * as answers from "/ui/answers.js";
import * as api from "/ui/api.js";
import { el, put } from "/ui/dom.js";
import { Form } from "/ui/form.js";
import * as health from "/ui/health.js";
import * as models from "/ui/models.js";
import { Photos } from "/ui/photos.js";
import * as token from "/ui/token.js";
import * as words from "/ui/words.js";

const { t, own } = words;
const at = (id) => document.getElementById(id);

let known = []; // models of the API's description
let panels = {}; // by model: what was typed and answered stays when another is chosen
let cards = {}; // by model: what /v1/models tells
let secured = true;
let access = { state: "none" }; // none | asking | open | refused

async function start() {
  token.recall();
  await words.choose();
  health.start(at("health"), at("alarm"));
  drawFrame();
  try {
    const document = await api.getJson("/openapi.json");
    secured = models.wantsToken(document);
    known = models.read(document);
    panels = Object.fromEntries(known.map((model) => [model.name, panel(model)]));
  } catch (problem) {
    put(at("work"), answers.problem(problem));
    return;
  }
  listen();
  draw();
  if (!secured || token.get()) await unlock();
}

function listen() {
  addEventListener("hashchange", () => {
    draw();
    at("work").focus();
  });
  addEventListener("unauthorized", ({ detail }) => {
    if (access.state === "open") refuse(detail); // it ended, or its key was withdrawn
  });
  // A photo that misses its place would replace the page.
  for (const kind of ["dragover", "drop"]) addEventListener(kind, (event) => event.preventDefault());
  at("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address names the model
    at("work").focus();
  });
}

const panel = (model) => (model.kind === "table" ? new Form(model, secured) : new Photos(model, secured));

const chosen = () => known.find(({ name }) => name === location.hash.slice(1)) ?? known[0];

function draw() {
  drawFrame();
  drawModels();
  drawToken();
  drawWork();
}

function drawFrame() {
  at("skip").textContent = t("skip");
  put(at("languages"), Object.entries(words.LANGUAGES).map(([code, name]) => el("button", {
    type: "button", lang: code, "aria-pressed": String(code === words.current()),
    onclick: async () => { await words.choose(code); draw(); at("languages").querySelector(`[lang=${code}]`).focus(); },
  }, name)));
  at("languages").setAttribute("aria-label", t("language"));
  put(at("foot"), t("foot"), " ", el("a", { href: "/docs" }, t("docs")));
  health.draw();
}

function drawModels() {
  at("models").setAttribute("aria-label", t("models"));
  put(at("models"), el("h2", {}, t("models")), el("ul", {}, known.map((model) => el("li", {}, el("a", {
    href: `#${model.name}`, "aria-current": model === chosen() ? "page" : null, ...answers.foreign(model.title),
  }, el("span", {}, own(model.title)), el("small", {}, t(`takes.${model.kind}`)))))));
}

function drawWork() {
  const model = chosen();
  const card = cards[model.name];
  document.title = `${own(model.title)} · bentofleet`;
  put(at("work"),
    el("h1", answers.foreign(model.title), own(model.title)),
    el("p", { class: "summary", ...answers.foreign(model.summary) }, own(model.summary)),
    words.current() !== "en" && el("p", { class: "hint" }, t("english")),
    isSimulated(card) && el("p", { class: "note" }, t("simulated")),
    panels[model.name].draw(),
    about(card));
}

function drawToken() {
  at("token").className = secured ? "card" : "";
  at("token").setAttribute("aria-label", t("token"));
  put(at("token"), secured && [
    el("h2", {}, t("token")),
    access.state === "open" ? opened() : asked(),
  ]);
}

function asked() {
  const input = el("input", {
    id: "token-input", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    "aria-describedby": "token-hint token-told", "aria-invalid": String(access.state === "refused"),
  });
  const enter = (event) => { event.preventDefault(); token.keep(input.value); unlock(); };
  return el("form", { onsubmit: enter },
    el("label", { for: "token-input" }, t("token_label")),
    el("div", { class: "entry" }, input, el("button", { type: "submit", class: "button" }, t("token_use"))),
    el("div", { id: "token-told", role: "alert" },
      access.state === "refused" && answers.problem(access.problem)),
    el("p", { class: "hint", id: "token-hint" }, t("token_hint"), " ", el("code", {}, "make token")));
}

function opened() {
  const said = token.claims();
  return [
    el("p", { class: "ok" }, t("token_kept")),
    said && el("dl", { class: "said" },
      el("dt", {}, t("token_subject")), el("dd", {}, said.subject),
      el("dt", {}, t("token_scope")), el("dd", {}, el("code", {}, said.scope)),
      el("dt", {}, t("token_until")), el("dd", {}, words.clock(said.until))),
    el("button", { type: "button", class: "quiet", onclick: forget }, t("token_forget")),
  ];
}

// Asks with the token; whether it is valid only the service can say.
async function unlock() {
  access = { state: "asking" };
  try {
    const listed = await api.getJson("/v1/models");
    cards = Object.fromEntries(listed.models.map((card) => [card.name, card]));
    access = { state: "open" };
  } catch (problem) {
    refuse(problem);
    at("token-input")?.focus();
    return;
  }
  drawToken();
  drawCard();
}

function refuse(problem) {
  if (problem.slug === "unauthorized") token.forget();
  access = { state: "refused", problem };
  drawToken();
}

// The card alone: what is being typed elsewhere stays where it is.
function drawCard() {
  const model = chosen();
  at("work").querySelector(".about")?.remove();
  const card = about(cards[model.name]);
  if (card) at("work").append(card);
  if (isSimulated(cards[model.name]) && !at("work").querySelector(".note")) {
    at("work").querySelector(".summary").after(el("p", { class: "note" }, t("simulated")));
  }
}

function forget() {
  token.forget();
  cards = {};
  access = { state: "none" };
  draw();
  at("token-input").focus();
}

start();
