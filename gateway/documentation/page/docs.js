// Shows /openapi.json. Text only ever enters the page as text, never as markup.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// `code` within a line of text.
function inline(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

// Paragraphs and "* " or "- " lists: all the markup that the contract's comments use.
function prose(text) {
  const blocks = [];
  for (const block of (text || "").split(/\n\s*\n/)) {
    if (!block.trim()) continue;
    const items = block.split(/^[*-] /m);
    if (items[0].trim()) blocks.push(make("p", {}, ...inline(items[0].trim())));
    if (items.length > 1) blocks.push(make("ul", {}, ...items.slice(1).map((item) => make("li", {}, ...inline(item.trim())))));
  }
  return blocks;
}

function resolve(api, schema) {
  if (!schema || !schema.$ref) return schema || {};
  const found = schema.$ref.split("/").slice(1).reduce((at, key) => at[key], api);
  const { $ref, ...beside } = schema;
  return { ...found, ...beside, name: schema.$ref.split("/").pop() };
}

function kind(api, schema) {
  const full = resolve(api, schema);
  if (full.type === "array") return `array of ${kind(api, full.items)}`;
  if (full.enum) return "one of";
  if (full.anyOf) return kind(api, full.anyOf[0]);
  return full.name || [full.type, full.format].filter(Boolean).join(" ") || "any";
}

function limits(schema) {
  const words = [];
  const say = (key, text) => { if (schema[key] !== undefined) words.push(text(schema[key])); };
  say("minLength", (n) => `at least ${n} characters`);
  say("maxLength", (n) => `at most ${n} characters`);
  say("pattern", (n) => `matches ${n}`);
  say("minimum", (n) => `≥ ${n}`);
  say("maximum", (n) => `≤ ${n}`);
  say("minItems", (n) => `at least ${n}`);
  say("maxItems", (n) => `at most ${n}`);
  return words.join(", ");
}

function inner(api, schema) {
  const full = resolve(api, schema);
  if (full.type === "array") return inner(api, full.items);
  if (full.additionalProperties && full.additionalProperties.$ref) return inner(api, full.additionalProperties);
  return full;
}

function members(api, schema, above = []) {
  const required = new Set(schema.required || []);
  return make("table", {}, make("tbody", {}, ...Object.entries(schema.properties || {}).map(([name, member]) => {
    const full = resolve(api, member);
    const within = inner(api, member);
    const own = make("td", {}, ...prose(member.description || full.description));
    if (full.enum) own.append(make("p", {}, ...full.enum.flatMap((value) => [make("code", {}, value), " "])));
    const bounds = limits(full);
    if (bounds) own.append(make("p", { class: "kind" }, bounds));
    if (within.properties && !above.includes(within.name)) {
      own.append(unfolding(api, within, [...above, within.name]));
    }
    return make("tr", {},
      make("th", { scope: "row" }, make("code", {}, name), make("div", { class: "kind" }, kind(api, member)),
        ...(required.has(name) ? [make("div", { class: "must" }, "required")] : [])),
      own);
  })));
}

// Filled when it is first opened: the whole tree of every operation would be thousands of rows.
function unfolding(api, schema, above) {
  const details = make("details", {}, make("summary", {}, schema.name || "members"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) details.append(members(api, schema, above));
  });
  return details;
}

function example(api, schema, above = []) {
  const full = resolve(api, schema);
  if (full.anyOf) return example(api, full.anyOf[0], above);
  if (full.enum) return full.enum[0];
  if (full.type === "array") return [example(api, full.items, above)];
  if (full.type === "object") {
    if (above.includes(full.name)) return {};
    const required = new Set(full.required || []);
    return Object.fromEntries(Object.entries(full.properties || {})
      .filter(([name, member]) => required.has(name) || member.type === "integer")
      .map(([name, member]) => [name, example(api, member, [...above, full.name])]));
  }
  if (full.type === "integer" || full.type === "number") return Math.max(full.minimum || 0, 1);
  if (full.type === "boolean") return false;
  if (full.format === "email") return "somebody@example.com";
  if (full.format === "uuid") return "00000000-0000-7000-8000-000000000000";
  if (/pm_/.test(full.pattern || "")) return "pm_card_visa";
  if (full.pattern === "^[A-Z]{3}$") return "EUR";
  if (full.pattern === "^[A-Z]{2}$") return "DE";
  return "string".slice(0, full.maxLength);
}

function jsonBody(operation) {
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  return content && Object.keys(content.schema).length ? content.schema : null;
}

function curl(api, method, path, operation) {
  const words = [`curl -sS -X ${method.toUpperCase()} '${location.origin}${path}'`];
  for (const parameter of operation.parameters || []) {
    if (parameter.in === "header" && parameter.required) words.push(`-H '${parameter.name}: …'`);
  }
  const schema = jsonBody(operation);
  if (schema) words.push("-H 'content-type: application/json'", `-d '${JSON.stringify(example(api, schema), null, 2)}'`);
  return words.join(" \\\n  ");
}

function parameterTable(api, operation) {
  return make("table", {}, make("tbody", {}, ...operation.parameters.map((parameter) => {
    const full = resolve(api, parameter.schema);
    const text = make("td", {}, ...prose(parameter.description));
    if (full.enum) text.append(make("p", {}, ...full.enum.flatMap((value) => [make("code", {}, value), " "])));
    if (limits(full)) text.append(make("p", { class: "kind" }, limits(full)));
    return make("tr", {},
      make("th", { scope: "row" }, make("code", {}, parameter.name),
        make("div", { class: "kind" }, `${parameter.in}, ${kind(api, parameter.schema)}`),
        ...(parameter.required ? [make("div", { class: "must" }, "required")] : [])),
      text);
  })));
}

