// Serves api.mjs over HTTP: /api/public/CALL and /api/admin/CALL, both POST. With `control`, a test can look behind it
// and disturb it, all of it POST with JSON:
//   /api/stand-in/faults   [{call, kind, containing?, times?, status?, body?, ms?}]   what happens to the next calls of
//                          that name, or to those of them with a given text in the body. It waits for calls that are
//                          still running, so that no earlier call turns up afterwards
//   /api/stand-in/options  the options of api.mjs and {images, availableAfterMs, looksEveryMs} of the agent
//   /api/stand-in/find     {table, where?}                -> rows
//   /api/stand-in/insert   {table, row}                   -> row
//   /api/stand-in/update   {table, where, changes}        what an admin does by hand
//   /api/stand-in/remove   {table, where}
//   /api/stand-in/key      {name, apiKey, apiSecret, permissions, readOnly?}
//   /api/stand-in/log      {}                             -> calls since the last request for the log, without key and secret
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { addKey, createApi } from "./api.mjs";
import { createAgent } from "./agent.mjs";

/**
 * @param storage where KASM's tables are
 * @param options of api.mjs, and of the agent: without `images` there is none, because something else plays its part
 * @param control whether the paths for tests are served
 * @returns a function of request and response that returns whether it handled the request
 */
export function createHandler({ storage, options = {}, control = false }) {
  const api = createApi({ storage, options });
  const agent = createAgent({ storage, ...options });
  let faults = [];
  let log = [];
  const atWork = new Set();

  const controls = {
    faults: async (list) => {
      await Promise.allSettled(atWork);
      faults = list.map((fault) => ({ times: 1, ...fault }));
    },
    options: (changes) => {
      api.set(changes);
      agent.set(changes);
    },
    find: ({ table, where }) => storage.find(table, where),
    insert: ({ table, row }) => storage.insert(table, row),
    update: ({ table, where, changes }) => storage.update(table, where, changes),
    remove: ({ table, where }) => storage.remove(table, where),
    key: (key) => addKey(storage, key),
    log: () => {
      const seen = log;
      log = [];
      return seen;
    },
  };

  async function answerCall(call, body, response) {
    const { api_key, api_key_secret, ...rest } = body;
    log.push({ call, body: rest, hasKey: Boolean(api_key && api_key_secret) });
    const fault = faults.find(
      (each) =>
        (each.call === call || each.call === "*") &&
        each.times > 0 &&
        JSON.stringify(rest).includes(each.containing ?? ""),
    );
    if (fault) {
      fault.times -= 1;
    }
    if (fault?.kind === "drop") {
      response.destroy();
      return;
    }
    if (fault?.kind === "silence") {
      // Never answered: the client has to time out.
      await once(response, "close");
      return;
    }
    if (fault?.kind === "slow") {
      await sleep(fault.ms);
    }
    if (fault?.kind === "answer") {
      send(response, fault.status ?? 200, fault.body);
      return;
    }
    await agent.look();
    const result = await api.call(call, body);
    if (fault?.kind === "cut") {
      // The call took effect, but the client gets no answer.
      response.destroy();
      return;
    }
    send(response, result.status, result.body);
  }

  return (request, response) => {
    const [, kind, name] = /^\/api\/(public|admin|stand-in)\/(\w+)$/.exec(request.url) ?? [];
    if (kind === undefined || (kind === "stand-in" && !control)) {
      return false;
    }
    respond(kind, name, request, response).catch((error) => {
      console.error(error);
      send(response, 500, "<html><body><H1>Internal Error</H1></body></html>");
    });
    return true;
  };

  async function respond(kind, name, request, response) {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    if (kind === "stand-in") {
      const handle = controls[name];
      send(response, handle ? 200 : 404, (await handle?.(body)) ?? {});
      return;
    }
    const work = answerCall(name, body, response);
    atWork.add(work);
    await work.finally(() => atWork.delete(work));
  }
}

function send(response, status, body) {
  const isPage = typeof body === "string";
  response.writeHead(status, { "Content-Type": isPage ? "text/html" : "application/json" });
  response.end(isPage ? body : JSON.stringify(body));
}
