// The operations page: asks the health endpoints every ten seconds and draws what they say. Only text nodes and
// attributes are ever made of what comes back, never markup.
"use strict";

const REFRESH_MS = 10000;
const SLOW_ANSWER_MS = 4000; // a question that takes longer is said, and given up after ten seconds
const TOKEN = "studysync-operator-token";
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/** Make an element: el("p", {class: "quiet"}, "text", child, ...). */
function el(name, attributes = {}, ...children) {
  const svg = ["svg", "rect", "polyline", "polygon", "line", "text", "circle", "g", "title"].includes(name);
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}
/** Replace what is in an element; whoever had the keyboard's focus in it has it again, by label. */
function show(id, ...children) {
  const held = $(id).contains(document.activeElement) ? document.activeElement.getAttribute("data-focus") : null;
  const open = new Set([...$(id).querySelectorAll("details[open]")].map((each) => each.dataset.focus));
  $(id).replaceChildren(...children);
  for (const each of $(id).querySelectorAll("details")) each.open = open.has(each.dataset.focus);
  for (const each of $(id).matches(".scroll") ? [$(id)] : $(id).querySelectorAll(".scroll")) mark(each);
  if (held) [...$(id).querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === held)?.focus();
}
/** Say of what scrolls sideways that it does, and let the keyboard do it. */
function mark(box) {
  const hidden = box.scrollWidth > box.clientWidth + 1;
  box.classList.toggle("more", hidden);
  if (hidden) box.tabIndex = 0; else box.removeAttribute("tabindex");
}
const empty = (text) => el("div", { class: "empty" }, text);

