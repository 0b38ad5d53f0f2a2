"use strict";

// One viewer at a time: what is recommended, why, and how the next answer differs.
const state = { shown: null };
const find = (id) => document.getElementById(id);

function say(text, problem) {
  const line = find("state");
  line.textContent = text;
  line.className = problem ? "problem" : "";
}

function bar(parts) {
  const space = "http://www.w3.org/2000/svg";
  const box = element("div", undefined, "parts");
  const drawing = document.createElementNS(space, "svg");
  drawing.setAttribute("viewBox", "0 0 1 1");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  let at = 0;
  for (const [name, value] of Object.entries(parts)) {
    const part = document.createElementNS(space, "rect");
    part.setAttribute("x", at);
    part.setAttribute("y", 0);
    part.setAttribute("width", Math.max(0, value));
    part.setAttribute("height", 1);
    part.setAttribute("class", name + "-part");
    drawing.append(part);
    at += Math.max(0, value);
  }
  box.append(drawing);
  return box;
}

function actions(id, answer) {
  const row = element("div", undefined, "actions");
  for (const [type, label] of [["watch", "Watch"], ["like", "Like"], ["hide", "Hide"]]) {
    const button = element("button", label);
    button.type = "button";
    button.dataset.type = type;
    button.addEventListener("click", () => act(id, type, answer));
    row.append(button);
  }
  return row;
}

function showList(answer) {
  const before = state.shown && state.shown.user === answer.user
    ? new Set(state.shown.recommendations.map((one) => one.content_id)) : null;
  const list = find("list");
  list.replaceChildren();
  let fresh = 0;
  for (const one of answer.recommendations) {
    const item = element("li");
    item.dataset.id = one.content_id;
    const head = element("div", undefined, "head");
    head.append(element("span", one.title, "title"),
                element("span", [one.genre, one.creator].filter(Boolean).join(", "), "kind"),
                element("span", one.recommendation_type.replaceAll("_", " "),
                        "type " + one.recommendation_type));
    if (before && !before.has(one.content_id)) {
      head.append(element("span", "new in this answer", "new"));
      ++fresh;
    }
    const figures = Object.entries(one.score_parts)
      .map(([name, value]) => name + " " + value.toFixed(3)).join(" + ");
    item.append(head, element("p", one.explanation, "reason"), bar(one.score_parts),
                element("div", "score " + one.score.toFixed(3) + " = " +
                        (one.boost === 1 ? "" : one.boost.toFixed(2) + " × (") + figures +
                        (one.boost === 1 ? "" : ")"), "figures soft"),
                actions(one.content_id, answer.answer));
    list.append(item);
  }
  const about = ["Configuration " + answer.configuration];
  if (answer.arm) about.push("arm " + answer.arm + " of " + answer.experiment);
  if (answer.cold_start) about.push("nothing is known of this viewer yet");
  if (answer.missing.length) about.push("late and left out: " + answer.missing.join(", "));
  if (before) about.push(fresh + " of " + answer.recommendations.length + " are new in this answer");
  find("about").textContent = about.join("; ") + ".";
  list.dataset.fresh = before ? fresh : "";
  state.shown = answer;
}

function showHistory(viewer) {
  const history = find("history");
  history.replaceChildren();
  if (!viewer.history.length) history.append(element("li", "Nothing yet.", "soft"));
  for (const one of viewer.history.slice(0, 12)) {
    const item = element("li");
    item.append(element("span", one.title, "title"), " ",
                element("span", [one.genre, one.time.slice(0, 10)].filter(Boolean).join(", "), "kind"));
    history.append(item);
  }
}

async function show() {
  const form = find("viewer");
  const query = new URLSearchParams({ user: form.user.value, n: 10 });
  if (form.age.value) query.set("age", form.age.value);
  try {
    const began = performance.now();
    const answer = await ask("/v1/recommendations?" + query);
    const took = performance.now() - began;
    showHistory(await ask("/v1/users/" + encodeURIComponent(form.user.value)));
    showList(answer);
    say("Answered in " + took.toFixed(1) + " ms.");
  } catch (error) {
    say(error.message, true);
  }
}

async function act(item, type, answer) {
  const user = find("viewer").user.value;
  try {
    await ask("/v1/events", { user, item, type, answer });
    await show();
  } catch (error) {
    say(error.message, true);
  }
}

async function search() {
  const found = find("found");
  try {
    const query = new URLSearchParams({ search: find("search").text.value, n: 8 });
    const answer = await ask("/v1/items?" + query);
    found.replaceChildren();
    if (!answer.items.length) found.append(element("li", "Nothing is called that.", "soft"));
    for (const one of answer.items) {
      const item = element("li");
      item.append(element("span", one.title, "title"), " ", element("span", one.genre, "kind"),
                  actions(one.content_id, ""));
      found.append(item);
    }
  } catch (error) {
    say(error.message, true);
  }
}

find("viewer").addEventListener("submit", (event) => {
  event.preventDefault();
  show();
});
find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
find("token").addEventListener("submit", () => show());
for (const name of ["u1", "u2", "u3", "somebody new"]) {
  const button = element("button", name);
  button.type = "button";
  button.addEventListener("click", () => {
    find("viewer").user.value = name;
    show();
  });
  find("others").append(button, " ");
}
const wanted = new URLSearchParams(location.search).get("user");
if (wanted) find("viewer").user.value = wanted;
show();
