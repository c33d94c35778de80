// Stripe's test cards. A real shop has the card entered into Stripe's own field, and is given a "pm_…" for it.

import { element } from "./page.js";

const CARDS = [
  { method: "pm_card_visa", name: "Visa 4242", about: "is paid at once" },
  { method: "pm_card_mastercard", name: "Mastercard 4444", about: "is paid at once" },
  { method: "pm_card_threeDSecure2Required", name: "Visa 3220", about: "the bank asks back (3-D Secure)" },
  { method: "pm_card_visa_chargeDeclinedInsufficientFunds", name: "Visa 9995", about: "declined: too little money" },
  { method: "pm_card_chargeDeclinedExpiredCard", name: "Visa 0069", about: "declined: has expired" },
  { method: "pm_card_visa_chargeDeclinedLostCard", name: "Visa 9987", about: "declined: was lost" },
];

// What the issuer said, in words for the buyer; what it does not want told is not told.
const DECLINED = {
  insufficient_funds: "There is not enough money on this card.",
  expired_card: "This card has expired.",
  incorrect_cvc: "The security code is not right.",
  payment_intent_authentication_failure: "The bank could not make sure that it was you.",
  authentication_required: "The bank wants to know that it is you.",
};

export function declined(code) {
  return DECLINED[code] ?? "The bank declined this card.";
}

// Puts the choice into a place of the page.
export function offerCards(place, chosen = CARDS[0].method) {
  place.replaceChildren(...CARDS.map((card) => {
    const choice = element("input", { type: "radio", name: "card", value: card.method });
    choice.checked = card.method === chosen;
    return element("label", { class: "card" }, choice, element("b", {}, card.name), " ", element("span", { class: "quiet" }, card.about));
  }));
}

export function chosenCard(place) {
  return place.querySelector("input:checked").value;
}
