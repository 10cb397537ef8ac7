// The page's words in English and Spanish, and numbers and times as they are written there.

const LANGUAGES = { en: "English", es: "Español" };
const KEPT = "bentofleet.language"; // in localStorage: a taste, no secret

let language = "en";
let words = {};
let texts = {}; // the models' own English texts, in the language that was chosen

export { LANGUAGES };

export const current = () => language;

export async function choose(wanted = remembered()) {
  const files = [fetched(`/ui/${wanted}.json`), wanted === "en" ? {} : fetched(`/ui/models-${wanted}.json`)];
  [words, texts] = await Promise.all(files);
  language = wanted;
  document.documentElement.lang = wanted;
  try {
    localStorage.setItem(KEPT, wanted);
  } catch {
    // Storage is closed: the choice lasts as long as the page.
  }
}

export function t(key, values = {}) {
  return words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const has = (key) => key in words;

// A text of a model's specification, translated where we have it.
export const own = (text) => texts[text] ?? text;

export const isForeign = (text) => language !== "en" && !(text in texts);

export function label(name, unit = "") {
  if (name in texts) return texts[name];
  const end = SUFFIXES[unit] ?? "";
  const plain = end && name.endsWith(end) ? name.slice(0, -end.length) : name;
  return plain.charAt(0).toUpperCase() + plain.slice(1).replaceAll("_", " ");
}

export const number = (value, digits = 2) =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value);

export const percent = (share) =>
  new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 1 }).format(share);

export const megabytes = (bytes) => `${number(bytes / 2 ** 20, 0)} MB`;

export const clock = (milliseconds) =>
  new Intl.DateTimeFormat(locale(), { dateStyle: "medium", timeStyle: "short" }).format(milliseconds);

const SUFFIXES = { "°C": "_c", "%": "_percent", "m/s": "_m_s", "W/m²": "_w_m2", USD: "_usd", days: "_days" };

const locale = () => (navigator.language.startsWith(language) ? navigator.language : language);

function remembered() {
  let kept = null;
  try {
    kept = localStorage.getItem(KEPT);
  } catch {
    // as above
  }
  if (kept in LANGUAGES) return kept;
  return navigator.language.startsWith("es") ? "es" : "en";
}

async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
