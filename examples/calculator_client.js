// Calls the calculator with nothing but Node's own net module.
//
//     node calculator_client.js localhost 8032
//
// A message is one JSON object (JSON-RPC 2.0), and goes into a frame as in client.js:
// after its length, 4 bytes, big-endian. A call has an id, and its answer has the same
// one. What has a method but no id is said unasked: here, the items of a subscription.

"use strict";

const net = require("node:net");

const LONGEST = 1 << 20;

// What the server answers when it refuses a call.
class RpcError extends Error {
  constructor({ code, message, data }) {
    super(`${message} (${code})`);
    this.code = code;
    this.data = data;
  }
}

// One connection. Any number of calls may be under way on it.
class Client {
  constructor(socket) {
    this.socket = socket;
    this.kept = Buffer.alloc(0); // of a message that is not complete yet
    this.lastId = 0;
    this.calls = new Map(); // by their ids
    this.subscriptions = new Map(); // by the numbers that the server gave them
    socket.on("data", (data) => this.feed(data));
  }

  // Calls a method. Arguments are in an array, by position, or in an object, by name.
  call(method, params) {
    return new Promise((resolve, reject) => this.request(method, params, resolve, reject));
  }

  // Gives each item of a subscription to onItem; the promise is for its end.
  subscribe(method, params, onItem) {
    return new Promise((resolve, reject) => {
      // The first items may come right behind the answer, so all is ready when it is here.
      const opened = (number) => this.subscriptions.set(number, { onItem, resolve, reject });
      this.request(method, params, opened, reject);
    });
  }

  request(method, params, resolve, reject) {
    const id = (this.lastId += 1);
    this.calls.set(id, { resolve, reject });
    this.send({ jsonrpc: "2.0", id, method, params });
  }

  send(message) {
    const payload = Buffer.from(JSON.stringify(message), "utf8");
    const header = Buffer.alloc(4);
    header.writeUInt32BE(payload.length, 0); // of bytes, not of characters
    this.socket.write(Buffer.concat([header, payload]));
  }

  // Takes bytes as they come: a part of a message, one, or several.
  feed(data) {
    try {
      this.kept = Buffer.concat([this.kept, data]);
      while (this.kept.length >= 4) {
        const length = this.kept.readUInt32BE(0);
        if (length > LONGEST) {
          throw new Error(`the server announces ${length} bytes: is its framing another?`);
        }
        if (this.kept.length < 4 + length) break;
        const message = this.kept.subarray(4, 4 + length);
        this.kept = this.kept.subarray(4 + length);
        this.receive(JSON.parse(message.toString("utf8")));
      }
    } catch (error) {
      this.socket.destroy(error);
    }
  }

  receive({ id, method, params, result, error }) {
    if (method === undefined) {
      const call = this.calls.get(id);
      if (!call) throw new Error(`no call waits for this: ${JSON.stringify(error ?? result)}`);
      this.calls.delete(id);
      if (error) call.reject(new RpcError(error));
      else call.resolve(result);
    } else if (method === "$/item") {
      this.subscriptions.get(params.subscription).onItem(params.value);
    } else if (method === "$/end") {
      const subscription = this.subscriptions.get(params.subscription);
      this.subscriptions.delete(params.subscription);
      if (params.error) subscription.reject(new RpcError(params.error));
      else subscription.resolve();
    } else if (id !== undefined) {
      // The server may call us, too; we have no methods.
      const refusal = { code: -32601, message: "Method not found" };
      this.send({ jsonrpc: "2.0", id, error: refusal });
    }
  }
}

function fail(error) {
  console.error(`calculator_client.js: ${error.message}`);
  process.exit(1);
}

async function main(client) {
  console.log(await client.call("add", { a: 1, b: 2 }));

  // All five are sent at once; the answers come in whatever order they are ready.
  const sums = [0, 1, 2, 3, 4].map((number) => client.call("add", [number, number]));
  console.log(JSON.stringify(await Promise.all(sums)));

  try {
    await client.call("divide", [1, 0]);
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    console.log(error.message);
  }

  await client.subscribe("countdown", [3], (number) => console.log(number));
  client.socket.end();
}

const [host, port] = process.argv.slice(2);
if (port === undefined) {
  fail(new Error("usage: node calculator_client.js HOST PORT"));
}
let done = false;
const socket = net.connect(Number(port), host, () => {
  main(new Client(socket)).then(() => (done = true), fail);
});
socket.setTimeout(5000, () => fail(new Error("no answer within 5 s")));
socket.on("error", fail);
socket.on("close", () => {
  if (!done) fail(new Error("the server has closed the connection"));
});
