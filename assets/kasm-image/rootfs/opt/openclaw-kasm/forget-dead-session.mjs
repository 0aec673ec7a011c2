// Runs once this session has the lock on the user's home: takes away what a session that was killed still holds of OpenClaw's state.
//
// OpenClaw leases its state to a process of a host, and under another host name it waits five minutes for a lease of somebody
// it can't look at (seen with 2026.9.6: "Another Gateway owner lease is still active"). Each session's container has a name of its
// own, and the lock says that no other one lives. A version that keeps its leases elsewhere is left to its waiting.
import fs from "node:fs";
import { homedir, hostname } from "node:os";
import { DatabaseSync } from "node:sqlite";

const file = `${process.env.OPENCLAW_STATE_DIR || `${homedir()}/.openclaw`}/state/openclaw.sqlite`;
try {
  if (fs.existsSync(file)) {
    const { changes } = new DatabaseSync(file)
      .prepare("DELETE FROM state_leases WHERE json_extract(payload_json, '$.owner.host') <> ?")
      .run(hostname());
    if (changes > 0)
      console.log("openclaw: the last session was killed; what it held is free again");
  }
} catch (error) {
  console.log(`openclaw: leases of the last session: ${error.message}`);
}
