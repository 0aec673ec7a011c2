// message-page.mjs FILE TITLE TEXT [LOG]: writes a page to FILE that tells the user something, with the end of LOG below it.
import fs from "node:fs";
import { stripVTControlCharacters } from "node:util";

const [file, title, text, log] = process.argv.slice(2);
const escape = (raw) =>
  raw.replace(/[&<>]/g, (character) => `&#${character.charCodeAt(0).toString()};`);

function logEnd() {
  if (log === undefined) return "";
  const lines = stripVTControlCharacters(fs.readFileSync(log, "utf8"));
  return lines.trimEnd().split("\n").slice(-30).join("\n");
}

fs.writeFileSync(
  file,
  `<!doctype html><meta charset="utf-8"><title>${escape(title)}</title>
<style>
  body { margin: 12vh auto; max-width: 46rem; padding: 0 2rem; font: 1.05rem/1.6 sans-serif; color: #2b2622; background: #f7f3ee }
  h1 { font-size: 1.6rem; color: #b8432f }
  p { white-space: pre-line }
  pre { padding: 1rem; overflow: auto; max-height: 40vh; white-space: pre-wrap; font-size: .8rem; background: #eae3da }
  pre:empty { display: none }
</style>
<h1>${escape(title)}</h1><p>${escape(text)}</p><pre>${escape(logEnd())}</pre>`,
  { mode: 0o600 },
);
