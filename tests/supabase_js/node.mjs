// Runs the walk in Node; what is given comes as JSON.
import { createClient } from "@supabase/supabase-js";
import { administer, walk } from "./walk.mjs";

const given = JSON.parse(process.argv[2]);
given.token = async (address) => (await fetch(`${given.site}/token?to=${encodeURIComponent(address)}`)).text();
await walk(createClient, given);
await administer(createClient, given);
