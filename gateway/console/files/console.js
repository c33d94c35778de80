"use strict";

// A page is brought up to date by fetching it again and putting its content in place of the old one; what somebody
// is filling in stays as it is.
const main = document.getElementById("content");

async function refresh() {
  if (main.contains(document.activeElement) && document.activeElement.matches("input, select, button")) return;
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("content");
  if (!fresh) return;
  main.replaceChildren(...fresh.childNodes);
  main.dataset.version = fresh.dataset.version ?? "";
}

function soon(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; work(); }, 300);
  };
}

if (main.dataset.watch) {
  const changed = soon(refresh);
  const events = new EventSource(main.dataset.watch);
  // The first event is as a rule the order as the page has it already.
  events.onmessage = (event) => { if (JSON.parse(event.data).version > Number(main.dataset.version)) changed(); };
}
// Mails, tax documents and traces come after the order itself has come to rest. A page that says so is fetched ever less
// often while it stays as it is, and one that nobody sees is not fetched at all.
const seconds = Number(main.dataset.reloadSeconds);
const longest = Number(main.dataset.reloadLongest) || seconds;
let shown = main.textContent;

function again(wait) {
  setTimeout(async () => {
    if (!document.hidden) await refresh().catch(() => {});
    const asBefore = main.textContent === shown;
    shown = main.textContent;
    again(asBefore ? Math.min(2 * wait, longest) : seconds);
  }, 1000 * wait);
}

if (seconds) {
  again(seconds);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh().catch(() => {}); });
}
