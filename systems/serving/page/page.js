// Asks /v1/models every two seconds and shows what it says. Nothing comes from anywhere else, and texts
// of the server are put in as texts, never as HTML.
"use strict";
const every = 2000;
const kept = 150; // moments of the curve: five minutes
const histories = new Map();
let token = sessionStorage.getItem("token") || "";

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function number(value) {
  return value === undefined ? "" : value.toLocaleString("en", {maximumFractionDigits: 1});
}

function milliseconds(seconds) {
  return seconds ? number(1000 * seconds) + " ms" : "";
}

function curve(values) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 " + (kept - 1) + " 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const most = Math.max(1, ...values);
  svg.setAttribute("aria-label", "rows per second in the last five minutes, at most " + number(most));
  const line = document.createElementNS(space, "line");
  for (const [name, value] of [["x1", 0], ["x2", kept - 1], ["y1", 39.5], ["y2", 39.5]]) {
    line.setAttribute(name, value);
  }
  const path = document.createElementNS(space, "path");
  const first = kept - values.length;
  path.setAttribute("d", values.map((value, i) =>
    (i ? "L" : "M") + (first + i) + " " + (39 - 37 * value / most).toFixed(2)).join(""));
  svg.append(line, path);
  return svg;
}

function show(model, now) {
  const part = element("section");
  part.append(element("h2", model.name));
  const rows = model.versions.reduce((sum, version) => sum + (version.rows || 0), 0);
  const history = histories.get(model.name) || {rates: []};
  if (history.at) {
    history.rates.push(Math.max(0, (rows - history.rows) / (now - history.at) * 1000));
    history.rates = history.rates.slice(-kept);
  }
  history.at = now;
  history.rows = rows;
  histories.set(model.name, history);
  const rate = history.rates[history.rates.length - 1];
  part.append(element("p", (model.production === null ? "No version answers."
    : "Version " + model.production + " answers" + (rate === undefined ? "." : ", "
      + number(rate) + " rows/s (all versions).")), "about"));
  if (model.problem) part.append(element("p", model.problem, "problem"));
  if (history.rates.length > 1) part.append(curve(history.rates));
  const table = element("table");
  const head = element("tr");
  for (const name of ["version", "stage", "algorithm", "rows", "median", "99 %", "failed", "refused"]) {
    head.append(element("th", name, ["stage", "algorithm"].includes(name) ? "text" : ""));
  }
  table.append(head);
  for (const version of [...model.versions].reverse().slice(0, 20)) {
    const line = element("tr");
    line.append(element("td", version.version),
      element("td", version.stage, "text " + (version.stage === "production" ? "production" : "")),
      element("td", version.algorithm, "text"));
    if (version.loaded) {
      line.append(element("td", number(version.rows)), element("td", milliseconds(version.p50_seconds)),
        element("td", milliseconds(version.p99_seconds)), element("td", number(version.failed)),
        element("td", number(version.shed)));
    } else {
      const archived = version.stage === "archived";
      const why = element("td", archived ? "not loaded" : version.problem, archived ? "text" : "text problem");
      why.colSpan = 5;
      line.append(why);
    }
    table.append(line);
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(table);
  part.append(scroll);
  return part;
}

async function refresh() {
  const state = document.getElementById("state");
  const form = document.getElementById("token");
  try {
    const headers = token ? {Authorization: "Bearer " + token} : {};
    const response = await fetch("/v1/models", {headers, cache: "no-store"});
    form.hidden = response.status !== 401;
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    const now = performance.now();
    document.getElementById("models").replaceChildren(...answer.models.map(model => show(model, now)));
    state.textContent = answer.models.length + (answer.models.length === 1 ? " model" : " models")
      + ", as of " + new Date().toLocaleTimeString("en-GB");
  } catch (error) {
    state.textContent = "The server does not say: " + error.message;
  }
  setTimeout(refresh, every);
}

document.getElementById("token").addEventListener("submit", event => {
  event.preventDefault();
  token = event.target.querySelector("input").value;
  sessionStorage.setItem("token", token);
});
refresh();
