/** Walks the whole API with the types of openapi-typescript: what this file says is checked by tsc before it is run. */

import { ApiError, MemoryStorage, StudySync, type components } from "../dist/index.js";

type Schemas = components["schemas"];
declare const process: { env: Record<string, string | undefined> };

const url = process.env["STUDYSYNC_URL"]!;
const me = { path: { user_id: "me" } };
const called = new Set<string>();
const counting: typeof fetch = (input, init) => {
  called.add(`${init?.method} ${new URL(String(input)).pathname}`);
  return fetch(input, init);
};

function check(holds: unknown, what: string): asserts holds {
  if (!holds) throw new Error(`not so: ${what}`);
}

async function student(): Promise<StudySync> {
  const username = `w_${crypto.randomUUID().slice(0, 12).replaceAll("-", "_")}`;
  const study = new StudySync({ url, storage: new MemoryStorage(), name: username, fetch: counting });
  const registration: Schemas["Registration"] = { username, email: `${username}@example.test`, password: "correct horse 1" };
  await study.accounts.register(registration);
  await study.accounts.signIn(registration);
  return study;
}

/** A session from start to end, and what it brought. */
async function online({ api }: StudySync): Promise<void> {
  const started = await api.post("/api/sessions/start", { body: { duration_minutes: 25, subject: "Algebra" } });
  const path = { session_id: started.data.session_id };
  check((await api.get("/api/sessions/active")).data.subject === "Algebra", "the session is active");
  await api.post("/api/sessions/{session_id}/heartbeat", { path });
  await api.post("/api/sessions/{session_id}/audit", { path, body: { event_type: "note", payload: { page: 3 } } });
  check((await api.get("/api/sessions/{session_id}/audit", { path })).data.length >= 2, "it has events");
  const done = (await api.post("/api/sessions/{session_id}/complete", { path, body: { efficiency: 90 } })).data;
  check((await api.get("/api/sessions/{session_id}", { path })).data.xp_awarded === done.xp_awarded, "it has paid");
  check((await api.get("/api/sessions", { query: { status: "completed", limit: 5 } })).next_cursor === null, "one page");
  const second = (await api.post("/api/sessions/start", { body: { duration_minutes: 25 } })).data.session_id;
  await api.post("/api/sessions/{session_id}/abandon", { path: { session_id: second } });
  check((await api.get("/api/gamification/xp/{user_id}", me)).data.total_xp === done.total_xp, "the total");
  check((await api.get("/api/gamification/xp/history/{user_id}", me)).data[0]!.amount > 0, "the ledger");
  check((await api.get("/api/gamification/badges")).data.length >= 12, "the catalogue");
  const badges = (await api.get("/api/gamification/badges/{user_id}", me)).data;
  check(badges.earned_badges[0]!.key === "first_session", "the first badge");
  check((await api.get("/api/gamification/streaks/{user_id}", me)).data.current_streak === 0, "a streak day takes a minute");
  const board = await api.get("/api/gamification/leaderboard/{period}", { path: { period: "weekly" } });
  check(board.data.me.xp === done.total_xp, "the board");
}

/** A batch whose payloads are told apart by the type of their events, and changes by their kind. */
async function offline({ api }: StudySync): Promise<void> {
  const session_id = crypto.randomUUID();
  const at = (minutes: number) => new Date(Date.now() - 60_000 * minutes).toISOString();
  const events: Schemas["OfflineEvent"][] = [
    { session_id, event_type: "start", event_payload: { duration_minutes: 25 }, created_at: at(90) },
    { session_id, event_type: "heartbeat", created_at: at(80) },
    { session_id, event_type: "complete", event_payload: { efficiency: 90 }, created_at: at(60) },
    { session_id: crypto.randomUUID(), event_type: "complete", created_at: at(50) },
  ];
  const { data } = await api.post("/api/sync/offline", { body: { events, client_id: "walk" } });
  check(data.synced_count === 3 && data.rejected_count === 1, "three are applied");
  const event_id = (await api.get("/api/sync/rejected")).data[0]!.event_id;
  check((await api.post("/api/sync/rejected/{event_id}/retry", { path: { event_id } })).data.status === "rejected", "still");
  for (const change of (await api.get("/api/sync/changes", { query: { limit: 100 } })).data) {
    if (change.kind === "xp" && change.data) check(change.data.total_xp > 0, "XP came");
    if (change.kind === "session" && change.data) check(change.data.duration_minutes === 25, "a session came");
  }
  check((await api.get("/api/sync/status", { query: { client_id: "walk" } })).data.applied_count === 3, "it is known");
}

/** A space with two members, and all that an owner does. */
async function people({ api }: StudySync): Promise<void> {
  const other = (await student()).api;
  const space = (await api.post("/api/spaces/create", { body: { name: "Analysis", visibility: "public" } })).data;
  const path = { space_id: space.space_id };
  await other.post("/api/spaces/join", { body: { invite_code: space.invite_code! } });
  await other.post("/api/spaces/{space_id}/leave", { path });
  const { user_id } = (await other.post("/api/spaces/{space_id}/join", { path })).data;
  check((await api.get("/api/spaces/{space_id}/members", { path })).data.length === 2, "two members");
  check((await other.get("/api/spaces/{space_id}/membership", { path })).data.role === "member", "a member");
  await api.patch("/api/spaces/{space_id}/members/{user_id}", { path: { ...path, user_id }, body: { role: "moderator" } });
  check((await api.get("/api/spaces/{space_id}", { path })).data.member_count === 2, "the count");
  check((await api.get("/api/spaces/mine")).data.length === 1, "one's own");
  await api.get("/api/spaces", { query: { query: "Analysis" } });
  await api.patch("/api/spaces/{space_id}", { path, body: { description: "One\nTwo" } });
  check((await api.post("/api/spaces/{space_id}/invite-code", { path })).data.invite_code !== space.invite_code, "new");
  check((await api.get("/api/spaces/{space_id}/activity", { path })).data.length > 0, "the feed");
  await api.delete("/api/spaces/{space_id}/members/{user_id}", { path: { ...path, user_id }, query: { ban: true } });
  await api.delete("/api/spaces/{space_id}", { path });
}

const study = await student();
const { api } = study;
const profile = (await api.get("/api/users/me")).data;
await api.patch("/api/users/me", { body: { timezone: "Europe/Berlin", daily_goal_minutes: 90 } });
check((await api.get("/api/users/{user_id}", me)).data.username === profile.username, "the profile");
await api.get("/api/users", { query: { query: profile.username } });
await api.get("/api/users/me/audit");
await online(study);
await offline(study);
await people(study);
for (const path of ["/health", "/health/liveness", "/health/readiness"] as const) await api.get(path);
try {
  await api.get("/health/detailed");
  throw new Error("operators' figures are shown to students");
} catch (error) {
  // Who has shown many wrong tokens before is told to wait, as every other walk from this address has.
  const refusals = ["AUTHENTICATION_ERROR", "RATE_LIMIT_EXCEEDED"];
  check(error instanceof ApiError && refusals.includes(error.code), "only operators see them");
}
await study.accounts.signOut();
await (await student()).api.delete("/api/users/me");
console.log(`${called.size} different requests`);
