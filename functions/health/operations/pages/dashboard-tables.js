// Tables and lists.

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
/** A request's id, which leads to its lines where there is such a place. */
function requestId(each) {
  const shown = el("code", {}, each.request_id);
  const leads = (each.log_url || "").startsWith("https://");
  return text(each.request_id, leads ? el("a", { href: each.log_url, target: "_blank", rel: "noopener noreferrer" }, shown) : shown);
}

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
  show("slow", table("slow", ["<request", "took", "when", "<request id"], found.slice(0, 20).map((each) => [
    code(each.name), cell(each.seconds, ms(each.seconds * 1000), each.failed ? "bad" : ""), since(each.at), requestId(each)])));
}

function drawAlarms(found) {
  if (!found.available) return show("alarms", empty("CloudWatch is not available here; a deployed stack has alarms."));
  const kinds = { ALARM: "bad", INSUFFICIENT_DATA: "", OK: "good" };
  show("alarms", table("alarms", ["<alarm", "<state", "since", "<what it means"], found.alarms.map((each) => [
    code(each.name), text(each.state, el("span", { class: `pill ${kinds[each.state]}` }, each.state.replace("_", " ").toLowerCase())),
    since(each.since), text(each.description)])));
}

/** Environments one by one, which are asked for only while somebody looks at them. */
function drawEnvironments(found) {
  $("show-environments").textContent = found ? "Hide" : "Show one by one";
  $("show-environments").setAttribute("aria-expanded", String(Boolean(found)));
  if (!found) return show("environments");
  show("environments", table("environments", ["<function", "<version", "requests", "errors", "p50", "p95", "p99", "connections", "waiting", "cached", "last call", "<environment"],
    found.environments.map((each) => [
      text(each.service || "–"), text(each.version || "–"), cell(each.requests), cell(each.errors, undefined, each.errors ? "bad" : ""),
      ...["p50_ms", "p95_ms", "p99_ms"].map((name) => cell(each[name], ms(each[name]))),
      ...["connections", "waiting", "cache_entries"].map((name) => cell(each[name])), since(each.last_seen), code(each.id)])));
}

function errorTable(found) {
  return el("div", { class: "scroll", "data-focus": found[0].fingerprint, role: "group", "aria-label": "Errors" }, table(`errors ${found[0].consequence}`, ["<error", "count", "last", "first", "<where", "<last request"], found.map((each) => [
    text(`${each.error_type} ${each.message}`, el("span", {}, el("strong", {}, each.error_type), ` ${each.message}`)), cell(each.count),
    since(each.last_seen), since(each.first_seen), code(each.where), requestId(each)])));
}

/** Causes first; what only follows from them is folded away, unless there is nothing else. */
function drawErrors(found) {
  if (!found.errors.length) return show("errors", empty("No errors seen."));
  const causes = found.errors.filter((each) => !each.consequence), others = found.errors.filter((each) => each.consequence);
  const total = others.reduce((sum, each) => sum + each.count, 0);
  const folded = others.length && causes.length
    ? el("details", { "data-focus": "consequences" }, el("summary", { "data-focus": "consequences summary" }, `${number(total)} that follow from these: calls that were not made`), errorTable(others)) : null;
  const where = found.log.startsWith("/") ? "Look for the request id in " : "A request id leads to Logs Insights, which is asked: ";
  const children = [errorTable((causes.length ? causes : others).slice(0, 12)), folded, el("p", { class: "quiet" }, where, el("code", {}, found.log))];
  show("errors", ...children.filter(Boolean));
}