function responseTable(api, operation) {
  return make("table", {}, make("tbody", {}, ...Object.entries(operation.responses).map(([status, response]) => {
    const full = resolve(api, response);
    const cell = make("td", {}, ...prose(full.description));
    for (const { schema } of Object.values(full.content || {})) {
      // Of the events of a stream the first kind is the one without a name.
      const within = inner(api, schema.oneOf ? schema.oneOf[0].properties.data.contentSchema : schema);
      if (within.properties && within.name !== "Problem") cell.append(unfolding(api, within, [within.name]));
    }
    return make("tr", {}, make("th", { scope: "row" }, make("code", {}, status)), cell);
  })));
}

async function follow(response, output) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) output.append(part.value);
}

async function send(form, output, method, path, operation) {
  const values = new FormData(form);
  const headers = {};
  const query = new URLSearchParams();
  let target = path;
  for (const parameter of operation.parameters || []) {
    const value = values.get(`${parameter.in}.${parameter.name}`);
    if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (!value) continue;
    else if (parameter.in === "header") headers[parameter.name] = value;
    else query.append(parameter.name, value);
  }
  const body = values.get("body");
  if (body) headers["content-type"] = "application/json";
  output.className = "";
  output.textContent = "…";
  try {
    const response = await fetch(target + (query.size ? `?${query}` : ""), { method: method.toUpperCase(), headers, body: body || undefined });
    output.className = response.ok ? "" : "failed";
    output.textContent = `${response.status} ${response.statusText}\n\n`;
    const type = response.headers.get("content-type") || "";
    if (type.startsWith("text/event-stream")) await follow(response, output);
    else if (type.includes("json")) output.append(JSON.stringify(await response.json(), null, 2));
    else output.append(await response.text());
  } catch (error) {
    output.className = "failed";
    output.append(String(error));
  }
}

function tryIt(api, method, path, operation) {
  const output = make("pre", { "aria-live": "polite" });
  const form = make("form", {
    onsubmit: (event) => { event.preventDefault(); send(form, output, method, path, operation); },
  });
  for (const parameter of operation.parameters || []) {
    const key = parameter.name === "Idempotency-Key" ? `docs-${Math.random().toString(36).slice(2)}` : "";
    form.append(make("label", {}, `${parameter.name} (${parameter.in})`,
      make("input", { name: `${parameter.in}.${parameter.name}`, value: key, required: parameter.required })));
  }
  const schema = jsonBody(operation);
  if (schema) {
    form.append(make("label", {}, "body", make("textarea", { name: "body", spellcheck: "false" }, JSON.stringify(example(api, schema), null, 2))));
  }
  form.append(make("button", {}, "Send"));
  return make("details", {}, make("summary", {}, "Try it"), form, output);
}

function section(api, method, path, operation) {
  const parts = [
    make("h3", {}, operation.summary || operation.operationId),
    make("span", { class: "route" }, make("span", { class: `method ${method}` }, method.toUpperCase()), " ", make("code", {}, path)),
    ...prose(operation.description),
  ];
  if (operation.parameters) parts.push(make("h4", {}, "Parameters"), parameterTable(api, operation));
  const schema = jsonBody(operation);
  if (schema) parts.push(make("h4", {}, "Body"), members(api, resolve(api, schema)));
  parts.push(make("h4", {}, "Answers"), responseTable(api, operation));
  if (!operation.tags.includes("Webhooks")) {
    parts.push(make("h4", {}, "On the command line"), make("pre", {}, make("code", {}, curl(api, method, path, operation))),
      tryIt(api, method, path, operation));
  }
  return make("section", { id: operation.operationId }, ...parts);
}

function reasons(api) {
  const lines = api.components.schemas.ErrorReason.description.split(/^- /m).slice(1);
  return make("table", {}, make("tbody", {}, ...lines.map((line) => {
    const [, name, text] = line.match(/^`([A-Z_]+)`: ([^]*)$/);
    return make("tr", { id: name }, make("th", { scope: "row" }, make("code", {}, name)), make("td", {}, ...prose(text)));
  })));
}

function operations(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({ method, path, operation: item[method] })));
}

function show(api) {
  const content = document.getElementById("content");
  const contents = document.getElementById("contents");
  content.replaceChildren(make("h1", {}, `${api.info.title} REST API`), ...prose(api.info.description),
    make("p", {}, make("a", { href: "/openapi.json" }, "openapi.json"), " for tools."));
  contents.replaceChildren(make("strong", {}, api.info.title));
  for (const tag of api.tags) {
    const own = operations(api).filter(({ operation }) => operation.tags.includes(tag.name));
    content.append(make("h2", {}, tag.name), ...prose(tag.description),
      ...own.map(({ method, path, operation }) => section(api, method, path, operation)));
    contents.append(make("h2", {}, tag.name), make("ul", {}, ...own.map(({ method, operation }) =>
      make("li", {}, make("a", { href: `#${operation.operationId}` },
        make("span", { class: `method ${method}` }, method.toUpperCase()), operation.operationId)))));
  }
  content.append(make("h2", { id: "reasons" }, "Reasons of problems"), reasons(api));
  contents.append(make("h2", {}, "Errors"), make("ul", {}, make("li", {}, make("a", { href: "#reasons" }, "Reasons of problems"))));
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

fetch("/openapi.json")
  .then((response) => response.json())
  .then(show)
  .catch((error) => document.getElementById("content").replaceChildren(make("p", { class: "failed" }, `The description cannot be loaded: ${error}`)));
