/**
 * One account on two devices, one of them with two tabs, through FAULTS=1000 faults from SEED=1: afterwards the server has
 * every event once, every session has paid once, and both devices show the same.
 */

import assert from "node:assert/strict";
import { test } from "node:test";

import { MemoryStorage, StudySync } from "../dist/index.js";
import { pause } from "../dist/transport.js";
import { credentials, dice, everything, URL } from "./support.mjs";

const FAULTS = Number(process.env.FAULTS ?? 1000);
const SEED = Number(process.env.SEED ?? 1);
const OUTAGES = 3; // of the database: each takes seconds
const MINUTE = 60_000;
const BEGIN = Date.now() - 28 * 24 * 60 * MINUTE;
const SLOT = 40 * MINUTE; // a session each, so that none overlaps another
const MOST_SESSIONS = 900;

/** What went wrong so far, by kind, and whether anything still may. */
class Faults {
  counts = {};
  over = false;
  #outages = 0;
  #dice;

  constructor(seed) {
    this.#dice = dice(seed);
  }

  get total() {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Whether `kind` happens now. */
  strikes(kind, odds) {
    if (this.over || this.#dice.random() >= odds) return false;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    return true;
  }

  outageIsDue() {
    if (this.over || this.#outages >= OUTAGES || this.total < ((this.#outages + 1) * FAULTS) / (OUTAGES + 1)) return false;
    this.#outages += 1;
    this.counts.outage = this.#outages;
    return true;
  }
}

/** A `fetch` over a bad network, with servers in trouble behind it. */
function network(faults) {
  const answer = (status, body, headers) => new Response(body, { status, headers });
  return async (url, init) => {
    if (faults.strikes("cut", 0.12)) throw new TypeError("no network");
    if (faults.strikes("gateway", 0.04)) return answer(502, "<html>Bad Gateway</html>");
    if (faults.strikes("limited", 0.04)) return answer(429, '{"error_code": "RATE_LIMIT_EXCEEDED"}', { "Retry-After": "0" });
    if (faults.strikes("hangs", 0.02)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw new DOMException("The operation timed out.", "TimeoutError");
    }
    if (init.headers.Authorization && faults.strikes("token", 0.04)) {
      init = { ...init, headers: { ...init.headers, Authorization: "Bearer worn.out.token" } };
    }
    if (faults.strikes("twice", 0.05)) void fetch(url, { ...init, signal: null }).then((first) => first.text(), () => undefined);
    const response = await fetch(url, init);
    if (faults.strikes("lost", 0.12)) throw new TypeError("the answer is lost");
    if (faults.strikes("late 503", 0.04)) return answer(503, "{}", { "Retry-After": "0" });
    if (response.ok && faults.strikes("cut off", 0.04)) return answer(200, (await response.text()).slice(0, -7));
    return response;
  };
}

/** A storage whose program dies before or after a commit, as a crash has it. */
class Crashing {
  constructor(storage, faults) {
    this.storage = storage;
    this.faults = faults;
  }
  get = (key) => this.storage.get(key);
  list = (prefix, limit) => this.storage.list(prefix, limit);
  async write(changes) {
    if (this.faults.strikes("crash before the commit", 0.04)) throw new Error("crashed");
    await this.storage.write(changes);
    if (this.faults.strikes("crash after the commit", 0.04)) throw new Error("crashed");
  }
}

/** What outlives a crash, and the program of the moment. */
class Device {
  storage = new MemoryStorage();
  signIns = 0;

  constructor(name, faults) {
    Object.assign(this, { name, faults });
    this.restart();
  }

  open(name = this.name) {
    const storage = new Crashing(this.storage, this.faults);
    return new StudySync({ url: URL, storage, name, fetch: network(this.faults), timeout: 20_000 });
  }

  restart() {
    this.study = this.open();
  }

  /** Does something that may fail; a crash is followed by a start. Returns whether it was done. */
  async attempt(work) {
    try {
      await work(this.study);
      return true;
    } catch (error) {
      if (error.message === "crashed") this.restart();
      else if (!["ApiError", "ConnectionError", "SignedOutError"].includes(error.name)) throw error;
      return false;
    }
  }
}

/** Records a session as a person makes it, event by event; what a crash swallowed before it was stored never happened. */
async function study(device, random, slot, recorded) {
  const start = BEGIN + slot * SLOT;
  const session_id = crypto.randomUUID();
  const minutes = [...Array(1 + random.below(5)).keys()].map((n) => 4 + 4 * n);
  const steps = [["start", 0], ...minutes.map((minute) => ["heartbeat", minute]), ["complete", minutes.at(-1) + 3]];
  for (const [kind, minute] of steps) {
    const waits = async () => (await device.storage.list("", 1e6)).filter(([, value]) => value.session_id === session_id && value.event_type === kind && value.created_at === at.created_at);
    const at = { created_at: new Date(start + minute * MINUTE).toISOString().replace("Z", "000Z") };
    // The tap is repeated until the screen shows its effect.
    while ((await waits()).length === 0) {
      await device.attempt((client) => client.queue.record(session_id, kind, {}, new Date(start + minute * MINUTE)));
    }
    for (const [, event] of await waits()) recorded.set(event.event_id, event);
  }
  return { session_id, xp: steps.at(-1)[1] };
}

test(`${FAULTS} faults lose and double nothing (seed ${SEED})`, async (t) => {
  const random = dice(SEED);
  const faults = new Faults(SEED + 1);
  faults.over = true;
  const devices = [new Device("phone", faults), new Device("laptop", faults)];
  const who = credentials();
  await devices[0].study.accounts.register(who);
  await devices[1].study.accounts.signIn(who);
  faults.over = false;
  for (const device of devices) device.restart();

  const recorded = new Map();
  const sessions = [];
  for (let step = 0; faults.total < FAULTS; step += 1) {
    assert.ok(step < 20 * FAULTS, `faults stopped coming: ${JSON.stringify(faults.counts)}`);
    const device = random.pick(devices);
    if (sessions.length < MOST_SESSIONS && random.random() < 0.15) sessions.push(await study(device, random, sessions.length, recorded));
    if (faults.outageIsDue()) void fetch(`${URL}/control/kill-database`, { method: "POST" });
    // Another tab, which shares the storage and, where there are no Web Locks, nothing else.
    const tab = random.random() < 0.3 ? device.open(random.pick([device.name, `${device.name}'s other tab`])) : undefined;
    const other = tab ? tab.sync().catch((error) => error) : undefined;
    await device.attempt((client) => (random.random() < 0.8 ? client.sync() : client.changes.catchUp()));
    await other;
    await signInAgain(device, who);
    if (random.random() < 0.05) device.restart();
  }

  faults.over = true;
  for (const device of devices) {
    device.restart();
    await signInAgain(device, who);
  }
  for (const device of [...devices, ...devices]) await untilDone(device);
  t.diagnostic(`${sessions.length} sessions, ${recorded.size} events, ${JSON.stringify(faults.counts)}, ${devices[0].signIns + devices[1].signIns} sign-ins`);
  await check(devices, sessions, recorded);
});

/** Tabs without a common lock may use a refresh token twice, which ends the session: then a person signs in. */
async function signInAgain(device, who) {
  while (!(await device.study.accounts.current()).token) {
    await device.attempt((client) => client.accounts.signIn(who));
    device.signIns += 1;
  }
}

async function untilDone(device) {
  for (let wait = 10; ; wait = Math.min(2 * wait, 1000)) {
    const result = await device.study.sync();
    if (result.state === "done") return;
    assert.equal(result.state, "later", JSON.stringify(result));
    await pause(wait);
  }
}

async function check(devices, sessions, recorded) {
  const [{ study: phone }, { study: laptop }] = devices;
  const me = { path: { user_id: "me" } };
  const found = await everything(phone.api, "/api/sessions");
  assert.deepEqual(found.map((each) => each.session_id).sort(), sessions.map((each) => each.session_id).sort());
  assert.ok(found.every((each) => each.status === "completed"));
  for (const { session_id, xp } of sessions) {
    const session = found.find((each) => each.session_id === session_id);
    assert.equal(session.focus_seconds, 60 * xp);
    const trail = await everything(phone.api, "/api/sessions/{session_id}/audit", { path: { session_id } });
    const ids = trail.map((event) => event.event_id).filter((id) => recorded.has(id));
    const own = [...recorded.values()].filter((event) => event.session_id === session_id).map((event) => event.event_id);
    assert.deepEqual(ids.sort(), own.sort(), "each event is there once");
  }
  const ledger = await everything(phone.api, "/api/gamification/xp/history/{user_id}", me);
  const awards = ledger.map((row) => `${row.session_id} ${row.source} ${row.milestone}`);
  assert.equal(new Set(awards).size, awards.length, "no award is there twice");
  assert.deepEqual(new Set(ledger.map((row) => row.session_id)), new Set(sessions.map((each) => each.session_id)));
  const total = ledger.reduce((sum, row) => sum + row.amount, 0);
  for (const device of [phone, laptop]) {
    assert.deepEqual(await device.queue.pending(), []);
    assert.deepEqual(await device.queue.rejected(), []);
    assert.equal((await device.changes.one("xp")).total_xp, total);
    const copies = (await device.changes.all("session")).map((each) => [each.session_id, each.status, each.xp_awarded]);
    assert.deepEqual(copies.sort(), found.map((each) => [each.session_id, each.status, each.xp_awarded]).sort());
  }
}
