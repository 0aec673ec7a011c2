// The image contract as far as assets/host/ready.sh asks for it: health, login, page, WebSocket.
import { createServer } from "node:http";

const { AUTH_USERNAME, AUTH_PASSWORD } = process.env;
const login = `Basic ${Buffer.from(`${AUTH_USERNAME}:${AUTH_PASSWORD}`).toString("base64")}`;

const server = createServer((request, response) => {
  if (request.url === "/healthz") {
    response.end('{"ok":true}');
  } else if (request.headers.authorization === login) {
    response.end("<openclaw-app></openclaw-app>");
  } else {
    response.writeHead(401).end();
  }
});
server.on("upgrade", (_request, socket) => {
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  socket.on("error", () => socket.destroy());
});
server.listen(8080);
process.on("SIGTERM", () => process.exit(0));
