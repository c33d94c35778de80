import { Command, Refused, call } from "./api.js";
import { ARTICLES, SHIPPING, amount, money } from "./articles.js";
import { basket, emptyBasket, items, setQuantity, showCount } from "./basket.js";
import { chosenCard, offerCards } from "./cards.js";
import { element, find, show, tellProblem } from "./page.js";

// Who types nothing sees what the tax is in different places.
const EXAMPLES = [
  { name: "Seattle, Washington", line1: "400 Broad St", locality: "Seattle", administrative_area: "WA", postal_code: "98109", region_code: "US" },
  { name: "New York, New York", line1: "20 W 34th St", locality: "New York", administrative_area: "NY", postal_code: "10001", region_code: "US" },
  { name: "Portland, Oregon (no sales tax)", line1: "1000 SW Broadway", locality: "Portland", administrative_area: "OR", postal_code: "97205", region_code: "US" },
  { name: "Berlin, Germany", line1: "Unter den Linden 6", locality: "Berlin", administrative_area: "", postal_code: "10117", region_code: "DE" },
  { name: "Toronto, Canada", line1: "290 Bremner Blvd", locality: "Toronto", administrative_area: "ON", postal_code: "M5V 3L9", region_code: "CA" },
  { name: "Somewhere that does not exist", line1: "400 Broad St", locality: "Seattle", administrative_area: "CA", postal_code: "98109", region_code: "US" },
];
const ADDRESS = ["line1", "locality", "administrative_area", "postal_code", "region_code"];
const TYPING_MS = 400;

const form = find("checkout");
const placing = new Command("place");
let quoted = 0;
let waiting = 0;

function customer() {
  // A real shop knows its customers by ids of its own; this one makes one for each browser.
  const kept = localStorage.getItem("ordermesh.customer") ?? `web-${crypto.randomUUID()}`;
  localStorage.setItem("ordermesh.customer", kept);
  return { customer_id: kept, name: form.elements.name.value.trim(), email: form.elements.email.value.trim() };
}

function wanted() {
  const shipTo = Object.fromEntries(ADDRESS.map((name) => [name, form.elements[name].value.trim()]));
  return { customer: customer(), items: items(), ship_to: { ...shipTo, region_code: shipTo.region_code.toUpperCase() } };
}

// Of two quotes that are under way only the later one counts.
async function quote() {
  const mine = quoted += 1;
  try {
    const answer = await call("POST", "/orders:quote", { body: wanted() });
    if (mine !== quoted) return;
    mark({});
    tellProblem("");
    showSum(answer);
  } catch (error) {
    if (mine !== quoted) return;
    showSum(null);
    explain(error);
  }
}

function quoteSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(quote, TYPING_MS);
}

function showSum(answer) {
  const row = (name, value, kind = "") => [element("dt", { class: kind }, name), element("dd", { class: kind }, value)];
  const rates = new Map((answer?.tax.lines ?? []).flatMap((each) => each.jurisdictions ?? []).map((each) => [each.name, each.rate]));
  find("sum").replaceChildren(...(answer ? [
    ...row("Goods and shipping", money(answer.subtotal)),
    ...row("Tax", money(answer.tax.amount)),
    ...row("Total", money(answer.total), "total"),
  ] : row("Tax", "not known yet")));
  find("tax-note").textContent = answer?.tax.source === "FALLBACK"
    ? "AvaTax does not answer: this is an estimate, and what you pay."
    : [...rates].map(([name, rate]) => `${name} ${(100 * Number(rate)).toFixed(2).replace(/\.?0+$/, "")} %`).join(" · ");
}

// Names of fields in the API are the names of inputs here, behind the part that they belong to.
function mark(fields) {
  const wrong = Object.fromEntries(Object.entries(fields).map(([field, why]) => [field.split(".").pop(), why]));
  for (const input of form.querySelectorAll(".field input")) {
    const why = wrong[input.name];
    input.toggleAttribute("aria-invalid", Boolean(why));
    if (why) input.setAttribute("aria-invalid", "true");
    const note = input.parentElement.querySelector(".wrong");
    if (note) note.remove();
    input.removeAttribute("aria-describedby");
    if (why) {
      const id = `${input.name}-wrong`;
      input.after(element("span", { class: "wrong", id }, why));
      input.setAttribute("aria-describedby", id);
    }
  }
}

function explain(error) {
  if (error instanceof Refused) mark(error.fields);
  tellProblem(error instanceof Refused ? error.message : "The shop cannot be reached. Nothing is ordered twice: press the button again.");
}

async function pay(event) {
  event.preventDefault();
  find("pay").disabled = true;
  find("progress").textContent = "Your order is being placed …";
  tellProblem("");
  // A card that is declined leaves the order open for another one.
  const order = { ...wanted(), payment_method: chosenCard(find("cards")), metadata: { channel: "demo-shop" }, keep_after_decline: true };
  try {
    const placed = await placing.send("/orders", order, (tried) => {
      find("progress").textContent = `No answer yet; asking again with the same key (${tried}) …`;
    });
    emptyBasket();
    location.assign(`/shop/orders/${placed.order_id}`);
  } catch (error) {
    explain(error);
    find("pay").disabled = false;
    find("progress").textContent = "";
  }
}

function line(article) {
  const cell = element("td", { class: "amount" });
  const number = element("input", { type: "number", min: "0", max: "99", "aria-label": `How many: ${article.name}` });
  const row = element("tr", {}, element("th", { scope: "row" }, article.name), element("td", {}, number), cell);
  const showQuantity = (quantity) => {
    number.value = quantity;
    cell.textContent = money(amount(article.price * quantity));
  };
  showQuantity(basket()[article.sku]);
  number.addEventListener("change", () => {
    setQuantity(article.sku, Math.min(99, Math.trunc(Number(number.value)) || 0));
    const quantity = basket()[article.sku];
    // In place: whoever goes by the keyboard stays where they are.
    if (quantity) showQuantity(quantity);
    else row.remove();
    showWhetherEmpty();
  });
  return row;
}

function showLines() {
  const inside = basket();
  find("lines").replaceChildren(
    ...ARTICLES.filter(({ sku }) => inside[sku]).map(line),
    element("tr", {}, element("th", { scope: "row" }, SHIPPING.name), element("td", {}, "1"),
      element("td", { class: "amount" }, money(amount(SHIPPING.price)))),
  );
  showWhetherEmpty();
}

function showWhetherEmpty() {
  const filled = Object.keys(basket()).length > 0;
  show("checkout", filled);
  show("empty", !filled);
  if (filled) quote();
}

function fill(address) {
  for (const name of ADDRESS) form.elements[name].value = address[name];
}

find("example").append(...EXAMPLES.map(({ name }, index) => element("option", { value: index }, name)));
find("example").addEventListener("change", (event) => { fill(EXAMPLES[event.target.value]); quote(); });
form.elements.name.value = "Ada Example";
form.elements.email.value = "ada@example.com";
fill(EXAMPLES[0]);
offerCards(find("cards"));
showCount();
form.addEventListener("submit", pay);
for (const input of form.querySelectorAll(".field input")) input.addEventListener("input", quoteSoon);
showLines();
