// Proves that OpenClaw's own databases below the current folder are sound; what lies in a workspace is its owner's matter.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

const copies = fs.mkdtempSync(path.join(os.tmpdir(), "databases-"));

function isDatabase(file) {
  const start = Buffer.alloc(16);
  const handle = fs.openSync(file);
  fs.readSync(handle, start);
  fs.closeSync(handle);
  return start.toString("latin1") === "SQLite format 3\0";
}

/** What SQLite says of a database; of a copy, because opening one changes its files. */
function judge(file) {
  const copy = path.join(fs.mkdtempSync(path.join(copies, "copy-")), "database");
  for (const part of ["", "-wal"]) {
    if (fs.existsSync(file + part)) fs.copyFileSync(file + part, copy + part);
  }
  try {
    const rows = new DatabaseSync(copy).prepare("PRAGMA integrity_check").all();
    return rows.map((row) => row.integrity_check).join("; ");
  } catch (error) {
    return error.message;
  } finally {
    fs.rmSync(path.dirname(copy), { recursive: true });
  }
}

const entries = fs.existsSync(".openclaw")
  ? fs.readdirSync(".openclaw", { recursive: true, withFileTypes: true })
  : [];
for (const entry of entries.filter((each) => each.isFile())) {
  const file = path.join(entry.parentPath, entry.name);
  const verdict = isDatabase(file) ? judge(file) : "ok";
  if (verdict !== "ok") {
    console.error(`the database ${JSON.stringify(file)} is damaged: ${verdict.slice(0, 200)}`);
    process.exitCode = 1;
  }
}
