// The page itself: what it asks, what it orders, and how it begins.
const REFRESH_MS = 10000;
const SLOW_ANSWER_MS = 4000; // a question that takes longer is said, and given up after ten seconds
const TOKEN = "studysync-operator-token", WINDOW = "studysync-window";
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

async function ask(path, method = "GET", json = null) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (json) headers["Content-Type"] = "application/json";
  const sent = json && JSON.stringify(json);
  const response = await fetch(`/health/${path}`, { method, headers, body: sent, cache: "no-store", signal: AbortSignal.timeout(10000) });
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

let minutesAsked = Number(sessionStorage.getItem(WINDOW)) || 15;
let showsEnvironments = false;
let long = { minutes: 0, until: 0, answer: null }; // of a long window, which is much to read: once a minute
const inHours = (minutes) => (minutes > 60 ? `${minutes / 60} hours` : `${minutes} minutes`);

/** What the window tells, not asked for again within a minute where it is long. */
async function askWindow() {
  const minutes = minutesAsked;
  if (long.minutes === minutes && Date.now() < long.until) return long.answer;
  const answer = await Promise.all([ask(`metrics?minutes=${minutes}`), ask(`slow-requests?threshold=1&minutes=${minutes}`)]);
  long = { minutes, until: minutes > 60 ? Date.now() + 60000 : 0, answer };
  return answer;
}

function choose(minutes) {
  minutesAsked = minutes;
  sessionStorage.setItem(WINDOW, minutes);
  markWindow();
  refreshNow();
}
function markWindow() {
  for (const button of document.querySelectorAll("[data-minutes]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.minutes) === minutesAsked));
  }
}

let busy = false, again = false;
/** Refresh, also where an answer that is under way does not know yet what was chosen. */
function refreshNow() {
  if (busy) again = true;
  else refresh();
}
async function refresh() {
  if (busy || document.hidden) return;
  busy = true;
  const late = setTimeout(() => status("warn", "no answer yet"), SLOW_ANSWER_MS);
  try {
    const [[metrics, slow], detailed, errors, alarms, environments] = await Promise.all(
      [askWindow(), ask("detailed"), ask("errors"), ask("alarms"), showsEnvironments ? ask("environments") : null]);
    const found = [detailed, metrics, slow, errors, alarms, environments];
    $("login").hidden = true;
    $("board").hidden = false;
    draw(...found);
    await askSwitches();
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
    if (again) setTimeout(refresh);
    again = false;
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

/** Ask for confirmation and order; returns whether it was done. */
async function order(path, question, json = null) {
  if (!(await confirmed(question))) return false;
  let done = false;
  try {
    await ask(path, "POST", json);
    done = true;
    long.until = 0; // it is a mark in the charts
    notice(`Done. Busy environments follow within ${path === "switches" ? 30 : 5} seconds.`, "good", 6);
  } catch (error) {
    if (error instanceof Refused) signIn(error);
    else notice(error.message, "bad", 15);
  }
  await refresh();
  return done;
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
  const [detailed, metrics, slow, errors, alarms, environments] = found;
  const words = { pass: ["good", "healthy"], warn: ["warn", "degraded"], fail: ["bad", "outage"] };
  status(...words[detailed.status]);
  $("stage").textContent = detailed.stage;
  $("updated").textContent = `${new Date().toLocaleTimeString("en-GB")} · up ${span(detailed.uptime_seconds)} · version ${detailed.version}`;
  for (const each of document.querySelectorAll(".window")) each.textContent = `last ${inHours(metrics.window_minutes)}`;
  marks = metrics.marks;
  const minutes = everyStep(metrics);
  drawTiles(metrics, minutes);
  drawTraffic(minutes, metrics.step_minutes);
  listMarks();
  drawErrorRate(minutes);
  drawLatency(minutes);
  drawAlarms(alarms);
  drawCircuits(detailed.circuits);
  drawChecks(detailed.checks);
  drawEndpoints("endpoints", metrics.endpoints.filter((each) => !each.name.includes(" /health")), "No requests yet.");
  drawEndpoints("dependencies", metrics.dependencies, "No calls yet.");
  drawSlow(slow.requests);
  drawEnvironments(environments);
  drawErrors(errors);
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
for (const button of document.querySelectorAll("[data-minutes]")) {
  button.addEventListener("click", () => choose(Number(button.dataset.minutes)));
}
$("show-environments").addEventListener("click", () => {
  showsEnvironments = !showsEnvironments;
  if (showsEnvironments) refreshNow();
  else drawEnvironments(null);
});
$("switches").addEventListener("submit", applySwitches);
document.addEventListener("visibilitychange", refresh);
addEventListener("resize", () => document.querySelectorAll(".scroll").forEach(mark));
addEventListener("hashchange", takeToken);
markWindow();
takeToken();
setInterval(refresh, REFRESH_MS);
refresh();
