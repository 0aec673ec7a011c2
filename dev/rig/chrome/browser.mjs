// What custom_startup.sh of KASM's Chrome image does, with no screen: opens the page and starts the browser again when
// it is closed. Port 9222 is the browser's DevTools, which by itself listens on the loopback only.
import "./desktop.mjs";
import { spawn } from "node:child_process";
import { connect, createServer } from "node:net";
import { setTimeout } from "node:timers";

const loopbackPort = 9221;

function start() {
  const url = process.env.KASM_URL || process.env.LAUNCH_URL || "about:blank";
  spawn(
    "chromium",
    [
      "--headless=new",
      `--remote-debugging-port=${loopbackPort}`,
      // The container has no user namespaces of its own, and 64 MB of shared memory.
      ...["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...["--no-first-run", "--user-data-dir=/tmp/chrome", "--window-size=1280,800"],
      url,
    ],
    { stdio: "inherit" },
  ).on("exit", () => setTimeout(start, 1000));
}

createServer((socket) => {
  const devTools = connect(loopbackPort, "127.0.0.1");
  for (const end of [socket, devTools]) {
    end.on("error", () => {
      socket.destroy();
      devTools.destroy();
    });
  }
  socket.pipe(devTools).pipe(socket);
}).listen(9222);

start();
