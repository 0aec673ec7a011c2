// The server's side of a WebSocket, as far as the light OpenClaw needs it: texts that come in one frame, and a close.
import { createHash } from "node:crypto";

/** Accepts an upgrade, gives each text to `onText`, and returns how to send one and how to close. */
export function acceptWebSocket(request, stream, onText) {
  const accept = createHash("sha1")
    .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest("base64");
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const frame = (code, payload) => {
    const long = payload.length > 125;
    const head = Buffer.alloc(long ? 4 : 2);
    head[0] = 0x80 | code;
    head[1] = long ? 126 : payload.length;
    if (long) head.writeUInt16BE(payload.length, 2);
    stream.write(Buffer.concat([head, payload]));
  };
  const close = (code, reason) => {
    const payload = Buffer.alloc(2);
    payload.writeUInt16BE(code);
    frame(8, Buffer.concat([payload, Buffer.from(reason)]));
    stream.end();
  };
  let rest = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const isLong = rest.length > 1 && (rest[1] & 0x7f) === 126;
      const start = isLong ? 8 : 6;
      if (rest.length < start) return;
      const length = isLong ? rest.readUInt16BE(2) : rest[1] & 0x7f;
      if (rest.length < start + length) return;
      const mask = rest.subarray(start - 4, start);
      const payload = rest.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]);
      const code = rest[0] & 0x0f;
      rest = rest.subarray(start + length);
      if (code === 1) onText(Buffer.from(payload).toString());
      if (code === 8) close(1000, "");
      if (code === 9) frame(10, payload);
    }
  });
  return { send: (text) => frame(1, Buffer.from(text)), close };
}
