// Plays KASM's web filter in a session: a proxy that re-signs TLS. Whatever host is asked for, UPSTREAM (host:port, plain HTTP)
// answers. Prints a line for each request that it gets.
//
//   node webFilter.mjs CERTIFICATE KEY UPSTREAM
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";

const [, , certificate, key, upstream] = process.argv;
const [hostname, port] = upstream.split(":");

function forward(request, response) {
  const options = { hostname, port, path: request.url, method: request.method };
  const onward = http.request({ ...options, headers: request.headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  request.pipe(onward);
}

const resigned = https.createServer(
  { cert: readFileSync(certificate), key: readFileSync(key) },
  forward,
);
http
  .createServer((request, response) => {
    console.log(request.method, request.url);
    response.writeHead(403).end("refused by the web filter");
  })
  .on("connect", (request, socket) => {
    console.log(request.method, request.url);
    socket.on("error", () => socket.destroy());
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    resigned.emit("connection", socket);
  })
  .listen(3128, "127.0.0.1");
