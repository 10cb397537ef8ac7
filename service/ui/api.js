// Calls the service: the token in a header, waits and tries again where the service asks for it.

import * as token from "/ui/token.js";

const ATTEMPTS = 6;
const LONGEST_WAIT_S = 10;
const TIMEOUT_MS = 60_000;
const BUSY = [429, 503];

// Everything that is not a good answer.
export class Problem extends Error {
  constructor(slug, { detail = "", status = 0, errors = [], requestId = "" } = {}) {
    super(detail || slug);
    Object.assign(this, { slug, detail, status, errors, requestId });
  }
}

export async function getJson(path) {
  return (await answered(path, {})).json();
}

// One JSON body or photo; gives the answer and the request's id.
export async function post(path, body, type) {
  const answer = await answered(path, {
    method: "POST",
    body,
    headers: type ? { "Content-Type": type } : {}, // a form names its own, with the boundary
  });
  return { answer, requestId: answer.headers.get("X-Request-ID") ?? "" };
}

// Runs jobs, so many at a time.
export async function few(jobs, most) {
  const waiting = [...jobs];
  const worker = async () => {
    while (waiting.length) await waiting.shift()();
  };
  await Promise.all(Array.from({ length: most }, worker));
}

async function answered(path, options) {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await sent(path, options);
    if (answer.ok) return answer;
    if (answer.status === 401) throw unauthorized(await problem(answer));
    if (!BUSY.includes(answer.status) || attempt === ATTEMPTS) throw await problem(answer);
    await pause(Math.min(Number(answer.headers.get("Retry-After")) || attempt, LONGEST_WAIT_S));
  }
}

async function sent(path, options) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  const rest = { cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" };
  try {
    return await fetch(path, { ...options, ...rest, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Problem(error.name === "TimeoutError" ? "slow" : "unreachable");
  }
}

// Told to the page as well: the token that it shows as accepted is so no more.
function unauthorized(found) {
  dispatchEvent(new CustomEvent("unauthorized", { detail: found }));
  return found;
}

async function problem(answer) {
  const requestId = answer.headers.get("X-Request-ID") ?? "";
  try {
    const { type, detail, errors } = await answer.json();
    return new Problem(type.split(":").at(-1), { detail, errors, status: answer.status, requestId });
  } catch {
    return new Problem("odd", { detail: `HTTP ${answer.status}`, status: answer.status, requestId });
  }
}

const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
