// What the shop sells. Prices are whole minor units, as everywhere in the API: 1250 is 12.50 USD.

const CURRENCY = "USD";

export const ARTICLES = [
  { sku: "MUG-BLUE", name: "Mug, blue", about: "Stoneware, for tea that is forgotten.", price: 1250, picture: "mug" },
  { sku: "TEE-M", name: "T-shirt, size M", about: "Heavy cotton, cut straight.", price: 2499, picture: "tee" },
  { sku: "LAMP-BRASS", name: "Reading lamp", about: "Brass, on a heavy foot.", price: 8900, picture: "lamp" },
  { sku: "BLANKET", name: "Wool blanket", about: "Woven in stripes, two metres long.", price: 12900, picture: "blanket" },
  { sku: "NOTEBOOK", name: "Notebook, dotted", about: "Lies flat; 192 pages.", price: 990, picture: "notebook" },
  { sku: "CANDLE", name: "Beeswax candle", about: "Burns for some forty hours.", price: 1600, picture: "candle" },
];

export const SHIPPING = { sku: "SHIPPING", name: "Shipping", price: 490 };

export const articleOf = (sku) => ARTICLES.find((each) => each.sku === sku);

export const amount = (minorUnits) => ({ currency_code: CURRENCY, minor_units: minorUnits });

// How many digits a minor unit is, by currency, where it is not two (ISO 4217). Browsers' own tables differ from it.
const DIGITS = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3,
};

// "12.50 USD" as people write it: "$12.50".
export function money({ currency_code: code, minor_units: units }) {
  const digits = DIGITS[code] ?? 2;
  const options = { style: "currency", currency: code, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat("en", options).format(Number(units) / 10 ** digits);
}
