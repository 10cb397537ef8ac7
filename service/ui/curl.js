// The command that asks the same from a shell. The token stands there as a variable.

import { el, put } from "/ui/dom.js";
import { t } from "/ui/words.js";

const MULTIPART_LIST = 3; // files that are named; more would hide the rest of the command

export function forRow(path, row, secured) {
  return command(path, secured, ["-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(row))}`]);
}

export function forPhoto(path, type, file, secured, into = "") {
  const parts = [`-H 'Content-Type: ${type}'`, `--data-binary ${quoted(`@${file}`)}`];
  return command(path, secured, into ? [...parts, `-o ${into}`] : parts);
}

export function forPhotos(path, files, secured) {
  return command(path, secured, files.slice(0, MULTIPART_LIST).map((file) => `-F ${quoted(`file=@${file}`)}`));
}

// A block with the commands and a button that copies them.
export function block(commands) {
  const text = commands.join("\n\n");
  const told = el("span", { role: "status", class: "told" });
  const copy = el("button", {
    type: "button",
    class: "quiet",
    onclick: async () => {
      try {
        await navigator.clipboard.writeText(text);
        put(told, t("copied"));
      } catch {
        getSelection().selectAllChildren(code); // no clipboard without https: copy by hand
        put(told, t("copy_by_hand"));
      }
    },
  }, t("copy"));
  const code = el("code", {}, text);
  return el("section", { class: "card curl" },
    el("div", { class: "bar" }, el("h2", {}, t("curl")), told, copy),
    el("pre", { tabindex: "0", "aria-label": t("curl") }, code));
}

function command(path, secured, parts) {
  const token = secured ? ['-H "Authorization: Bearer $TOKEN"'] : [];
  return [`curl -sS ${location.origin}${path}`, ...token, ...parts].join(" \\\n  ");
}

// For sh: between single quotes everything but they themselves is plain.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);
