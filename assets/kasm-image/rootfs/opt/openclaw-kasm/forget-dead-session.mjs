// Runs once this session has the lock on the user's home: deletes the leases on OpenClaw's state that a killed session left.
//
// OpenClaw leases its state to a process of a host, and waits five minutes for a lease of a process that it can't check (seen
// with 2026.9.6: "Another Gateway owner lease is still active"). Under KASM all sessions have the same host name and similar
// process ids, so neither identifies a lease's owner; the lock proves that no other session runs. A version of OpenClaw that
// keeps its leases in another table waits those five minutes.
import fs from "node:fs";
import { homedir } from "node:os";
import { DatabaseSync } from "node:sqlite";

const file = `${process.env.OPENCLAW_STATE_DIR || `${homedir()}/.openclaw`}/state/openclaw.sqlite`;
try {
  if (fs.existsSync(file)) {
    const { changes } = new DatabaseSync(file).prepare("DELETE FROM state_leases").run();
    if (changes > 0)
      console.log("openclaw: the last session was killed; what it held is free again");
  }
} catch (error) {
  console.log(`openclaw: leases of the last session: ${error.message}`);
}
