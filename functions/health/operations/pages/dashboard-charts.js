// The operations page: asks the health endpoints every ten seconds and draws what they say. Only text nodes and
// attributes are ever made of what comes back, never markup.
"use strict";

// Charts. This is the first part of the script, dashboard.js the last.

/** One entry for each step of the window, also for those in which nothing happened. */
function everyStep(metrics) {
  const step = metrics.step_minutes * 60000, number = metrics.window_minutes / metrics.step_minutes;
  const known = new Map(metrics.minutes.map((minute) => [Math.floor(new Date(minute.at) / step), minute]));
  const now = Math.floor(Date.now() / step);
  return Array.from({ length: number }, (_, n) => {
    const at = now - number + 1 + n;
    return known.get(at) || { at: at * step, requests: 0, errors: 0, p50_ms: 0, p95_ms: 0, p99_ms: 0 };
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
    tile(number(total), `requests in ${inHours(metrics.window_minutes)}`),
    tile(percent(rate), "server errors", undefined, rate >= 0.05 ? "bad" : rate > 0.005 ? "warn" : ""),
    tile(total ? ms(p99) : "–", metrics.step_minutes === 1 ? "worst minute's p99" : "worst ten minutes' p99", undefined, p99 > 2000 ? "bad" : ""),
    tile(cache.hits + cache.misses ? percent(cache.hit_rate) : "–", `cache hits · ${number(cache.entries)} entries · ${bytes(cache.memory_bytes)}`, cache.hit_rate),
    tile(`${pool.active} / ${pool.limit}`, `connections · wait ${ms(pool.average_wait_ms)}`, pool.utilisation, pool.waiting ? "warn" : ""),
    tile(number(metrics.environments), "environments"));
}

const HEIGHT = 176, LEFT = 44, BOTTOM = 22, TOP = 8;
let WIDTH = 600; // of the chart at hand, as wide as its card
let marks = []; // deployments and orders of the window
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
  drawMarks(svg, minutes);
  return [svg, y];
}

/** Deployments and orders as lines, which the list below the first chart tells in words. */
function drawMarks(svg, minutes) {
  const begin = +new Date(minutes[0].at), step = +new Date(minutes[1].at) - begin, length = minutes.length * step;
  for (const each of marks) {
    const at = LEFT + ((WIDTH - LEFT - 6) * (+new Date(each.at) - begin)) / length;
    if (at < LEFT) continue;
    svg.append(el("g", { class: `mark m-${each.kind}` }, el("title", {}, inText(each)),
      el("line", { x1: at, x2: at, y1: TOP, y2: HEIGHT - BOTTOM }),
      each.kind === "order" ? el("circle", { cx: at, cy: TOP, r: 4 }) : el("polygon", { points: `${at - 5},${TOP - 5} ${at + 5},${TOP - 5} ${at},${TOP + 4}` })));
  }
}
const inText = (each) => `${clock(each.at)} ${each.kind}${each.who ? ` of ${each.who}` : ""}: ${each.text}`;
function listMarks() {
  const last = marks.slice(-6).reverse();
  show("marks", ...last.map((each) => el("div", {}, each.kind === "order" ? "● " : "▼ ", inText(each))));
}

function niceStep(raw) {
  const power = 10 ** Math.floor(Math.log10(Math.max(raw, 0.01)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= raw * 0.999);
}

function drawTraffic(minutes, step) {
  const rate = (minute) => minute.requests / step, top = Math.max(...minutes.map(rate));
  if (!top) return show("traffic", empty("No requests in this time."));
  const [svg, y] = frame("traffic", "Requests a minute", minutes, top);
  const width = ((WIDTH - LEFT) / minutes.length) * 0.7;
  minutes.forEach((minute, n) => svg.append(
    el("rect", { class: "f-accent", x: x(n, minutes.length) - width / 2, y: y(rate(minute)), width, height: HEIGHT - BOTTOM - y(rate(minute)), rx: 2 },
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

