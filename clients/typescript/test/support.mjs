/** What the tests share: accounts, a network and a storage that fail as they are told, and numbers from a seed. */

import { MemoryStorage, StudySync } from "../dist/index.js";

export const URL = process.env.STUDYSYNC_URL;
const PASSWORD = "correct horse 1";

/** A new account's credentials. */
export function credentials() {
  const username = `ts_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
  return { username, email: `${username}@example.test`, password: PASSWORD };
}

/** A client that has just registered, and its credentials. */
export async function student(options = {}) {
  const who = credentials();
  const study = new StudySync({ url: URL, storage: new MemoryStorage(), name: who.username, ...options });
  await study.accounts.register(who);
  return { study, who };
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function dice(seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    random,
    below: (end) => Math.floor(random() * end),
    pick: (options) => options[Math.floor(random() * options.length)],
  };
}

/** Everything of a paged list. */
export async function everything(api, path, options = {}) {
  const rows = [];
  for (let cursor; ; ) {
    const page = await api.get(path, { ...options, query: { ...options.query, limit: 100, ...(cursor ? { cursor } : {}) } });
    rows.push(...page.data);
    if (page.next_cursor === null) return rows;
    cursor = page.next_cursor;
  }
}
