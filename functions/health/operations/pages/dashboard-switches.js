// Switches: what operators change without a deployment. Asked for once, and after each change.
let switches = null;

async function askSwitches() {
  if (switches) return;
  try {
    switches = await ask("switches");
    fillSwitches();
  } catch (error) {
    if (error instanceof Refused) throw error;
    $("switches-state").textContent = error.message;
  }
}

function fillSwitches() {
  const form = $("switches"), set = (name) => switches.changed.includes(name);
  form.hidden = !switches.available;
  form.read_only.checked = switches.read_only;
  form.suspicion_mode.value = set("suspicion_mode") ? switches.suspicion_mode : "";
  for (const name of ["rate_limit_per_minute", "rate_limit_per_hour"]) {
    form[name].value = set(name) ? switches[name] : "";
    form[name].placeholder = set(name) ? "as deployed" : `deployed: ${number(switches[name])}`;
  }
  form.closed_routes.value = switches.closed_routes.join("\n");
  form.reason.value = "";
  const changed = switches.changed.map((name) => name.replaceAll("_", " ")).join(", ");
  $("switches-state").className = switches.read_only || switches.closed_routes.length ? "warn" : "quiet";
  $("switches-state").textContent = switches.available
    ? changed ? `Set by operators: ${changed}.` : "Everything is as deployed."
    : "AWS AppConfig is not available here; a deployed stack has switches.";
}

/** What the form says; null goes back to the deployed value. */
function switchesChange(form) {
  return {
    reason: form.reason.value,
    read_only: form.read_only.checked,
    suspicion_mode: form.suspicion_mode.value || null,
    rate_limit_per_minute: Number(form.rate_limit_per_minute.value) || null,
    rate_limit_per_hour: Number(form.rate_limit_per_hour.value) || null,
    closed_routes: form.closed_routes.value.split("\n").map((line) => line.trim()).filter(Boolean),
  };
}

async function applySwitches(event) {
  event.preventDefault();
  const done = await order("switches", "Apply these switches to every environment?", switchesChange(event.target));
  if (!done) return;
  switches = null;
  await askSwitches();
}
