// Asks the server every second and shows what it says.
"use strict";
const every = 1000;
const kept = 300; // moments of the curve: five minutes
const shown = 40;
const rates = [];
let last = null;
let newest = 0;

function showSummary(summary, now) {
  const total = Object.values(summary.actions).reduce((a, b) => a + b, 0);
  if (last) rates.push(Math.max(0, (total - last.total) / (now - last.at) * 1000));
  last = {at: now, total};
  if (rates.length > kept) rates.shift();
  const share = value => total ? number(100 * value / total, 1) + " %" : "";
  const figures = [["a second", rates.length ? number(rates[rates.length - 1]) : ""],
    ["decided", number(total)],
    ["approved", share(summary.actions.approve)], ["to review", share(summary.actions.manual_review)],
    ["declined", share(summary.actions.decline)], ["users", number(summary.state.users)],
    ["memory", number(summary.process_bytes / 1e6) + " MB"],
    ["confirmed fraud", number(summary.labels.fraud)]];
  document.getElementById("figures").replaceChildren(...figures.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
  document.getElementById("curve").replaceChildren(
    curve(rates, kept, "decisions per second in the last five minutes"));
  const drift = summary.drift;
  document.getElementById("drift").textContent = "Scores of the last hour beside the first "
    + number(drift.reference_decisions) + " of these versions: " + drift.finding
    + (drift.stability_index === null ? "" : " (population stability index "
      + number(drift.stability_index, 3) + ")") + ".";
  const state = document.getElementById("state");
  state.textContent = summary.refusal || summary.model + ", " + summary.decided_by + ", as of "
    + new Date().toLocaleTimeString("en-GB");
  state.className = summary.refusal ? "problem" : "";
}

function reasons(list) {
  return list.length ? list.map(reason => reason.text).join("; ") : "nothing unusual";
}

function showReview(review) {
  const card = element("div", undefined, "card");
  card.append(element("h3", review.transaction_id || review.key),
    element("p", number(review.amount, 2) + ", risk " + review.risk_score.toFixed(2), "about"));
  const list = element("ul");
  for (const reason of review.reasons) list.append(element("li", reason.text));
  card.append(list);
  const buttons = [["Fraud", true], ["Honest", false]].map(([name, fraud]) => {
    const button = element("button", name);
    button.addEventListener("click", async () => {
      for (const one of buttons) one.disabled = true;
      try {
        await ask("/v1/reviews/" + review.key, {fraud});
        card.remove();
      } catch (error) {
        card.append(element("p", error.message, "problem"));
        for (const one of buttons) one.disabled = false;
      }
    });
    return button;
  });
  card.append(...buttons);
  card.dataset.key = review.key;
  return card;
}

function showReviews(answer) {
  document.getElementById("waiting").textContent = answer.waiting
    ? number(answer.waiting) + (answer.waiting === 1 ? " transaction waits" : " transactions wait")
      + " for a person; the newest " + number(answer.reviews.length) + " are here."
    : "No transaction waits for a person.";
  const place = document.getElementById("reviews");
  // A card that somebody is about to press stays where it is.
  const wanted = new Set(answer.reviews.map(review => review.key));
  const there = new Set();
  for (const card of [...place.children]) {
    if (wanted.has(card.dataset.key)) there.add(card.dataset.key);
    else card.remove();
  }
  for (const review of answer.reviews) {
    if (!there.has(review.key)) place.append(showReview(review));
  }
}

function showRules(answer) {
  const table = document.getElementById("ruletable");
  const head = element("tr");
  for (const name of ["rule", "priority", "weight", "action", "hits"]) {
    head.append(element("th", name, ["rule", "action"].includes(name) ? "text" : ""));
  }
  table.replaceChildren(head, ...answer.rules.map(rule => {
    const line = element("tr");
    line.append(element("td", rule.name + (rule.dry_run ? " (dry run)" : ""), "text"),
      element("td", rule.priority), element("td", rule.weight),
      element("td", rule.action === "none" ? "" : rule.action, "text"), element("td", number(rule.hits)));
    return line;
  }));
}

function showStream(answer) {
  const place = document.getElementById("decisions");
  for (const one of [...answer.decisions].reverse()) {
    newest = Math.max(newest, one.number);
    const line = element("tr");
    line.append(element("td", one.transaction_id, "text"), element("td", number(one.amount, 2)),
      element("td", one.risk_score.toFixed(2)),
      element("td", one.action.replace("_", " "), "text " + one.action),
      element("td", reasons(one.reasons), "text why"));
    place.prepend(line);
  }
  while (place.children.length > shown) place.lastChild.remove();
}

async function refresh() {
  try {
    const now = performance.now();
    const [summary, reviews, rules, stream] = await Promise.all([ask("/v1/summary"),
      ask("/v1/reviews?most=12"), ask("/v1/rules"), ask("/v1/stream?most=" + shown + "&after=" + newest)]);
    if (stream.decisions.length === 0 && summary.newest < newest) newest = 0;
    showSummary(summary, now);
    showReviews(reviews);
    showRules(rules);
    showStream(stream);
  } catch (error) {
    const state = document.getElementById("state");
    state.textContent = "The server does not say: " + error.message;
    state.className = "problem";
  }
  setTimeout(refresh, every);
}

refresh();
