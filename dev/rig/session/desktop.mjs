// In place of a desktop's VNC server: says which session it is and what it was asked for.
import { createServer } from "node:http";
import { hostname } from "node:os";

createServer((request, response) => {
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify({ session: hostname(), path: request.url }));
}).listen(6901);

process.on("SIGTERM", () => process.exit());
