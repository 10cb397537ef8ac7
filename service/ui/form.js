// The panel of a table model: a form made from the row's schema, the answer, many rows at once.

import * as answers from "/ui/answers.js";
import * as api from "/ui/api.js";
import * as curl from "/ui/curl.js";
import { el, put } from "/ui/dom.js";
import { Rows } from "/ui/rows.js";
import { label, number, own, t } from "/ui/words.js";

export class Form {
  constructor(model, secured) {
    this.model = model;
    this.secured = secured;
    this.fields = Object.entries(model.row.properties);
    this.typed = Object.fromEntries(Object.entries(model.example).map(([name, value]) => [name, String(value)]));
    this.rows = new Rows(model);
    this.outcome = null;
    this.place = el("div", { class: "panel" });
  }

  draw() {
    this.result = el("section", { class: "card result", "aria-live": "polite", "aria-label": t("answer") });
    this.commands = el("div", {});
    this.errors = {};
    const form = el("form", { class: "card", novalidate: true, onsubmit: (event) => { event.preventDefault(); this.ask(); } },
      el("div", { class: "fields" }, this.fields.map(([name, schema]) => this.field(name, schema))),
      el("div", { class: "bar" },
        el("button", { type: "submit", class: "button" }, t("ask")),
        el("button", { type: "button", class: "quiet", onclick: () => this.reset() }, t("example"))));
    put(this.place, el("div", { class: "two" }, form, this.result), this.rows.draw(), this.commands);
    this.drawOutcome();
    this.drawCommands();
    return this.place;
  }

  field(name, schema) {
    const unit = schema["x-unit"] ?? "";
    const id = `field-${name}`;
    const given = {
      id, name, required: true, "aria-describedby": `${id}-hint ${id}-error`,
      oninput: (event) => { this.typed[name] = event.target.value; this.drawCommands(); },
    };
    const error = el("p", { class: "error", id: `${id}-error` });
    const input = this.input(schema, given);
    input.value = this.typed[name];
    this.errors[name] = { input, error };
    return el("div", { class: "field" },
      el("label", { for: id }, label(name, unit)),
      el("div", { class: "entry" }, input, unit && el("span", { class: "unit", "aria-hidden": "true" }, own(unit))),
      el("p", { class: "hint", id: `${id}-hint` },
        el("span", answers.foreign(schema.description), own(schema.description)), this.range(schema), el("code", {}, name)),
      error);
  }

  input(schema, given) {
    if (schema.enum) {
      return el("select", given, schema.enum.map((value) => el("option", { value }, own(value))));
    }
    if (schema.type === "number") {
      return el("input", { ...given, type: "number", step: "any", min: schema.minimum, max: schema.maximum, inputmode: "decimal" });
    }
    return el("input", { ...given, type: "text", spellcheck: "false", autocomplete: "off", placeholder: schema.examples[0] });
  }

  range({ minimum, maximum }) {
    return minimum === undefined ? " " : ` ${t("range", { from: number(minimum, 3), to: number(maximum, 3) })} `;
  }

  // What is sent: numbers as numbers; an empty field is left out, and the service says so.
  row() {
    const typed = this.fields.filter(([name]) => this.typed[name] !== "");
    return Object.fromEntries(typed.map(([name, { type }]) =>
      [name, type === "number" ? Number(this.typed[name]) : this.typed[name]]));
  }

  async ask() {
    this.outcome = { state: "asking" };
    this.drawOutcome();
    try {
      const { answer, requestId } = await api.post(this.model.path, JSON.stringify(this.row()), "application/json");
      const { model, version, release, processing_time_ms, ...own } = await answer.json();
      this.outcome = { answer: own, origin: { version, release, processing_time_ms, requestId } };
    } catch (problem) {
      this.outcome = { problem };
    }
    this.drawOutcome();
    this.firstWrong()?.focus();
  }

  drawOutcome() {
    const { state, answer, origin, problem } = this.outcome ?? { state: "none" };
    const wrong = Object.fromEntries((problem?.errors ?? []).map(({ field, message }) => [field, message]));
    for (const [name, { input, error }] of Object.entries(this.errors)) {
      input.setAttribute("aria-invalid", String(name in wrong));
      put(error, wrong[name] && el("span", { lang: "en" }, wrong[name]));
    }
    const isAtFields = Object.keys(wrong).length > 0 && Object.keys(wrong).every((name) => name in this.errors);
    put(this.result,
      el("h2", {}, t("answer")),
      state === "none" && el("p", { class: "hint" }, t("no_answer_yet")),
      state === "asking" && el("p", { class: "wait" }, t("asking")),
      answer && answers.answer(this.model.answer, answer),
      origin && answers.origin(origin),
      problem && answers.problem(isAtFields ? { ...problem, detail: "" } : problem, { withFields: !isAtFields }),
      isAtFields && el("p", { class: "hint" }, t("see_fields", { count: Object.keys(wrong).length })));
  }

  drawCommands() {
    put(this.commands, curl.block([curl.forRow(this.model.path, this.row(), this.secured)]));
  }

  firstWrong() {
    return Object.values(this.errors).map(({ input }) => input).find((input) => input.getAttribute("aria-invalid") === "true");
  }

  reset() {
    for (const [name, value] of Object.entries(this.model.example)) this.typed[name] = String(value);
    this.outcome = null;
    this.draw();
  }
}
