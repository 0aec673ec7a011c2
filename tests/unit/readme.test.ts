import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const readme = readFileSync("README.md", "utf8");
const sources = ["assets/host", "commands", "components", "settings"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? readFileSync(join(entry.parentPath, entry.name), "utf8") : [],
  ),
);

/** The engine's own words, which are in no file of this project. */
const others = ["the stack is currently locked"];

/** The messages that a table has in the column of that name; `…` stands for what is different each time. */
const messages = readme
  .split("\n## When something goes wrong\n")[1]
  ?.split("\n## ")[0]
  ?.match(/^\| `.*?` \|/gm)
  ?.map((cell) => cell.slice(3, -3));

test("there are messages to look for", () => {
  expect(messages?.length).toBeGreaterThan(10);
});

test.each((messages ?? []).filter((message) => !others.includes(message)))(
  "what to do about %j: this is really said",
  (message) => {
    // Some are put together of parts, at a comma.
    const parts = message.split(/…|,/).map((part) => part.trim());
    const sayers = sources.filter((source) => parts.every((part) => source.includes(part)));

    expect(sayers).not.toEqual([]);
  },
);
