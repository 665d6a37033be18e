/** The client over a running stack, whose address is in STUDYSYNC_URL. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { ApiError, ConnectionError, MemoryStorage, SignedOutError, StudySync } from "../dist/index.js";
import { student, URL } from "./support.mjs";

const MINUTE = 60_000;
const ago = (minutes) => new Date(Date.now() - minutes * MINUTE);

/** A `fetch` that does what `first` says with each request, and counts them by path. */
function network(first = (send) => send()) {
  const seen = [];
  const fetch = async (url, init) => {
    const path = new globalThis.URL(url).pathname;
    seen.push(path);
    return first(() => globalThis.fetch(url, init), path, init);
  };
  return { fetch, seen, use: (next) => (first = next) };
}

test("a session from its start to its XP, recorded offline", async () => {
  const net = network();
  const { study } = await student({ fetch: net.fetch });
  net.use(() => { throw new TypeError("no network"); });
  const session = await study.start({ duration_minutes: 25, subject: "Algebra" }, ago(40));
  for (let minute = 36; minute > 15; minute -= 4) await study.record(session, "heartbeat", ago(minute));
  await study.complete(session, { efficiency: 90 }, ago(14));
  const offline = await study.sync();
  assert.equal(offline.state, "later");
  assert.ok(offline.error instanceof ConnectionError);
  assert.equal((await study.queue.pending()).length, 8);
  net.use((send) => send());
  assert.deepEqual(await study.sync(), { state: "done", sent: 8 });
  const outcome = await study.queue.outcome(session);
  assert.equal(outcome.xp_awarded, 36);
  assert.equal((await study.changes.one("xp")).total_xp, 36);
  assert.equal((await study.changes.one("session", session)).subject, "Algebra");
});

test("a lost answer is asked for again, and nothing happens twice", async () => {
  const net = network();
  const { study } = await student({ fetch: net.fetch });
  const session = await study.start({}, ago(40));
  await study.complete(session, {}, ago(10));
  net.use(async (send, path) => {
    await send();
    throw new TypeError(`the answer of ${path} is lost`);
  });
  assert.equal((await study.sync()).state, "later");
  net.use((send) => send());
  assert.equal((await study.sync()).state, "done");
  const { data } = await study.api.get("/api/gamification/xp/history/{user_id}", { path: { user_id: "me" } });
  assert.equal(data.filter((row) => row.session_id === session && row.source === "session").length <= 1, true);
  assert.equal((await study.queue.outcome(session)).total_xp, (await study.changes.one("xp")).total_xp);
});

test("what is refused is kept with its reason, and blocks nothing", async () => {
  const { study } = await student();
  await study.complete(crypto.randomUUID(), {}, ago(5));
  const session = await study.start({}, ago(40));
  await study.complete(session, {}, ago(10));
  assert.equal((await study.sync()).state, "done");
  const [refused, ...others] = await study.queue.rejected();
  assert.equal(refused.error_code, "SESSION_NOT_FOUND");
  assert.deepEqual(others, []);
  assert.equal(await study.queue.retryRejected(refused.event_id), false);
  await study.queue.dismissRejected(refused.event_id);
  assert.deepEqual(await study.queue.rejected(), []);
});

test("a refused batch is halved until it fits, and what is too large alone is set aside", async () => {
  const net = network((send, path, init) => {
    if (path !== "/api/sync/offline" || JSON.parse(init.body).events.length === 1) return send();
    const body = JSON.stringify({ error_code: "REQUEST_TOO_LARGE", message: "too large" });
    return new Response(body, { status: 413 });
  });
  const { study } = await student({ fetch: net.fetch });
  const session = await study.start({}, ago(40));
  await study.record(session, "heartbeat", ago(38));
  await study.complete(session, {}, ago(36));
  assert.deepEqual(await study.sync(), { state: "done", sent: 3 });
  net.use((send, path) => (path === "/api/sync/offline" ? new Response("{}", { status: 413 }) : send()));
  await study.start({}, ago(30));
  assert.equal((await study.sync()).state, "done");
  assert.equal((await study.queue.rejected())[0].error_code, "HTTP_413");
});

