import { ARTICLES, amount, money } from "./articles.js";
import { addOne, basket, showCount } from "./basket.js";
import { element, find, say } from "./page.js";

function shown(article) {
  const add = element("button", { "aria-label": `Put in the basket: ${article.name}` }, "Put in the basket");
  add.addEventListener("click", () => {
    addOne(article.sku);
    say(`${article.name}: ${basket()[article.sku]} in the basket`);
  });
  return element("li", { class: "article" },
    element("img", { src: `/shop/${article.picture}.svg`, alt: "", width: "320", height: "220" }),
    element("h2", {}, article.name),
    element("p", { class: "quiet" }, article.about),
    element("p", { class: "price" }, money(amount(article.price))),
    add);
}

find("articles").append(...ARTICLES.map(shown));
showCount();
