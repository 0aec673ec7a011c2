// Prints the provider keys that a session was given by file, as NAME=VALUE, each ended by a zero byte. The gateway has those of
// the environment anyway; of two with the same name, the one that is nearer to the user counts, which comes last.
import fs from "node:fs";

const SOURCES = [
  process.env.OPENCLAW_PROVIDER_KEYS_FILE || "/etc/openclaw-kasm/provider-keys.json",
  // What the user filled in before the start: the destination that KASM's own images and examples use.
  "/tmp/launch_selections.json",
];

/** As OpenClaw's own names end; no other variable can be set from here. */
const KEY_NAME = /^[A-Z][A-Z0-9_]*_(API_KEY|TOKEN)$/;

for (const file of SOURCES) {
  let entries;
  try {
    entries = Object.entries(JSON.parse(fs.readFileSync(file, "utf8")));
  } catch (error) {
    // The message of a syntax error quotes the file.
    if (error.code !== "ENOENT")
      console.error(`${file} can't be used (${error.code ?? "not JSON"})`);
    continue;
  }
  for (const [field, value] of entries) {
    // A form's fields are named in small letters.
    const name = field.toUpperCase();
    const isKey = KEY_NAME.test(name) && !name.startsWith("OPENCLAW_");
    if (isKey && typeof value === "string" && /^[\x21-\x7e]+$/.test(value))
      process.stdout.write(`${name}=${value}\0`);
  }
}