test("many calls with a token that has run out refresh it once", async () => {
  const net = network();
  const storage = new MemoryStorage();
  const { study } = await student({ fetch: net.fetch, storage });
  const account = await study.accounts.current();
  await study.accounts.adopt({ ...account, expires_at: new Date().toISOString() });
  await Promise.all([1, 2, 3, 4, 5].map(() => study.api.get("/api/gamification/badges")));
  assert.equal(net.seen.filter((path) => path === "/api/auth/refresh").length, 1);
  assert.notEqual((await study.accounts.current()).token, account.token);
});

test("a token that the server refuses is refreshed, and when that fails the queue waits for the same user", async () => {
  const { study, who } = await student();
  const account = await study.accounts.current();
  await study.accounts.adopt({ ...account, token: "worn out" });
  assert.equal((await study.api.get("/api/users/me")).data.username, who.username);
  await study.start({}, ago(40));
  const { user_id } = account;
  await study.accounts.adopt({ ...account, token: "worn out", refresh_token: "none" });
  assert.equal((await study.sync()).state, "signed-out");
  await assert.rejects(study.api.get("/api/users/me"), SignedOutError);
  assert.equal((await study.queue.pending()).length, 1);
  await study.accounts.signIn(who);
  assert.deepEqual(await study.sync(), { state: "done", sent: 1 });
  assert.equal((await study.accounts.current()).user_id, user_id);
});

test("two who share a device never send each other's events", async () => {
  const storage = new MemoryStorage();
  const ada = await student({ storage });
  await ada.study.start({}, ago(40));
  const ben = await student({ storage });
  assert.deepEqual(await ben.study.sync(), { state: "done", sent: 0 });
  await ben.study.accounts.signIn(ada.who);
  assert.deepEqual(await ben.study.sync(), { state: "done", sent: 1 });
});

test("a second device catches up, and a cursor that is not good any more begins again", async () => {
  const { study, who } = await student();
  const session = await study.start({}, ago(40));
  await study.complete(session, {}, ago(10));
  await study.sync();
  const storage = new MemoryStorage();
  const second = new StudySync({ url: URL, storage, name: "second" });
  await second.accounts.signIn(who);
  await second.sync();
  assert.equal((await second.changes.one("session", session)).status, "completed");
  const { user_id } = await second.accounts.current();
  await storage.write([
    { key: `user/${user_id}/cursor`, value: "made up" },
    { key: `user/${user_id}/copy/session/gone`, value: {} },
  ]);
  await second.sync();
  assert.deepEqual((await second.changes.all("session")).map((each) => each.session_id), [session]);
});

test("a write that is repeated is carried out once, and an error says what it is", async () => {
  let lost = 1;
  const net = network(async (send, path) => {
    const answer = await send();
    if (path === "/api/spaces/create" && lost-- > 0) throw new TypeError("lost");
    return answer;
  });
  const { study } = await student({ fetch: net.fetch });
  const body = { name: "Analysis", visibility: "private" };
  await study.api.post("/api/spaces/create", { body });
  assert.equal((await study.api.get("/api/spaces/mine")).data.length, 1);
  const missing = study.api.get("/api/sessions/{session_id}", { path: { session_id: crypto.randomUUID() } });
  await assert.rejects(missing, (error) => error instanceof ApiError && error.code === "NOT_FOUND" && error.requestId.length > 0);
});

test("the background syncs by itself, and the signed-out tell the server", async () => {
  const results = [];
  const { study, who } = await student({ onSync: (result) => results.push(result), interval: 3600 });
  study.run();
  const session = await study.start({}, ago(40));
  await study.complete(session, {}, ago(10));
  while (!(await study.queue.outcome(session))) await new Promise((resolve) => setTimeout(resolve, 10));
  study.stop();
  assert.ok(results.every((result) => result.state === "done"));
  await study.accounts.signOut();
  await assert.rejects(study.api.get("/api/users/me"), SignedOutError);
  await study.accounts.signIn(who);
  await study.api.get("/api/users/me");
});

test("heartbeats are not a machine's", async () => {
  const { study } = await student();
  const session = await study.start({}, ago(1));
  const ending = new AbortController();
  const beating = study.beat(session, ending.signal, 0.01);
  while ((await study.queue.pending()).length < 8) await new Promise((resolve) => setTimeout(resolve, 5));
  ending.abort();
  await beating;
  const times = (await study.queue.pending()).slice(1).map((event) => Date.parse(event.created_at));
  const gaps = new Set(times.slice(1).map((time, place) => time - times[place]));
  assert.ok(gaps.size > 1, "all gaps were the same");
});
