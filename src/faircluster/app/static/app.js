"use strict";
// The page's behaviour: choose a table, say what matters, watch, look, download. Text from files is only ever
// put in as text, or comes as HTML that the server has escaped.
const $ = (id) => document.getElementById(id);
const csrf = document.querySelector("meta[name=csrf]").content;
let upload = null, job = null, columns = [], shown = "";

const objectives = {
  "k-means": "Compact groups around averages; the usual choice.",
  "k-median": "Distances instead of their squares: single extreme rows pull less.",
  "k-center": "Nobody far from their center: the largest distance counts.",
  "k-means, worst-off group": "The group served worst is served as well as possible (mean squared distance). " +
    "Clusters may then hold one group only.",
  "k-median, worst-off group": "The group served worst is served as well as possible (mean distance). " +
    "Clusters may then hold one group only.",
};

async function ask(path, options = {}) {
  const answer = await fetch(path, {
    ...options, headers: { "X-CSRF-Token": csrf, ...(options.headers || {}) },
  });
  const isJson = (answer.headers.get("content-type") || "").includes("json");
  const found = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw new Error(isJson ? found.problem : found || answer.statusText);
  return found;
}

function say(id, text) { $(id).textContent = text; }

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = text === "";
}

async function takeTable(promise, name) {
  complain("");
  say("data-state", `Reading ${name} …`);
  $("results").hidden = true;
  try {
    const found = await promise;
    upload = found.upload;
    columns = found.columns;
    say("data-state", `${found.name}: ${found.rows.toLocaleString("en")} rows, ${columns.length} columns.`);
    offer(found.suggested);
    $("choices").hidden = false;
    $("clusters").max = Math.min(100, found.rows);
    $("clusters").value = Math.min($("clusters").value, $("clusters").max);
  } catch (error) {
    say("data-state", "");
    $("choices").hidden = false;
    complain(error.message);
  }
}

function offer(suggested) {
  const protectedOnes = columns.filter((c) => c.groups);
  const numeric = columns.filter((c) => c.numeric);
  const isProtected = (c) => (suggested ? suggested.sensitive.includes(c.name) : c.likely);
  fill("sensitive", protectedOnes, isProtected, (c) => `${c.values} groups`);
  const isFeature = (c) => (suggested ? suggested.features.includes(c.name) : !isProtected(c) && c.values > 2);
  fill("features", numeric, isFeature, (c) => `${c.values} values`);
  exclude();
}

function fill(id, found, checked, note) {
  $(id).replaceChildren(...found.map((column) => {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.value = column.name;
    box.checked = checked(column);
    const name = document.createElement("bdi");
    name.textContent = column.name;
    const more = document.createElement("span");
    more.className = "soft";
    more.textContent = note(column) + (column.missing ? `, ${column.missing} empty` : "");
    label.append(box, name, more);
    return label;
  }));
  if (!found.length) $(id).textContent = id === "sensitive" ? "No column has 2 to 50 values." : "No column holds numbers throughout.";
}

function chosen(id) {
  return Array.from($(id).querySelectorAll("input:checked"), (box) => box.value);
}

function exclude() {
  const taken = new Set(chosen("sensitive"));
  for (const box of $("features").querySelectorAll("input")) {
    box.disabled = taken.has(box.value);
    if (box.disabled) box.checked = false;
  }
}

function explain() {
  const slack = Number($("slack").value);
  say("slack-value", slack.toFixed(2));
  const social = $("objective").value.includes("worst-off");
  const bounded = !social || $("bounded").checked;
  $("bounded-choice").hidden = !social;
  $("tradeoff-choice").hidden = !bounded;
  const range = `${Math.round(100 * (1 - slack))}% to ${Math.round(100 / (1 - slack))}% of its share of everyone`;
  say("slack-hint", bounded ? `A group's share of every cluster may be ${range}.`
    : `Shares are not bounded, only held against ${range}.`);
  say("objective-hint", objectives[$("objective").value] || "");
}

