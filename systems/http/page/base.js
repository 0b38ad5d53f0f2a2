// What the pages of all services share: asking the server, with a token where it wants one, and
// putting in what it says. Texts of the server are put in as texts, never as HTML, and nothing comes
// from anywhere else.
"use strict";

let token = sessionStorage.getItem("token") || "";

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function number(value, digits = 0) {
  return value === undefined ? "" : value.toLocaleString("en", {maximumFractionDigits: digits});
}

// The server's answer to GET, or to POST where there is a body; shows the form for a token where one
// is missing. Throws what the server says is wrong.
async function ask(path, body) {
  const options = {headers: token ? {Authorization: "Bearer " + token} : {}, cache: "no-store"};
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
  }
  const response = await fetch(path, options);
  document.getElementById("token").hidden = response.status !== 401;
  if (response.status === 401) throw new Error("a token is needed");
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || "status " + response.status);
  return answer;
}

// A line through the last values of `kept`, the newest at the right; `label` is for those who hear it.
function curve(values, kept, label) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 " + (kept - 1) + " 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const most = Math.max(1, ...values);
  svg.setAttribute("aria-label", label + ", at most " + number(most, 1));
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

document.getElementById("token").addEventListener("submit", event => {
  event.preventDefault();
  token = event.target.querySelector("input").value;
  sessionStorage.setItem("token", token);
});
