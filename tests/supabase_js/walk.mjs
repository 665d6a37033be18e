// What an app does with supabase-js against a project, in Node and in a browser alike.

function must({ data, error }) {
  if (error) throw new Error(`${error.code ?? ""} ${error.message}`);
  return data;
}

function refused({ error }, ...codes) {
  if (!error) throw new Error(`not refused with ${codes}`);
  const told = String(error.code ?? error.status ?? error.message);
  if (!codes.includes(told)) throw new Error(`refused with ${told}, not ${codes}`);
}

function equal(found, expected) {
  if (found !== expected) throw new Error(`${found} is not ${expected}`);
}

/** @param given url, publishableKey, email, password, newPassword, and `token`, which reads the newest mail's token. */
export async function walk(createClient, given) {
  const supabase = createClient(given.url, given.publishableKey);
  const { email, password, newPassword } = given;

  refused(await supabase.auth.signUp({ email: `new_${email}`, password }), "signup_disabled");
  refused(await supabase.auth.signInWithPassword({ email, password: "wrong horse 1" }), "invalid_credentials");
  const { session } = must(await supabase.auth.signInWithPassword({ email, password }));

  const { user } = must(await supabase.auth.getUser());
  equal(user.email, email);
  equal(user.identities.length, 1);
  equal(user.identities[0].provider, "email");

  const renewed = must(await supabase.auth.refreshSession()).session;
  equal(renewed.refresh_token === session.refresh_token, false);
  equal(must(await supabase.auth.updateUser({ data: { color: "blue" } })).user.user_metadata.color, "blue");
  refused(await supabase.auth.updateUser({ password: "short" }), "weak_password");
  // Tables answer to the secret key alone.
  refused(await supabase.from("profiles").select("*"), "42501");

  must(await supabase.auth.resetPasswordForEmail(email));
  const token_hash = await given.token(email);
  must(await supabase.auth.verifyOtp({ token_hash, type: "recovery" }));
  must(await supabase.auth.updateUser({ password: newPassword }));
  refused(await supabase.auth.verifyOtp({ token_hash, type: "recovery" }), "otp_expired");

  must(await supabase.auth.signOut());
  equal((await supabase.auth.getUser()).data.user, null);
  refused(await supabase.auth.signInWithPassword({ email, password }), "invalid_credentials");
  must(await supabase.auth.signInWithPassword({ email, password: newPassword }));
  must(await supabase.auth.signOut());
}

/** What a server does with the secret key. */
export async function administer(createClient, given) {
  const supabase = createClient(given.url, given.secretKey, { auth: { persistSession: false } });
  const { users, total } = must(await supabase.auth.admin.listUsers({ page: 1, perPage: 1000 }));
  equal(users.some((each) => each.email === given.email), true);
  equal(total >= users.length, true);
  const rows = must(await supabase.from("profiles").select("user_id"));
  equal(rows.length > 0, true);
}

/** A page that has found a secret key is refused. */
export async function misuse(createClient, given) {
  const supabase = createClient(given.url, given.secretKey, { auth: { persistSession: false } });
  const { error } = await supabase.auth.admin.listUsers();
  equal(error.status, 401);
}
