// The token, for this tab alone: it is never in an address, a log or a command that is shown.

const KEPT = "bentofleet.token"; // in sessionStorage: gone with the tab

let token = "";

export const get = () => token;

export function recall() {
  try {
    token = sessionStorage.getItem(KEPT) ?? "";
  } catch {
    token = ""; // storage is closed: it is asked for again after a reload
  }
}

export function keep(typed) {
  token = typed.trim().replace(/^Bearer\s+/i, "");
  try {
    if (token) sessionStorage.setItem(KEPT, token);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // as above
  }
}

export const forget = () => keep("");

// What the token says of itself; null where it is none. Only the service can tell if it is valid.
export function claims() {
  try {
    const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { sub, scope, exp } = JSON.parse(atob(part));
    return { subject: String(sub), scope: String(scope), until: Number(exp) * 1000 };
  } catch {
    return null;
  }
}
