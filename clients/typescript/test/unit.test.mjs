/** What needs no server. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Stamps } from "../dist/clock.js";
import { ApiError, MemoryStorage, SignedOutError, StudySync } from "../dist/index.js";
import { exclusive } from "../dist/locks.js";
import { backoff, pause } from "../dist/transport.js";

test("times have six digits and only grow, also within a millisecond and after a small step back", () => {
  const clock = [1000, 1000, 999, 2000];
  const stamps = new Stamps(() => clock.shift());
  const made = [1, 2, 3, 4].map(() => stamps.next());
  assert.deepEqual(made, [
    "1970-01-01T00:00:01.000000Z",
    "1970-01-01T00:00:01.000001Z",
    "1970-01-01T00:00:01.000002Z",
    "1970-01-01T00:00:02.000000Z",
  ]);
});

test("a clock that was put right counts at once", () => {
  const clock = [9_000_000, 5_000];
  const stamps = new Stamps(() => clock.shift());
  stamps.next();
  assert.equal(stamps.next(), "1970-01-01T00:00:05.000000Z");
});

test("the memory lists by key, within the prefix and the limit, and forgets what has no value", async () => {
  const storage = new MemoryStorage();
  await storage.write([{ key: "a/2", value: 2 }, { key: "a/1", value: 1 }, { key: "b", value: 3 }]);
  await storage.write([{ key: "a/3", value: { deep: [1] } }, { key: "b" }]);
  assert.deepEqual(await storage.list("a/", 2), [["a/1", 1], ["a/2", 2]]);
  assert.equal(await storage.get("b"), undefined);
  assert.deepEqual(await storage.get("a/3"), { deep: [1] });
});

test("work of one name never overlaps, and a failure stops nobody", async () => {
  let running = 0;
  const work = async (fails) => {
    running += 1;
    assert.equal(running, 1);
    await pause(1);
    running -= 1;
    if (fails) throw new Error("mine");
    return "done";
  };
  const all = await Promise.allSettled([1, 2, 3, 4].map((n) => exclusive("one", () => work(n === 2))));
  assert.deepEqual(all.map((each) => each.value ?? each.reason.message), ["done", "mine", "done", "done"]);
});

test("the pause is the server's, else a random part of one that doubles up to five minutes", () => {
  const asked = new ApiError(503, {}, new Headers({ "Retry-After": "7" }));
  assert.equal(backoff(9, asked), 7);
  assert.deepEqual([0, 1, 2, 30].map((attempt) => backoff(attempt, undefined, () => 0.5)), [0.5, 1, 2, 150]);
});

test("without a sign-in nothing can be recorded, and a flush says so", async () => {
  const study = new StudySync({ url: "http://localhost:9", storage: new MemoryStorage() });
  await assert.rejects(study.start({ duration_minutes: 25 }), SignedOutError);
  assert.deepEqual(await study.queue.flush(), { state: "signed-out", sent: 0 });
});
