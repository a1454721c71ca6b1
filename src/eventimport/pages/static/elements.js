// Makes elements. Text goes in as text: nothing that a server or an archive says becomes markup.

export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// The message, in which names between backticks are code.
export function withCode(message) {
  return message.split("`").map((part, index) => index % 2 ? element("code", {}, part) : part);
}

export function byId(id) {
  return document.getElementById(id);
}

export function show(id, shown = true) {
  byId(id).hidden = !shown;
}

export function showErrors(id, error) {
  const problems = error.problems ?? [{ detail: error.message }];
  byId(id).replaceChildren(...problems.map((told) => element("p", { class: "error" }, ...withCode(told.detail))));
}