async function start(event) {
  event.preventDefault();
  complain("");
  try {
    const found = await ask("/jobs", {
      method: "POST",
      body: JSON.stringify({
        upload, sensitive: chosen("sensitive"), features: chosen("features"), objective: $("objective").value,
        clusters: Number($("clusters").value), slack: Number($("slack").value), tradeoff: $("tradeoff").checked,
        bounded: $("bounded").checked,
      }),
    });
    job = found.job;
    shown = "";
    for (const name of ["tradeoff", "report", "files"]) $(`tab-${name}`).disabled = true;
    for (const name of ["compare", "tradeoff", "report"]) $(`panel-${name}`).replaceChildren();
    $("results").hidden = true;
    select("compare");
    working(true);
    watch(job);
  } catch (error) {
    complain(error.message);
  }
}

function working(on) {
  $("working").hidden = !on;
  $("cancel").hidden = !on;
  $("start").disabled = on;
}

async function watch(mine) {
  while (mine === job) {
    let now;
    try {
      now = await ask(`/jobs/${mine}`);
    } catch (error) {
      working(false);
      complain(error.message);
      return;
    }
    say("phase", now.state === "running" || now.state === "waiting"
      ? `${now.phase} (${Math.round(now.seconds)} s)` : "");
    await bring(mine, now);
    if (!["running", "waiting"].includes(now.state)) {
      working(false);
      if (now.state === "failed") complain(now.problem);
      return;
    }
    await new Promise((next) => setTimeout(next, 400));
  }
}

async function bring(mine, now) {
  const state = now.ready.join() + now.state;
  if (state === shown || mine !== job) return;
  shown = state;
  if (now.ready.includes("plain")) {
    $("panel-compare").innerHTML = await ask(`/jobs/${mine}/panel/compare`);
    $("results").hidden = false;
  }
  if (now.ready.includes("tradeoff")) {
    $("panel-tradeoff").innerHTML = await ask(`/jobs/${mine}/panel/tradeoff`);
    $("tab-tradeoff").disabled = false;
  }
  if (now.state === "done") {
    const frame = document.createElement("iframe");
    frame.title = "Report";
    frame.setAttribute("sandbox", "allow-scripts");
    frame.src = `/jobs/${mine}/files/report.html?show`;
    $("panel-report").replaceChildren(frame);
    for (const link of document.querySelectorAll("a.file")) {
      link.href = `/jobs/${mine}/files/${link.dataset.name}`;
      link.parentElement.hidden = link.dataset.name === "tradeoff.csv" && !now.ready.includes("tradeoff");
    }
    $("tab-report").disabled = $("tab-files").disabled = false;
  }
}

function select(name) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const on = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !on;
  }
}

function byKeys(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const tabs = Array.from(document.querySelectorAll("[role=tab]:not(:disabled)"));
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  next.focus();
  select(next.id.slice(4));
}

function send(file) {
  if (!file) return;
  takeTable(ask(`/uploads?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file }), file.name);
}

$("file").addEventListener("change", () => { send($("file").files[0]); $("file").value = ""; });
$("example").addEventListener("click", () => takeTable(ask("/example", { method: "POST" }), "the example"));
for (const kind of ["dragover", "dragleave", "drop"]) {
  $("drop").addEventListener(kind, (event) => {
    event.preventDefault();
    $("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") send(event.dataTransfer.files[0]);
  });
}
$("sensitive").addEventListener("change", exclude);
$("slack").addEventListener("input", explain);
$("objective").addEventListener("change", explain);
$("bounded").addEventListener("change", explain);
$("form").addEventListener("submit", start);
$("cancel").addEventListener("click", () => ask(`/jobs/${job}/cancel`, { method: "POST" }));
document.querySelector("[role=tablist]").addEventListener("keydown", byKeys);
document.querySelector("[role=tablist]").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab && !tab.disabled) select(tab.id.slice(4));
});
$("forget").addEventListener("click", async () => {
  await ask("/forget", { method: "POST" });
  job = upload = null;
  working(false);
  complain("");
  $("choices").hidden = $("results").hidden = true;
  say("data-state", "Everything is forgotten.");
});
explain();
