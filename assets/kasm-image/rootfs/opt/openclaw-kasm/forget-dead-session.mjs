// Runs once this session has the lock on the user's home: takes away what a session that was killed still holds of OpenClaw's state.
//
// OpenClaw leases its state to a process of a host, and waits five minutes for a lease of somebody it can't look at (seen with
// 2026.9.6: "Another Gateway owner lease is still active"). Under KASM all sessions have the same host name and their processes
// much the same numbers, so neither says whose a lease is; the lock says that no other session lives. A version that keeps its
// leases elsewhere is left to its waiting.
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
