// The panel of a photo model: photos in, each with its answer, its heat map, or what is wrong.

import * as answers from "/ui/answers.js";
import * as api from "/ui/api.js";
import * as curl from "/ui/curl.js";
import { el, icon, put } from "/ui/dom.js";
import { megabytes, t } from "/ui/words.js";

const CHUNK = 8; // photos in one request, so that answers come bit by bit
const AT_A_TIME = 2; // requests
const PART_BYTES = 1024; // boundary and head of one part
const UP = "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3";

export class Photos {
  constructor(model, secured) {
    this.model = model;
    this.secured = secured;
    this.entries = [];
    this.place = el("div", { class: "panel" });
  }

  draw() {
    this.list = el("ul", { class: "photos", "aria-live": "polite", "aria-label": t("answers") });
    this.commands = el("div", {});
    this.bar = el("div", { class: "bar" });
    put(this.place, this.drop(), this.bar, this.list, this.commands);
    this.entries.forEach((entry) => this.list.append(this.show(entry)));
    this.drawRest();
    return this.place;
  }

  drop() {
    const { model } = this;
    const input = el("input", {
      type: "file", multiple: true, accept: model.types.join(","), id: "files", class: "hidden",
      "aria-describedby": "drop-hint",
      onchange: () => { this.take(input.files); input.value = ""; },
    });
    const zone = el("div", {
      class: "drop",
      ondragover: (event) => { event.preventDefault(); zone.classList.add("over"); },
      ondragleave: () => zone.classList.remove("over"),
      ondrop: (event) => { event.preventDefault(); zone.classList.remove("over"); this.take(event.dataTransfer.files); },
    },
    input,
    el("label", { for: "files" }, icon(UP), el("strong", {}, t("drop")), el("span", { class: "button" }, t("choose_files"))),
    el("p", { id: "drop-hint", class: "hint" }, t("drop_hint", {
      types: model.types.map((type) => type.split("/")[1].toUpperCase()).join(", "),
      size: megabytes(model.bodyBytes),
    })));
    return zone;
  }

  async take(files) {
    const added = [...files].map((file) => ({ file, url: URL.createObjectURL(file), state: "waiting" }));
    this.entries.push(...added);
    added.forEach((entry) => this.list.append(this.show(entry)));
    this.drawRest();
    const [large, good] = [added.filter((e) => this.isTooLarge(e)), added.filter((e) => !this.isTooLarge(e))];
    large.forEach((entry) => this.fail(entry, new api.Problem("too-large", {
      detail: t("file_too_large", { size: megabytes(this.model.bodyBytes) }),
    })));
    await api.few(this.chunks(good).map((chunk) => () => this.ask(chunk)), AT_A_TIME);
    if (this.model.explainPath) {
      const explained = good.filter((entry) => entry.state === "done");
      await api.few(explained.map((entry) => () => this.explain(entry)), AT_A_TIME);
    }
  }

  isTooLarge(entry) {
    return entry.file.size > this.model.bodyBytes;
  }

  // Within the items and the bytes that one request may have.
  chunks(entries) {
    const most = Math.min(CHUNK, this.model.batchItems);
    const chunks = [];
    let bytes = Infinity;
    for (const entry of entries) {
      const size = entry.file.size + PART_BYTES;
      if (bytes + size > this.model.batchBytes || chunks.at(-1).length === most) {
        chunks.push([]);
        bytes = 0;
      }
      chunks.at(-1).push(entry);
      bytes += size;
    }
    return chunks;
  }

  async ask(chunk) {
    chunk.forEach((entry) => this.become(entry, { state: "asking" }));
    const form = new FormData();
    chunk.forEach(({ file }) => form.append("file", file, "photo"));
    try {
      const { answer, requestId } = await api.post(this.model.batchPath, form);
      const { items, ...rest } = await answer.json();
      items.forEach((item, index) => this.settle(chunk[index], item, { ...rest, requestId }));
    } catch (error) {
      chunk.forEach((entry) => this.fail(entry, error));
    }
  }

  settle(entry, { answer, error }, origin) {
    if (answer) {
      this.become(entry, { state: "done", answer, origin });
    } else {
      const slug = SLUGS[error.status] ?? "odd";
      this.fail(entry, { ...error, slug, requestId: origin.requestId });
    }
  }

  fail(entry, problem) {
    this.become(entry, { state: "failed", problem });
  }

  async explain(entry) {
    try {
      const { answer } = await api.post(this.model.explainPath, entry.file, this.typeOf(entry.file));
      this.become(entry, { heat: URL.createObjectURL(await answer.blob()), isHeatShown: true });
    } catch (error) {
      this.become(entry, { heatProblem: error });
    }
  }

  become(entry, change) {
    Object.assign(entry, change);
    if (!this.entries.includes(entry)) {
      URL.revokeObjectURL(change.heat ?? ""); // cleared meanwhile
      return;
    }
    const old = entry.shown;
    old.replaceWith(this.show(entry));
  }

  show(entry) {
    entry.shown = el("li", { class: `photo ${entry.state}` },
      this.frame(entry),
      el("div", { class: "facts" },
        el("p", { class: "file", title: entry.file.name }, entry.file.name),
        entry.state === "waiting" && el("p", { class: "wait" }, t("waiting")),
        entry.state === "asking" && el("p", { class: "wait" }, t("asking")),
        entry.answer && answers.answer(this.model.answer, entry.answer),
        entry.problem && answers.problem(entry.problem),
        entry.heatProblem && answers.problem(entry.heatProblem),
        entry.origin && answers.origin(entry.origin)));
    return entry.shown;
  }

  frame(entry) {
    const isHeat = entry.isHeatShown && entry.heat;
    const image = el("img", {
      src: isHeat ? entry.heat : entry.url,
      alt: t(isHeat ? "heat_of" : "photo_of", { file: entry.file.name }),
      decoding: "async",
      onerror: () => image.replaceWith(el("span", { class: "blank" }, t("no_preview"))),
    });
    return el("div", { class: "frame" }, image, entry.heat && el("button", {
      type: "button", class: "toggle", "aria-pressed": String(Boolean(isHeat)),
      onclick: () => { this.become(entry, { isHeatShown: !entry.isHeatShown }); entry.shown.querySelector(".toggle").focus(); },
    }, t("heat_map")));
  }

  drawRest() {
    const { model, secured, entries } = this;
    put(this.bar, entries.length > 0 && [
      el("h2", {}, t("answers")),
      el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, t("clear")),
    ]);
    const last = entries.at(-1)?.file;
    const [name, type] = last ? [last.name, this.typeOf(last)] : ["photo.jpg", model.types[0]];
    const commands = [curl.forPhoto(model.path, type, name, secured)];
    if (entries.length > 1) {
      commands.unshift(curl.forPhotos(model.batchPath, entries.map((entry) => entry.file.name), secured));
    }
    if (model.explainPath) commands.push(curl.forPhoto(model.explainPath, type, name, secured, "heat-map.png"));
    put(this.commands, curl.block(commands));
  }

  clear() {
    for (const { url, heat } of this.entries) [url, heat].forEach((each) => each && URL.revokeObjectURL(each));
    this.entries = [];
    put(this.list);
    this.drawRest();
    document.getElementById("files").focus();
  }

  typeOf(file) {
    return this.model.types.includes(file.type) ? file.type : this.model.types[0];
  }
}

// An item's error tells its status, not its kind.
const SLUGS = { 413: "too-large", 415: "unsupported-type", 422: "invalid-input", 500: "internal" };
