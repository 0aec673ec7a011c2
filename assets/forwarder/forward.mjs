// Leads from a Unix socket to the gateway's port. KASM's nginx finds the socket in its own directory of configuration, so
// neither side is on a network of the other's (docs/decisions/0023).
// Arguments: directory of the socket, its name, host and port of the gateway.
import { lstatSync, mkdirSync, realpathSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { clearTimeout, setInterval, setTimeout } from "node:timers";

const [directory, name, host, port] = process.argv.slice(1);
const socket = `${directory}/${name}`;

let server;
let inode;
// Where the socket is, without links: KASM's upgrade leads its link "current" elsewhere.
let place;
let problem;

function pass(client) {
  // The name is resolved for each connection: a gateway that was recreated has another address.
  const gateway = connect({
    host,
    port: Number(port),
    family: 4,
    allowHalfOpen: true,
    noDelay: true,
  });
  // A name that Docker can't resolve, because the network is gone, takes the resolver much longer.
  const limit = setTimeout(() => gateway.destroy(), 3000);
  for (const event of ["connect", "close"]) {
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
check();
setInterval(check, 1000);
