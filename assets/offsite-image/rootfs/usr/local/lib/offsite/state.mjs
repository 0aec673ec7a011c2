// What is known of the backups, in a file that `npm run status` reads as it is: one `offsiteNAME=value` a line.
import fs from "node:fs";

const file = "/var/lib/offsite/state";
const names = ["since", "attempt", "good", "problem", "wait"];
const key = (name) => `offsite${name[0].toUpperCase()}${name.slice(1)}`;

/** The state; nothing but the present time as `since` before the first start. */
export function readState() {
  const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  const lines = new Map(
    text.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]),
  );
  const state = Object.fromEntries(names.map((name) => [name, lines.get(key(name))]));
  return { ...state, since: state.since ?? new Date().toISOString() };
}

/** Keeps the state; what is undefined is left out. */
export function writeState(state) {
  const lines = names.filter((name) => state[name] !== undefined);
  const text = lines.map((name) => `${key(name)}=${String(state[name]).replaceAll("\n", " ")}\n`);
  fs.writeFileSync(`${file}.new`, text.join(""));
  fs.renameSync(`${file}.new`, file);
}
