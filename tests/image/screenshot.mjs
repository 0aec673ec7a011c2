// Prints a picture (PNG) of the X display of the machine that it runs on, as a person before it sees it. Plain Node, nothing to
// install: it is fed to a session by "docker exec -i SESSION node --input-type=module -".
import { connect } from "node:net";
import { crc32, deflateSync } from "node:zlib";

const display = /:(\d+)/.exec(process.env.DISPLAY ?? "")?.[1] ?? "0";
const socket = connect(`/tmp/.X11-unix/X${display}`);

let received = Buffer.alloc(0);
let wake = () => {};
socket.on("data", (chunk) => {
  received = Buffer.concat([received, chunk]);
  wake();
});

async function read(length) {
  while (received.length < length) await new Promise((resolve) => (wake = resolve));
  const bytes = received.subarray(0, length);
  received = received.subarray(length);
  return bytes;
}

/** Connects without authorisation, little endian (X Window System Protocol, "Connection Setup"). */
async function firstScreen() {
  socket.write(Buffer.from([0x6c, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  const head = await read(8);
  const body = await read(head.readUInt16LE(6) * 4);
  if (head[0] !== 1)
    throw new Error(`the X server refuses: ${body.toString("latin1", 0, head[1])}`);
  const vendorLength = body.readUInt16LE(16);
  const screen = 32 + Math.ceil(vendorLength / 4) * 4 + body[21] * 8;
  return {
    root: body.readUInt32LE(screen),
    width: body.readUInt16LE(screen + 20),
    height: body.readUInt16LE(screen + 22),
  };
}

/** GetImage of the whole root window, with what is on it: four bytes a pixel, blue first. */
async function pixels({ root, width, height }) {
  const request = Buffer.alloc(20);
  request.writeUInt8(73, 0);
  request.writeUInt8(2, 1);
  request.writeUInt16LE(5, 2);
  request.writeUInt32LE(root, 4);
  request.writeUInt16LE(width, 12);
  request.writeUInt16LE(height, 14);
  request.writeUInt32LE(0xffffffff, 16);
  socket.write(request);
  const head = await read(32);
  if (head[0] !== 1) throw new Error(`GetImage: X error ${head[1]}`);
  return read(head.readUInt32LE(4) * 4);
}

function png({ width, height }, bgrx) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0, to = 0, from = 0; y < height; y++) {
    to++;
    for (let x = 0; x < width; x++, from += 4, to += 3) {
      rows[to] = bgrx[from + 2];
      rows[to + 1] = bgrx[from + 1];
      rows[to + 2] = bgrx[from];
    }
  }
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const screen = await firstScreen();
process.stdout.write(png(screen, await pixels(screen)), () => process.exit());
