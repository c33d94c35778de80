// How a web shop calls Ordermesh: what may be repeated is repeated, and what moves money has a key that outlives the
// call, the page and the network. This file is what to copy.

const API = "/api/v1";
const TRIES = 6;
const LONGEST_WAIT_MS = 8000;
// Longer than PlaceOrder takes at most (10 s), so that an answer is not thrown away a moment before it comes.
const CALL_MS = 15000;
// "Not now": too many at a time, or a service or its answer is missing. What was asked for may have been done.
const NOT_NOW = new Set([429, 502, 503, 504]);

// What the API refused: nothing is gained by asking again now.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The API answered ${status}.`);
    this.status = status;
    this.reason = problem.reason ?? "";
    // After an error of the server nobody knows whether it was done.
    this.isFinal = status < 500;
    // By field: "ship_to.postal_code" → what is wrong with it.
    this.fields = Object.fromEntries((problem.errors ?? []).map((each) => [each.field, each.description]));
  }
}

// Nobody answered, however often they were asked. Whether it was done is not known: ask again with the same key.
export class Unknown extends Error {}

// Calls the API. Whatever is repeated goes out with the same key and the same body, so that it is done once.
//   key: of a command; left out where nothing is changed.
//   waiting: told before each repetition how many there were.
export async function call(method, path, { body, key, waiting = () => {} } = {}) {
  const headers = { accept: "application/json" };
  if (body !== undefined) headers["content-type"] = "application/json";
  if (key) headers["idempotency-key"] = key;
  const request = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  for (let tried = 1; ; tried += 1) {
    const answer = await once(path, request);
    if (answer && !isWorthWaiting(answer)) return understood(answer);
    if (tried === TRIES) throw new Unknown("The shop cannot be reached.");
    waiting(tried);
    await pause(tried, answer?.headers.get("retry-after"));
  }
}

// Who is asked to stay away for an hour (too many cards that were declined) is told so at once.
function isWorthWaiting(answer) {
  return NOT_NOW.has(answer.status) && 1000 * Number(answer.headers.get("retry-after") ?? 0) <= LONGEST_WAIT_MS;
}

async function once(path, request) {
  try {
    return await fetch(API + path, { ...request, signal: AbortSignal.timeout(CALL_MS) });
  } catch {
    return null; // The network failed, or nobody answered in time.
  }
}

async function understood(answer) {
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, document);
  return document;
}

function pause(tried, seconds) {
  const most = Math.min(LONGEST_WAIT_MS, 250 * 2 ** tried);
  // At random below that: a thousand browsers that were cut off together must not come back together.
  const wait = Number(seconds) > 0 ? 1000 * Number(seconds) : most * (0.5 + Math.random() / 2);
  return new Promise((done) => { setTimeout(done, wait); });
}

// A command with its key, as the browser keeps it: pressed twice, after a reload or after a failure that left its
// outcome unknown, the same request goes out under the same key. Another request gets another key.
export class Command {
  constructor(name) {
    this.place = `ordermesh.command.${name}`;
  }

  async send(path, body, waiting) {
    const key = this.keyFor(JSON.stringify([path, body]));
    try {
      const answer = await call("POST", path, { body, key, waiting });
      this.forget();
      return answer;
    } catch (error) {
      // Refused: the next attempt is meant anew. Unknown whether it was done: the key stays.
      if (error instanceof Refused && error.isFinal) this.forget();
      throw error;
    }
  }

  keyFor(request) {
    const kept = JSON.parse(sessionStorage.getItem(this.place) ?? "null");
    if (kept?.request === request) return kept.key;
    const key = `web-${crypto.randomUUID()}`;
    sessionStorage.setItem(this.place, JSON.stringify({ request, key }));
    return key;
  }

  forget() {
    sessionStorage.removeItem(this.place);
  }
}

// Follows an order: told of it as it is now and after each change. A browser that was cut off connects again by
// itself, and says what it has seen (Last-Event-ID).
//   lost: called when the stream was refused, and no attempt follows.
export function watch(orderId, changed, lost) {
  const events = new EventSource(`${API}/orders/${encodeURIComponent(orderId)}:watch`);
  events.onmessage = (event) => changed(JSON.parse(event.data));
  events.onerror = () => { if (events.readyState === EventSource.CLOSED) lost(); };
  // Until somebody acts it can change no more by itself.
  events.addEventListener("end", () => events.close());
  return events;
}
