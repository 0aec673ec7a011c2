// node server.mjs: KASM's API with its tables in memory, for tests. Says {"port": N} on standard output when it is ready.
//   PORT                     port on 127.0.0.1; any free one without it
//   TLS_KEY, TLS_CERTIFICATE PEM files
//   API_KEY, API_SECRET      a key with every permission
//   OPTIONS                  JSON with options of handler.mjs
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { addKey } from "./api.mjs";
import { createHandler } from "./handler.mjs";
import { memoryStorage, seed } from "./memoryStorage.mjs";

const { PORT = "0", TLS_KEY, TLS_CERTIFICATE, API_KEY, API_SECRET, OPTIONS = "{}" } = process.env;
const permissions = [300, 400, 401, 441, 700, 701, 702, 703, 900, 901, 902, 903, 904];

const storage = memoryStorage();
await seed(storage);
await addKey(storage, { name: "test", apiKey: API_KEY, apiSecret: API_SECRET, permissions });

const handle = createHandler({ storage, options: JSON.parse(OPTIONS), control: true });
const server = createServer(
  { key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERTIFICATE) },
  (request, response) => {
    if (!handle(request, response)) {
      // Whatever is no call of the API is KASM's page.
      response.writeHead(200, { "Content-Type": "text/html" });
      response.end("<!doctype html><title>Kasm Workspaces</title>");
    }
  },
);
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
