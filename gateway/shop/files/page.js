// Making and finding parts of a page; text is only ever set as text.

export const find = (id) => document.getElementById(id);

export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Shows a part of the page, or takes it away.
export function show(id, shown) {
  find(id).hidden = !shown;
}

// Tells a screen reader something that is plain to see.
export function say(text) {
  find("said").textContent = text;
}

export function tellProblem(text) {
  find("problem").textContent = text;
  show("problem", Boolean(text));
}

export const sandbox = document.body.dataset.sandbox;
