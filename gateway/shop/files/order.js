import { Command, Refused, call, watch } from "./api.js";
import { money } from "./articles.js";
import { showCount } from "./basket.js";
import { chosenCard, declined, offerCards } from "./cards.js";
import { element, find, sandbox, show, tellProblem } from "./page.js";

const orderId = decodeURIComponent(location.pathname.split("/").pop());
const paying = new Command(`pay.${orderId}`);
const told = [];
let events = null;
let seen = 0;

const WORDS = {
  PENDING: "We are working on it …",
  AUTHORIZED: "The money is held; it is taken when we ship.",
  PAID: "It is paid. Thank you!",
  PROCESSING: "We are packing your things.",
  SHIPPED: "Your things are on their way.",
  DELIVERED: "Your things have arrived.",
  FAILED: "This order was given up. Nothing was charged.",
  CANCELLED: "This order was cancelled. Nothing was charged.",
  REFUNDED: "Your money is on its way back.",
};

function standingOf(order) {
  if (order.state !== "PAYMENT_ACTION_REQUIRED") return WORDS[order.state] ?? order.state;
  return asksTheBank(order) ? "The bank asks whether it is you." : `${declined(order.payment.decline_code)} Nothing was charged.`;
}

const asksTheBank = (order) => order.state === "PAYMENT_ACTION_REQUIRED" && order.payment.state === "ACTION_REQUIRED";
const wantsAnotherCard = (order) => order.state === "PAYMENT_ACTION_REQUIRED" && !asksTheBank(order);
const isPaid = (order) => ["PAID", "PROCESSING", "SHIPPED", "DELIVERED"].includes(order.state);

function changed(order) {
  // Events come in order, but the answer to a command of ours may come before or after its event.
  if (order.version <= seen) return;
  seen = order.version;
  const standing = standingOf(order);
  find("standing").textContent = standing;
  find("standing").className = `standing ${isPaid(order) ? "well" : wantsAnotherCard(order) || order.state === "FAILED" ? "badly" : ""}`;
  tell(standing, order.update_time);
  showBank(order);
  if (wantsAnotherCard(order) && find("another").hidden) offerCards(find("cards"));
  show("another", wantsAnotherCard(order));
  showMail(order);
  showDetails(order);
}

function tell(text, time) {
  if (told.at(-1) === text) return;
  told.push(text);
  find("story").append(element("li", {}, element("time", { datetime: time }, new Date(time).toLocaleTimeString()), ` ${text}`));
}

// With the real Stripe this is `stripe.handleNextAction({ clientSecret: order.payment.client_secret })`.
function showBank(order) {
  show("bank", asksTheBank(order));
  const back = encodeURIComponent(location.origin + location.pathname);
  const payment = encodeURIComponent(order.payment.provider_payment_id);
  find("bank-link").href = `${sandbox}/stripe/_sandbox/payment_intents/${payment}/authenticate?return_url=${back}`;
}

function showMail(order) {
  show("mail", isPaid(order));
  find("mail-address").textContent = order.customer.email;
  find("mail-link").href = `${sandbox}/sendgrid/_sandbox/mailbox.html?custom_arg=order_id:${order.order_id}`;
}

function showDetails(order) {
  find("lines").replaceChildren(...order.items.map((item) => element("tr", {},
    element("th", { scope: "row" }, item.description || item.sku), element("td", {}, item.quantity),
    element("td", { class: "amount" }, money({ ...item.unit_price, minor_units: item.unit_price.minor_units * item.quantity })))));
  const sums = [["Subtotal", order.subtotal], ["Tax", order.tax?.amount], ["Total", order.total]].filter(([, sum]) => sum);
  find("totals").replaceChildren(...sums.map(([name, sum]) => element("tr", {},
    element("th", { scope: "row", colspan: "2" }, name), element("td", { class: "amount" }, money(sum)))));
  find("order-id").textContent = order.order_id;
  find("console-link").href = `/console/orders/${order.order_id}`;
  find("ledger-link").href = `${sandbox}/ledger.html?order_id=${order.order_id}`;
  show("details", true);
}

async function payWithAnother(event) {
  event.preventDefault();
  const button = find("another").querySelector("button");
  button.disabled = true;
  tellProblem("");
  find("progress").textContent = "Asking the bank …";
  try {
    const body = { payment_method: chosenCard(find("cards")) };
    changed(await paying.send(`/orders/${orderId}:confirmPayment`, body, (tried) => {
      find("progress").textContent = `No answer yet; asking again with the same key (${tried}) …`;
    }));
    follow();
  } catch (error) {
    tellProblem(error instanceof Refused ? refusal(error) : "The shop cannot be reached. Nothing is paid twice: press the button again.");
    follow();
  } finally {
    button.disabled = false;
    find("progress").textContent = "";
  }
}

function refusal(error) {
  return error.reason === "PAYMENT_DECLINED" ? "This card was declined too. Nothing was charged." : error.message;
}

function follow() {
  if (events === null || events.readyState === EventSource.CLOSED) events = watch(orderId, changed, lookUp);
}

// The stream cannot say why it is not there; the order itself can.
async function lookUp() {
  try {
    changed(await call("GET", `/orders/${encodeURIComponent(orderId)}`));
  } catch (error) {
    find("standing").textContent = "";
    tellProblem(error.message);
  }
}

showCount();
find("another").addEventListener("submit", payWithAnother);
follow();
