// Calls the api of test_interop with vscode-jsonrpc; prints what came of it, as JSON.

"use strict";

const net = require("node:net");
const rpc = require("vscode-jsonrpc/node");

// The error that a call ends with.
const failing = (call) =>
  call.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );

async function main(socket) {
  const connection = rpc.createMessageConnection(
    new rpc.SocketMessageReader(socket),
    new rpc.SocketMessageWriter(socket),
  );
  const request = (...words) => connection.sendRequest(...words);
  const items = [];
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  connection.onError(([error]) => fail(error));
  connection.onUnhandledNotification((message) => fail(new Error(message.method)));
  connection.onNotification("$/item", (params) => items.push(params.value));
  connection.onNotification("$/end", end);
  connection.onRequest("double", (number) => 2 * number);
  connection.listen();

  const seen = {
    "by position": await request("add", 1, 2),
    "by name": await request("add", { a: 1, b: 2 }),
    text: await request("echo", "Grüße 😀"),
  };
  const refused = await failing(request("refuse"));
  seen.refused = [refused.code, refused.message, refused.data];
  seen.unknown = (await failing(request("nothing"))).code;
  const invalid = await failing(request("add", 1, "x"));
  seen.invalid = [invalid.code, invalid.data.argument];

  const order = [];
  const waiting = request("wait", "one").then((name) => order.push(name));
  await request("add", 1, 2);
  order.push("add");
  await request("release", "one");
  await waiting;
  seen.overtaken = order;

  const source = new rpc.CancellationTokenSource();
  const cancelled = failing(request("wait", "two", source.token));
  await request("add", 1, 2); // by now it waits
  source.cancel();
  seen.cancelled = (await cancelled).code;
  seen["still waiting"] = await request("waiting");

  const progress = [];
  const type = new rpc.ProgressType();
  connection.onProgress(type, "t", (value) => progress.push(["t", value]));
  await request("index", { count: 2, workDoneToken: "t" });
  seen.progress = progress;
  await request("countdown", 3);
  await ended;
  seen.items = items;
  seen.asked = await request("ask", 21);
  await connection.sendNotification("tell", "hello");
  seen.told = await request("told");
  console.log(JSON.stringify(seen));
  socket.end();
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

const socket = net.connect(Number(process.argv[2]), "127.0.0.1", () => main(socket).catch(fail));
socket.on("error", fail);
