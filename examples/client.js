// A client in JavaScript, with nothing but Node's own net module.
//
//     node client.js localhost 8032 hello world
//
// On the wire each message comes after its length: 4 bytes, big-endian.

"use strict";

const net = require("node:net");

const LONGEST = 1 << 20;

// Cuts messages out of a stream. A "data" event carries whatever has arrived: a
// part of a message, one, or several. What is not complete yet is kept.
class MessageReader {
  constructor() {
    this.kept = Buffer.alloc(0);
  }

  // Takes the next bytes; returns the messages that are complete now.
  feed(data) {
    this.kept = Buffer.concat([this.kept, data]);
    const messages = [];
    while (this.kept.length >= 4) {
      const length = this.kept.readUInt32BE(0);
      if (length > LONGEST) {
        throw new Error(`the server announces ${length} bytes: is its framing another?`);
      }
      if (this.kept.length < 4 + length) break;
      messages.push(this.kept.subarray(4, 4 + length));
      this.kept = this.kept.subarray(4 + length);
    }
    return messages;
  }
}

// The length counts bytes: "Grüße" has 5 characters and 7 bytes.
function frame(text) {
  const payload = Buffer.from(text, "utf8");
  const header = Buffer.alloc(4);
  header.writeUInt32BE(payload.length, 0);
  return Buffer.concat([header, payload]);
}

function fail(error) {
  console.error(`client.js: ${error.message}`);
  process.exit(1);
}

const [host, port, ...texts] = process.argv.slice(2);
if (texts.length === 0) {
  fail(new Error("usage: node client.js HOST PORT MESSAGE..."));
}
const reader = new MessageReader();
let missing = texts.length;

const socket = net.connect(Number(port), host, () => {
  socket.write(Buffer.concat(texts.map(frame)));
});
socket.setTimeout(5000, () => fail(new Error("no answer within 5 s")));
socket.on("error", fail);
socket.on("data", (data) => {
  try {
    for (const message of reader.feed(data)) {
      console.log(message.toString("utf8"));
      missing -= 1;
    }
  } catch (error) {
    fail(error);
  }
  if (missing === 0) socket.end();
});
socket.on("close", () => {
  if (missing > 0) fail(new Error(`the server closed; ${missing} answers are missing`));
});
