// What the buyer wants, as their browser keeps it.

import { ARTICLES, SHIPPING, amount } from "./articles.js";

const PLACE = "ordermesh.basket";

// By article number: how many.
export function basket() {
  const kept = JSON.parse(localStorage.getItem(PLACE) ?? "{}");
  return Object.fromEntries(ARTICLES.filter(({ sku }) => kept[sku] > 0).map(({ sku }) => [sku, kept[sku]]));
}

export function setQuantity(sku, quantity) {
  localStorage.setItem(PLACE, JSON.stringify({ ...basket(), [sku]: Math.max(0, quantity) }));
  showCount();
}

export function addOne(sku) {
  setQuantity(sku, (basket()[sku] ?? 0) + 1);
}

export function emptyBasket() {
  localStorage.removeItem(PLACE);
  showCount();
}

export function showCount() {
  const count = Object.values(basket()).reduce((sum, each) => sum + each, 0);
  document.getElementById("basket-count").textContent = count;
}

// The lines of the order, as the API takes them; shipping is a line of its own, with its own tax. A real shop looks its
// prices up on its own server and places the order from there: whoever sends the prices decides what they pay.
export function items() {
  const wanted = basket();
  const articles = ARTICLES.filter(({ sku }) => wanted[sku]).map(({ sku, name, price }) => ({
    sku, description: name, quantity: wanted[sku], unit_price: amount(price),
  }));
  return [...articles, {
    sku: SHIPPING.sku, description: SHIPPING.name, quantity: 1, unit_price: amount(SHIPPING.price), kind: "SHIPPING",
  }];
}
