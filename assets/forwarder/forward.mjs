// Leads from a Unix socket to the gateway's port. KASM's nginx finds the socket in its own directory of configuration, so
// neither side is on a network of the other's (docs/decisions/0023). Between two hosts it runs twice, with TLS in between:
// beside KASM's nginx as the client, beside the gateway as the door, which takes no other client (docs/decisions/0031).
// Arguments: directory of the socket and its name, or "door" and the port to listen at; host and port that it leads to;
// between two hosts a JSON file with ca, cert and key in PEM, and for the client servername, the name of the door.
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { clearTimeout, setInterval, setTimeout } from "node:timers";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";

const [directory, name, host, port, credentials] = process.argv.slice(1);
const socket = `${directory}/${name}`;
const isDoor = directory === "door";
const certificates = credentials && {
  ...JSON.parse(readFileSync(credentials, "utf8")),
  minVersion: "TLSv1.3",
};
const isClient = certificates !== undefined && !isDoor;

let server;
let inode;
// Where the socket is, without links: KASM's upgrade leads its link "current" elsewhere.
let place;
let problem;

function pass(client) {
  // The name is resolved for each connection: a gateway that was recreated has another address.
  const place = { host, port: Number(port), family: 4, allowHalfOpen: true, noDelay: true };
  const gateway = isClient ? connectTls({ ...place, ...certificates }) : connect(place);
  // A name that Docker can't resolve, because the network is gone, takes the resolver much longer.
  const limit = setTimeout(() => gateway.destroy(), 3000);
  if (isClient) {
    gateway.on("error", report);
  }
  for (const event of [isClient ? "secureConnect" : "connect", "close"]) {
    gateway.on(event, () => clearTimeout(limit));
  }
  for (const [from, to] of [
    [client, gateway],
    [gateway, client],
  ]) {
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    from.pipe(to);
  }
}

function inodeOf(path) {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}

function removeSocket() {
  try {
    if (inodeOf(`${place}/${name}`) === inode) {
      rmSync(`${place}/${name}`);
    }
    rmdirSync(place);
  } catch {
    // Another stack's socket is there too, or the directory is not this account's.
  }
}

/** Puts a socket to its place unless this process's own is there. */
function serve() {
  if (inode !== undefined && inodeOf(socket) === inode) {
    return;
  }
  if (inodeOf(directory) === undefined) {
    mkdirSync(directory, 0o755);
  }
  const found = realpathSync(directory);
  if (place !== undefined && place !== found) {
    removeSocket();
  }
  // A relative name, because the kernel takes no long path for a socket.
  process.chdir(found);
  server?.close();
  rmSync(`./${name}.new`, { force: true });
  server = createServer({ allowHalfOpen: true }, pass).on("error", report);
  server.listen({ path: `./${name}.new`, readableAll: true, writableAll: true });
  inode = inodeOf(`./${name}.new`);
  renameSync(`./${name}.new`, `./${name}`);
  place = found;
  console.log(`Serving ${place}/${name}`);
}

/** Takes connections of clients that show a certificate of the same authority; others get no further than that. */
function openDoor() {
  const demands = { requestCert: true, rejectUnauthorized: true, handshakeTimeout: 5000 };
  createTlsServer({ ...certificates, ...demands, allowHalfOpen: true, noDelay: true }, pass)
    .on("tlsClientError", (error) => report(error))
    .listen({ host: "0.0.0.0", port: Number(name) }, () => console.log(`Serving port ${name}`));
}

/** Says what is wrong once, not each second. */
function report(error) {
  if (error.message !== problem) {
    problem = error.message;
    console.error(problem);
  }
}

function check() {
  try {
    serve();
    problem = undefined;
  } catch (error) {
    report(error);
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    removeSocket();
    process.exit(0);
  });
}
if (isDoor) {
  openDoor();
} else {
  check();
  setInterval(check, 1000);
}
