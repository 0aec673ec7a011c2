// A stand-in for a model provider's API: Anthropic's POST /v1/messages, streamed or not. It answers every message with
// "stand-in heard: <the user's last text>", so that a test can tell its own answer; to one that has "slowly" in it, the second
// half comes 20 s after the first. Plain Node, nothing to install.
//
//   node providerStandIn.mjs [--host 0.0.0.0] [--port 0]     prints one JSON line with its address, then one per request
//
// Point OpenClaw at it: see providerConfig below.
import http from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

export const MODEL = "stand-in-1";

/** What goes into the gateway's settings.json under "config", for a stand-in that the gateway reaches at `origin`. */
export function providerConfig(origin) {
  return {
    agents: { defaults: { model: { primary: `standin/${MODEL}` } } },
    models: {
      providers: {
        standin: {
          baseUrl: origin,
          api: "anthropic-messages",
          apiKey: "${ANTHROPIC_API_KEY}",
          models: [
            {
              id: MODEL,
              name: "Stand-in",
              input: ["text"],
              contextWindow: 200000,
              maxTokens: 4096,
            },
          ],
        },
      },
    },
  };
}

/** The last thing that a person said; OpenClaw puts context of its own beside it, as further texts of the user. */
function lastText(messages) {
  const texts = messages
    .filter(({ role }) => role === "user")
    .flatMap(({ content }) =>
      typeof content === "string" ? [content] : content.map(({ text }) => text ?? ""),
    );
  return (
    texts
      .filter((text) => text !== "" && !text.startsWith("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT"))
      .at(-1) ?? ""
  );
}

function events(answer) {
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  };
  const halves = [answer.slice(0, answer.length / 2), answer.slice(answer.length / 2)];
  return [
    {
      type: "message_start",
      message: { ...message, usage: { input_tokens: 1, output_tokens: 1 } },
    },
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    ...halves.map((text) => ({
      type: "content_block_delta",
      index: 0,
      delta: { type: "text_delta", text },
    })),
    { type: "content_block_stop", index: 0 },
    {
      type: "message_delta",
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 2 },
    },
    { type: "message_stop" },
  ];
}

/** Starts it; resolves to { port, requests, close }. `requests` grows: { path, key, streamed, text }. */
export function startStandIn({ host = "127.0.0.1", port = 0, log = () => {} } = {}) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = new URL(request.url, "http://stand-in").pathname;
    if (request.method !== "POST" || path !== "/v1/messages") {
      response.writeHead(404, { "content-type": "application/json" });
      response.end(
        JSON.stringify({ type: "error", error: { type: "not_found_error", message: path } }),
      );
      return;
    }
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const text = lastText(body.messages);
    const entry = { path, key: request.headers["x-api-key"], streamed: body.stream === true, text };
    requests.push(entry);
    log(entry);
    const answer = `stand-in heard: ${text.split("\n").at(-1)}`;
    if (body.stream) {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
      for (const [index, event] of events(answer).entries()) {
        if (index === 3 && text.includes("slowly")) await sleep(20_000);
        response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
      }
      response.end();
    } else {
      const { message } = events(answer)[0];
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          ...message,
          content: [{ type: "text", text: answer }],
          stop_reason: "end_turn",
        }),
      );
    }
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      resolve({
        port: server.address().port,
        requests,
        close: () =>
          new Promise((done) => {
            server.close(done);
            server.closeAllConnections();
          }),
      });
    });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const option = (name, fallback) => {
    const index = process.argv.indexOf(name);
    return index < 0 ? fallback : process.argv[index + 1];
  };
  const print = (value) => console.log(JSON.stringify(value));
  const host = option("--host", "0.0.0.0");
  const { port } = await startStandIn({ host, port: Number(option("--port", "0")), log: print });
  print({ listening: `${host}:${port}` });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
}
