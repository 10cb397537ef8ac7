// Many rows at once, pasted as CSV with a head or as JSON; an answer or a problem for each.

import * as answers from "/ui/answers.js";
import * as api from "/ui/api.js";
import { el, put } from "/ui/dom.js";
import { label, number, t } from "/ui/words.js";

const AT_A_TIME = 2; // requests

export class Rows {
  constructor(model) {
    this.model = model;
    this.text = "";
    this.isOpen = false;
    this.outcome = {};
  }

  draw() {
    const area = el("textarea", {
      id: "rows", rows: "6", spellcheck: "false", "aria-describedby": "rows-hint",
      placeholder: this.sample(), oninput: () => { this.text = area.value; },
    });
    area.value = this.text;
    this.result = el("div", { "aria-live": "polite" });
    this.drawOutcome();
    return el("details", { class: "card", open: this.isOpen, ontoggle: (event) => { this.isOpen = event.target.open; } },
      el("summary", {}, t("many_rows")),
      el("label", { for: "rows", class: "hint" }, t("paste")),
      area,
      el("p", { class: "hint", id: "rows-hint" }, t("paste_hint")),
      el("div", { class: "bar" }, el("button", { type: "button", class: "button", onclick: () => this.ask() }, t("ask_all"))),
      this.result);
  }

  sample() {
    const names = Object.keys(this.model.example);
    return `${names.join(",")}\n${names.map((name) => this.model.example[name]).join(",")}`;
  }

  async ask() {
    try {
      const rows = this.parse(this.text.trim());
      const parts = [];
      for (let at = 0; at < rows.length; at += this.model.batchItems) parts.push(rows.slice(at, at + this.model.batchItems));
      const items = [];
      await api.few(parts.map((part, index) => async () => { items[index] = await this.send(part); }), AT_A_TIME);
      this.outcome = { items: items.flat() };
    } catch (problem) {
      this.outcome = { problem: problem instanceof api.Problem ? problem : new api.Problem("rows", { detail: "" }) };
    }
    this.drawOutcome();
  }

  async send(items) {
    const { answer } = await api.post(this.model.batchPath, JSON.stringify({ items }), "application/json");
    return (await answer.json()).items;
  }

  parse(text) {
    if (!text) throw new api.Problem("rows");
    if (text[0] !== "[" && text[0] !== "{") return this.fromTable(text);
    const given = JSON.parse(text);
    return Array.isArray(given) ? given : (given.items ?? [given]);
  }

  fromTable(text) {
    const [head, ...lines] = text.split(/\r?\n/).filter((line) => line.trim());
    const mark = ["\t", ";", ","].find((each) => head.includes(each)) ?? ",";
    const names = cells(head, mark);
    if (!lines.length) throw new api.Problem("rows");
    return lines.map((line) => Object.fromEntries(
      cells(line, mark).map((cell, index) => [names[index] ?? `column_${index + 1}`, cell]).filter(([, cell]) => cell !== "")
        .map(([name, cell]) => [name, this.typed(name, cell, mark)])));
  }

  typed(name, cell, mark) {
    if (this.model.row.properties[name]?.type !== "number") return cell;
    const value = Number(mark === "," ? cell : cell.replace(",", ".")); // a spreadsheet's decimal comma
    return Number.isNaN(value) ? cell : value; // the service says what is wrong with it
  }

  drawOutcome() {
    const { items, problem } = this.outcome;
    put(this.result, problem && answers.problem(problem), items && this.table(items));
  }

  table(items) {
    const fields = this.model.answer.map(([name]) => name);
    const head = ["#", ...fields.map((name) => label(name))].map((text) => el("th", { scope: "col" }, text));
    const lines = items.map(({ answer, error }, index) => el("tr", {},
      el("th", { scope: "row" }, String(index + 1)),
      answer
        ? fields.map((name) => el("td", {}, typeof answer[name] === "number" ? number(answer[name]) : String(answer[name])))
        : el("td", { colspan: String(fields.length), class: "error", lang: "en" }, error.detail)));
    return el("div", { class: "wide", tabindex: "0" },
      el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines)));
  }
}

// The cells of one line; quotes hold marks, two of them are one.
function cells(line, mark) {
  const found = [""];
  let isQuoted = false;
  for (const [index, letter] of [...line].entries()) {
    if (letter === '"') {
      if (isQuoted && line[index + 1] === '"') found[found.length - 1] += letter;
      isQuoted = !isQuoted;
    } else if (letter === mark && !isQuoted) found.push("");
    else found[found.length - 1] += letter;
  }
  return found.map((cell) => cell.trim());
}