const number = (value, digits = 0) => value.toLocaleString("en", { maximumFractionDigits: digits });
const percent = (share) => `${number(share * 100, share > 0 && share < 0.1 ? 1 : 0)} %`;
const ms = (value) => (value >= 1000 ? `${number(value / 1000, 2)} s` : `${number(value, value < 10 ? 1 : 0)} ms`);
const bytes = (value) => (value >= 1048576 ? `${number(value / 1048576, 1)} MB` : `${number(value / 1024, 1)} KB`);
const second = (at) => new Date(at).toLocaleTimeString("en-GB");
const clock = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
function ago(at) {
  const seconds = Math.max(0, (Date.now() - new Date(at)) / 1000);
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 86400 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} d ago`;
}
function span(seconds) {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

// ---------------------------------------------------------------- asking

class Refused extends Error {
  constructor(token) {
    super("The operator token is missing or wrong.");
    this.token = token;
  }
}

async function ask(path, method = "GET") {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const response = await fetch(`/health/${path}`, { method, headers, cache: "no-store", signal: AbortSignal.timeout(10000) });
  const body = await response.json();
  if (response.status === 401) throw new Refused(token);
  if (path === "detailed" && body.details && body.details.checks) return body.details; // a critical check failed
  if (!response.ok) throw new Error(body.message || `Status ${response.status}`);
  return body.data;
}

let noticeUntil = 0;
function notice(text, kind = "bad", seconds = 0) {
  if (!seconds && Date.now() < noticeUntil) return;
  noticeUntil = seconds ? Date.now() + seconds * 1000 : 0;
  $("notice").hidden = !text;
  $("notice").className = `notice ${kind}`;
  $("notice").textContent = text;
}

let busy = false;
async function refresh() {
  if (busy || document.hidden) return;
  busy = true;
  const late = setTimeout(() => status("warn", "no answer yet"), SLOW_ANSWER_MS);
  try {
    const found = await Promise.all(["detailed", "metrics", "slow-requests?threshold=1", "errors"].map((p) => ask(p)));
    $("login").hidden = true;
    $("board").hidden = false;
    draw(...found);
    const complete = found[1].complete && found[3].complete;
    notice(complete ? "" : "DynamoDB does not answer: these are the figures of one environment only.", "warn");
  } catch (error) {
    if (error instanceof Refused) signIn(error);
    else {
      status("bad", "no answer");
      notice(`The health function does not answer (${error.message}). What is shown may be old.`);
    }
  } finally {
    clearTimeout(late);
    busy = false;
  }
}

function signIn(error) {
  const tried = error.token !== null;
  if (sessionStorage.getItem(TOKEN) !== error.token) return setTimeout(refresh); // there is another one by now
  sessionStorage.removeItem(TOKEN);
  $("board").hidden = true;
  $("login").hidden = false;
  status("", "signed out");
  notice(tried ? error.message : "");
}

function confirmed(question) {
  const dialog = $("confirm"), form = dialog.querySelector("form");
  $("question").textContent = question;
  dialog.showModal();
  return new Promise((resolve) => {
    form.onsubmit = (event) => resolve(event.submitter.value === "yes");
    dialog.oncancel = () => resolve(false);
  });
}

async function order(path, question) {
  if (!(await confirmed(question))) return;
  try {
    await ask(path, "POST");
    notice("Done. Busy environments follow within five seconds.", "good", 6);
  } catch (error) {
    if (error instanceof Refused) signIn(error);
    else notice(error.message, "bad", 15);
  }
  await refresh();
}

// ---------------------------------------------------------------- drawing

function status(kind, text) {
  $("status").className = `pill ${kind}`;
  $("status").textContent = text;
  document.title = `${text} · StudySync operations`;
}

let drawn = null; // what was drawn last
const redraw = () => drawn && draw(...drawn);

function draw(...found) {
  drawn = found;
  const [detailed, metrics, slow, errors] = found;
  const words = { pass: ["good", "healthy"], warn: ["warn", "degraded"], fail: ["bad", "outage"] };
  status(...words[detailed.status]);
  $("stage").textContent = detailed.stage;
  $("updated").textContent = `${new Date().toLocaleTimeString("en-GB")} · up ${span(detailed.uptime_seconds)} · version ${detailed.version}`;
  $("window").textContent = `last ${metrics.window_minutes} minutes`;
  const minutes = everyMinute(metrics);
  drawTiles(metrics, minutes);
  drawTraffic(minutes);
  drawErrorRate(minutes);
  drawLatency(minutes);
  drawCircuits(metrics.circuits);
  drawChecks(detailed.checks);
  drawEndpoints("endpoints", metrics.endpoints.filter((each) => !each.name.includes(" /health")), "No requests yet.");
  drawEndpoints("dependencies", metrics.dependencies, "No calls yet.");
  drawSlow(slow.requests);
  drawErrors(errors);
}

/** One entry a minute of the window, also for minutes in which nothing happened. */
function everyMinute(metrics) {
  const known = new Map(metrics.minutes.map((minute) => [Math.floor(new Date(minute.at) / 60000), minute]));
  const now = Math.floor(Date.now() / 60000);
  return Array.from({ length: metrics.window_minutes }, (_, n) => {
    const minute = now - metrics.window_minutes + 1 + n;
    return known.get(minute) || { at: minute * 60000, requests: 0, errors: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0 };
  });
}

function tile(value, label, share, kind = "") {
  const bar = share === undefined ? null : el("div", { class: "bar" }, el("i"));
  if (bar) bar.firstChild.style.width = `${Math.min(100, share * 100)}%`;
  return el("div", { class: "tile" }, el("b", { class: kind }, value), el("span", {}, label), bar);
}

function drawTiles(metrics, minutes) {
  const total = minutes.reduce((sum, minute) => sum + minute.requests, 0);
  const failed = minutes.reduce((sum, minute) => sum + minute.errors, 0);
  const rate = total ? failed / total : 0;
  const p99 = Math.max(...minutes.map((minute) => minute.p99_ms));
  const { cache, pool } = metrics;
  show("tiles",
    tile(number(total), `requests in ${metrics.window_minutes} min`),
    tile(percent(rate), "server errors", undefined, rate >= 0.05 ? "bad" : rate > 0.005 ? "warn" : ""),
    tile(total ? ms(p99) : "–", "worst minute's p99", undefined, p99 > 2000 ? "bad" : ""),
    tile(cache.hits + cache.misses ? percent(cache.hit_rate) : "–", `cache hits · ${number(cache.entries)} entries · ${bytes(cache.memory_bytes)}`, cache.hit_rate),
    tile(`${pool.active} / ${pool.limit}`, `connections · wait ${ms(pool.average_wait_ms)}`, pool.utilisation, pool.waiting ? "warn" : ""),
    tile(number(metrics.environments), "environments"));
}

const HEIGHT = 176, LEFT = 44, BOTTOM = 22, TOP = 8;
let WIDTH = 600; // of the chart at hand, as wide as its card
const x = (n, count) => LEFT + ((n + 0.5) * (WIDTH - LEFT - 6)) / count;

/** A chart's frame: grid, scale and times. Returns the svg and y(value). */
function frame(id, label, minutes, top) {
  WIDTH = Math.max(260, $(id).clientWidth);
  const step = niceStep(top / 3), highest = Math.max(step, Math.ceil(top / step) * step);
  const y = (value) => TOP + (HEIGHT - BOTTOM - TOP) * (1 - value / highest);
  const svg = el("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  for (let value = 0; value <= highest * 1.001; value += step) {
    svg.append(el("line", { class: "gridline", x1: LEFT, x2: WIDTH, y1: y(value), y2: y(value) }),
      el("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, number(value, step < 1 ? 2 : 0)));
  }
  const every = Math.ceil(minutes.length / 5);
  minutes.forEach((minute, n) => {
    if ((minutes.length - 1 - n) % every === 0 && n > 0) {
      svg.append(el("text", { x: Math.min(x(n, minutes.length), WIDTH - 18), y: HEIGHT - 5, "text-anchor": "middle" }, clock(minute.at)));
    }
  });
  return [svg, y];
}

function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(Math.max(raw, 0.01)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999);
}

function drawTraffic(minutes) {
  const top = Math.max(...minutes.map((minute) => minute.requests));
  if (!top) return show("traffic", empty("No requests in this time."));
  const [svg, y] = frame("traffic", "Requests a minute", minutes, top);
  const width = ((WIDTH - LEFT) / minutes.length) * 0.7;
  minutes.forEach((minute, n) => svg.append(
    el("rect", { class: "f-accent", x: x(n, minutes.length) - width / 2, y: y(minute.requests), width, height: HEIGHT - BOTTOM - y(minute.requests), rx: 2 },
      el("title", {}, `${clock(minute.at)}: ${number(minute.requests)} requests`))));
  show("traffic", svg);
}

/** Lines over the minutes that had requests: a minute without any interrupts the line. */
function lines(svg, minutes, value, y, name) {
  let run = [];
  const flush = () => {
    if (run.length > 1) svg.append(el("polyline", { class: `s-${name} d-${name}`, points: run.join(" ") }));
    else if (run.length) {
      const [cx, cy] = run[0].split(",");
      svg.append(el("circle", { class: `f-${name === "bad" ? "red" : name}`, cx, cy, r: 3 }));
    }
    run = [];
  };
  minutes.forEach((minute, n) => {
    if (minute.requests) run.push(`${x(n, minutes.length).toFixed(1)},${y(value(minute)).toFixed(1)}`);
    else flush();
  });
  flush();
}

function drawErrorRate(minutes) {
  if (!minutes.some((minute) => minute.requests)) return show("errorrate", empty("No requests in this time."));
  const rate = (minute) => (minute.requests ? (100 * minute.errors) / minute.requests : 0);
  const [svg, y] = frame("errorrate", "Error rate in percent", minutes, Math.max(1, ...minutes.map(rate)));
  const width = (WIDTH - LEFT) / minutes.length;
  minutes.forEach((minute, n) => {
    if (minute.errors) svg.append(el("rect", { class: "f-bad", x: x(n, minutes.length) - width / 2, y: TOP, width, height: HEIGHT - BOTTOM - TOP },
      el("title", {}, `${clock(minute.at)}: ${minute.errors} of ${minute.requests}`)));
  });
  lines(svg, minutes, rate, y, "bad");
  show("errorrate", svg);
}

function drawLatency(minutes) {
  const top = Math.max(...minutes.map((minute) => minute.p99_ms));
  if (!top) return show("latency", empty("No requests in this time."));
  const [svg, y] = frame("latency", "Latency percentiles in milliseconds", minutes, top);
  for (const name of ["p99", "p95", "p50"]) lines(svg, minutes, (minute) => minute[`${name}_ms`], y, name);
  const last = minutes.findLast((minute) => minute.requests);
  const key = ["p50", "p95", "p99"].map((name) => el("span", {}, el("i", { class: `i-${name}` }), `${name} ${ms(last[`${name}_ms`])}`));
  show("latency", svg, el("div", { class: "key" }, ...key));
}

/** By table: the column that it is sorted by, and whether the greatest comes first; as it came where there is none. */
const sorted = new Map();

/** A table whose columns sort it, of heads (name, or "<name" for text) and rows of cells. */
function table(id, heads, rows) {
  const order = sorted.get(id);
  if (order) rows = [...rows].sort((a, b) => compare(a[order.column].value, b[order.column].value) * (order.down ? -1 : 1));
  const head = (name, column) => {
    const label = name.replace("<", ""), on = order && order.column === column;
    const button = el("button", { class: "sort", "data-focus": `${id} ${label}`, onclick: () => sortBy(id, column, name.startsWith("<")) }, label, on ? (order.down ? " ↓" : " ↑") : "");
    return el("th", { class: name.startsWith("<") ? "text" : "", "aria-sort": on ? (order.down ? "descending" : "ascending") : "none" }, button);
  };
  return el("table", {}, el("thead", {}, el("tr", {}, ...heads.map(head))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", { class: cell.kind }, cell.shown))))));
}
const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
function sortBy(id, column, isText) {
  const before = sorted.get(id);
  sorted.set(id, { column, down: before && before.column === column ? !before.down : !isText });
  redraw();
}
const cell = (value, shown, kind = "") => ({ value, shown: shown ?? number(value), kind });
const text = (value, shown = value) => cell(value, shown, "text");
const code = (value) => text(value, el("code", {}, value));
const since = (at) => cell(+new Date(at), ago(at));

function drawEndpoints(id, found, nothing) {
  if (!found.length) return show(id, empty(nothing));
  show(id, table(id, [id === "endpoints" ? "<endpoint" : "<call", "calls", "errors", "mean", "p50", "p95", "p99"], found.slice(0, 25).map((each) => [
    code(each.name), cell(each.requests),
    each.errors ? cell(each.errors, `${number(each.errors)} (${percent(each.error_rate)})`, "bad") : cell(0),
    ...["average_ms", "p50_ms", "p95_ms", "p99_ms"].map((name) => cell(each[name], ms(each[name])))])));
}

function drawCircuits(found) {
  const kinds = { closed: "good", open: "bad", half_open: "warn" };
  show("circuits", ...found.map((each) => {
    const closed = each.state === "closed";
    const since = closed ? "" : each.since ? `open since ${second(each.since)} · ` : "not closed, since when is not known · ";
    const what = closed ? "" : since + (each.forced ? "opened by hand, until it is reset" : `${each.reason.replace("_", " ")} · next try in ${number(each.retry_after_seconds)} s`);
    const button = closed
      ? el("button", { class: "small danger", onclick: () => order(`circuits/${encodeURIComponent(each.name)}/open`, `Open the circuit "${each.name}"? Its calls fail at once until it is reset.`) }, "Open")
      : el("button", { class: "small", onclick: () => order(`circuits/${encodeURIComponent(each.name)}/reset`, `Close the circuit "${each.name}" in every environment?`) }, "Reset");
    button.setAttribute("aria-label", `${closed ? "Open" : "Reset"} circuit ${each.name}`);
    button.dataset.focus = each.name;
    return el("div", { class: "circuit" },
      el("div", { class: "row" }, el("strong", {}, each.name), el("span", { class: `pill ${kinds[each.state]}` }, each.state.replace("_", " ")),
        el("span", { class: "quiet" }, what), el("span", { class: "push" }, button)),
      ...stateBand(each));
  }));
}

const inWords = (changes, circuit) => `${circuit.history_complete ? "" : "not known before; "}${changes.map((each) => `${second(each.at)} ${each.state.replace("_", " ")}`).join(", ")}`;

/** What became of a circuit in the last hour, as a band, and its last change in words. */
function stateBand(circuit) {
  if (!circuit.history.length) return [el("div", { class: "quiet" }, "has never opened")];
  const now = Date.now(), since = now - 3600000, changes = circuit.history.map((change) => ({ ...change, at: +new Date(change.at) }));
  const band = el("div", { class: "history", role: "img", "aria-label": `States in the last hour: ${inWords(changes, circuit)}` });
  const before = changes.findLast((change) => change.at <= since);
  const first = before ? before.state : circuit.history_complete ? "closed" : "unknown";
  const marks = [{ at: since, state: first, reason: "" }, ...changes.filter((change) => change.at > since)];
  marks.forEach((mark, n) => {
    const part = el("i", { class: `h-${mark.state}`, title: `${second(mark.at)} ${mark.state.replace("_", " ")} ${mark.reason}` });
    part.style.flexGrow = Math.max(1, ((marks[n + 1] ? marks[n + 1].at : now) - mark.at) / 1000);
    band.append(part);
  });
  const last = changes.at(-1);
  return [band, el("div", { class: "quiet" }, `${last.state.replace("_", " ")} ${ago(last.at)} (${last.reason.replace("_", " ")}) · band: last hour`)];
}

function drawChecks(checks) {
  const failing = Object.entries(checks).filter(([, check]) => check.status !== "pass");
  $("failing").hidden = !failing.length;
  $("failing").className = `notice ${failing.some(([, check]) => check.status === "fail") ? "bad" : "warn"}`;
  show("failing", ...failing.map(([name, check]) => el("div", {}, `${name}: ${check.message}`)));
  const kinds = { pass: "good", warn: "warn", fail: "bad" };
  show("checks", table("checks", ["<check", "latency", "<result"], Object.entries(checks).map(([name, check]) => [
    cell(name, el("span", { class: `pill ${kinds[check.status]}` }, name)), cell(check.latency_ms, ms(check.latency_ms)), text(check.message || "")])));
}

function drawSlow(found) {
  if (!found.length) return show("slow", empty("Nothing took longer than a second."));
  show("slow", table("slow", ["<request", "took", "when"], found.slice(0, 10).map((each) => [
    code(each.name), cell(each.seconds, ms(each.seconds * 1000), each.failed ? "bad" : ""), since(each.at)])));
}

function errorTable(found) {
  return el("div", { class: "scroll", "data-focus": found[0].fingerprint, role: "group", "aria-label": "Errors" }, table(`errors ${found[0].consequence}`, ["<error", "count", "last", "first", "<where", "<last request"], found.map((each) => [
    text(`${each.error_type} ${each.message}`, el("span", {}, el("strong", {}, each.error_type), ` ${each.message}`)), cell(each.count),
    since(each.last_seen), since(each.first_seen), code(each.where), code(each.request_id)])));
}

/** Causes first; what only follows from them is folded away, unless there is nothing else. */
function drawErrors(found) {
  if (!found.errors.length) return show("errors", empty("No errors seen."));
  const causes = found.errors.filter((each) => !each.consequence), others = found.errors.filter((each) => each.consequence);
  const total = others.reduce((sum, each) => sum + each.count, 0);
  const folded = others.length && causes.length
    ? el("details", { "data-focus": "consequences" }, el("summary", { "data-focus": "consequences summary" }, `${number(total)} that follow from these: calls that were not made`), errorTable(others)) : null;
  const where = found.log.startsWith("/") ? "Look for the request id in " : "Look for the request id in Logs Insights: ";
  const children = [errorTable((causes.length ? causes : others).slice(0, 12)), folded, el("p", { class: "quiet" }, where, el("code", {}, found.log))];
  show("errors", ...children.filter(Boolean));
}

// ---------------------------------------------------------------- beginning

/** Take the token from the fragment of a link, which no server ever sees, and out of the address and the history. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!given) return;
  sessionStorage.setItem(TOKEN, given);
  history.replaceState(null, "", location.pathname);
  refresh();
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $("token").value.trim());
  $("token").value = "";
  refresh();
});
for (const button of document.querySelectorAll("[data-order]")) {
  button.addEventListener("click", () => order(button.dataset.order, button.dataset.ask));
}
document.addEventListener("visibilitychange", refresh);
addEventListener("resize", () => document.querySelectorAll(".scroll").forEach(mark));
addEventListener("hashchange", takeToken);
takeToken();
setInterval(refresh, REFRESH_MS);
refresh();
