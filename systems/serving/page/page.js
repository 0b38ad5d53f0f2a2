// Asks the server every two seconds for its models, drift, shadows and experiments, and shows what it
// says.
"use strict";
const every = 2000;
const kept = 150; // moments of the curve: five minutes
const histories = new Map();

function significant(value) {
  return value === null || value === undefined ? "–"
    : value.toLocaleString("en", {maximumSignificantDigits: 3});
}

function interval(bounds) {
  return bounds && bounds[0] !== null && bounds[1] !== null
    ? "[" + significant(bounds[0]) + ", " + significant(bounds[1]) + "]" : "not yet";
}

function percent(share) {
  return significant(100 * share) + " %";
}

// Rows of cells; a cell is a text, or [text, class].
function tableOf(head, textColumns, rows) {
  const table = element("table");
  const line = element("tr");
  head.forEach((name, j) => line.append(element("th", name, textColumns.includes(j) ? "text" : "")));
  table.append(line);
  for (const row of rows) {
    const made = element("tr");
    row.forEach((cell, j) => {
      const [text, kind] = Array.isArray(cell) ? cell : [cell, ""];
      made.append(element("td", text, (textColumns.includes(j) ? "text " : "") + kind));
    });
    table.append(made);
  }
  const scroll = element("div", undefined, "scroll");
  scroll.append(table);
  return scroll;
}

function milliseconds(seconds) {
  return seconds ? number(1000 * seconds, 1) + " ms" : "";
}

function columnsOf(report) {
  const found = report.columns.filter(column => column.alarm);
  const others = report.columns.filter(column => !column.alarm).sort((a, b) => b.psi - a.psi);
  return [...found, ...others].slice(0, 8).map(column => [
    (column.of === "model" ? "model: " : "") + column.name, number(column.rows_now),
    significant(column.psi), significant(column.psi_limit),
    column.categorical ? "" : significant(column.ks), percent(column.missing_now),
    column.categorical ? percent(column.unseen_now) : "", significant(column.p),
    column.alarm ? ["drift: " + column.reason, "problem"]
      : [column.judged ? "none" : "not judged: " + column.why_not, ""]]);
}

function showDrift(one) {
  const part = element("details");
  const summary = element("summary", "Drift of version " + one.version + ": ");
  part.append(summary);
  part.dataset.key = "drift " + one.model + " " + one.version;
  if (one.why_not) {
    summary.append("not watched, " + one.why_not);
    return part;
  }
  const alarm = one.report && one.report.alarm;
  summary.append(element("span", one.report
    ? (alarm ? "alarm" : "none found") + " in the last window of " + number(one.windows) + ", "
      + number(one.alarms) + " with an alarm"
    : "the first window is not over", alarm ? "problem" : ""));
  summary.append("; " + number(one.rows) + " of " + number(one.window_rows) + " rows of the next");
  if (one.report) {
    part.append(tableOf(["column", "rows", "PSI", "limit", "KS", "missing", "unseen", "p", "finding"],
      [0, 8], columnsOf(one.report)));
    part.append(element("p", "Of windows without drift, " + percent(one.level)
      + " raise an alarm.", "about"));
  }
  return part;
}

function showShadow(one) {
  return element("p", "Shadow, version " + one.version + " against " + one.against + ": "
    + number(one.rows) + " rows compared, " + number(one.different) + " answered otherwise ("
    + percent(one.rows ? one.different / one.rows : 0) + "), mean difference "
    + significant(one.mean_difference) + ", largest " + significant(one.largest_difference) + "; "
    + number(one.shed) + " rows shed, " + number(one.failed) + " requests failed.", "about");
}

function armsOf(metric, definition) {
  const about = definition.metrics.find(one => one.name === metric.name) || {};
  return metric.arms.map((arm, i) => {
    const compared = arm.adjusted;
    const finding = metric.breached.includes(arm.arm) ? ["guard breached", "problem"]
      : arm.finding === "better" ? ["better", "production"]
        : arm.finding === "worse" ? ["worse", "problem"] : arm.finding || "control";
    return [[i ? "" : metric.name + " (" + (metric.guard ? "guard, " : "") + about.kind + ", "
      + (about.better === "decrease" ? "less" : "more") + " is better)", "wrap"], arm.arm, number(arm.units), significant(arm.mean),
    compared ? significant(compared.difference) : "", compared ? interval(compared.sequential_interval) : "",
    finding];
  });
}

function showExperiment(one) {
  const part = element("section");
  part.append(element("h2", one.name));
  const definition = one.definition;
  const line = element("p", undefined, "about");
  line.append(element("span", one.status, one.status === "running" ? "production"
    : one.status === "rolled back" ? "problem" : ""));
  line.append((definition.model ? ", model " + definition.model : "") + ", by " + definition.unit
    + ", since " + one.created + (one.ended ? ", ended " + one.ended + ": " + one.reason : "") + ".");
  part.append(line);
  const analysis = one.analysis;
  if (!analysis) {
    part.append(element("p", "What it shows: /v1/experiments/" + one.name, "about"));
    return part;
  }
  if (analysis.sample_ratio.alarm) {
    part.append(element("p", "Sample ratio mismatch: arms have not the units that they should, and "
      + "nothing below can be trusted.", "problem"));
  }
  part.append(tableOf(["arm", "version", "share", "units"], [0, 1], definition.arms.map(arm => [arm.name,
    arm.version || "production", percent(arm.weight), number(analysis.units[arm.name])])));
  if (analysis.metrics.length) {
    part.append(tableOf(["metric", "arm", "units", "mean", "difference", "interval, every look", "finding"],
      [0, 1, 6], analysis.metrics.flatMap(metric => armsOf(metric, definition))));
  }
  return part;
}

function show(model, now, drift, shadow) {
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
      + number(rate, 1) + " rows/s (all versions).")), "about"));
  if (model.problem) part.append(element("p", model.problem, "problem"));
  if (history.rates.length > 1) part.append(curve(history.rates, kept, "rows per second in the last five minutes"));
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
  part.append(...drift.filter(one => one.model === model.name).map(showDrift));
  part.append(...shadow.filter(one => one.model === model.name).map(showShadow));
  return part;
}

// What was opened stays open when it is shown anew.
function replace(place, parts) {
  const open = new Set([...place.querySelectorAll("details[open]")].map(one => one.dataset.key));
  place.replaceChildren(...parts);
  for (const one of place.querySelectorAll("details")) one.open = open.has(one.dataset.key);
}

async function refresh() {
  const state = document.getElementById("state");
  try {
    const answer = await ask("/v1/models");
    const {drift} = await ask("/v1/drift");
    const {shadow} = await ask("/v1/shadow");
    const {experiments} = await ask("/v1/experiments");
    const now = performance.now();
    replace(document.getElementById("models"), answer.models.map(model => show(model, now, drift, shadow)));
    const part = document.getElementById("experiments");
    part.hidden = experiments.length === 0;
    part.querySelector("div").replaceChildren(...experiments.map(showExperiment));
    state.textContent = answer.models.length + (answer.models.length === 1 ? " model" : " models")
      + ", as of " + new Date().toLocaleTimeString("en-GB");
  } catch (error) {
    state.textContent = "The server does not say: " + error.message;
  }
  setTimeout(refresh, every);
}

refresh();
