// Calls the api of test_interop with jayson; prints what came of it, as JSON.

"use strict";

const jayson = require("jayson/promise");

async function main(port) {
  const client = jayson.Client.tcp({ port, host: "127.0.0.1" });
  const seen = {
    "by position": (await client.request("add", [1, 2])).result,
    "by name": (await client.request("add", { a: 1, b: 2 })).result,
    text: (await client.request("echo", ["Grüße 😀"])).result,
    unknown: (await client.request("nothing", [])).error.code,
  };
  const refused = (await client.request("refuse", [])).error;
  seen.refused = [refused.code, refused.message, refused.data];
  const answers = await client.request([
    client.request("add", [1, 2], undefined, false),
    client.request("tell", ["hello"], null, false),
    client.request("nothing", [], undefined, false),
  ]);
  seen.batch = answers.map((each) => (each.error ? each.error.code : each.result));
  seen.told = (await client.request("told", [])).result;
  console.log(JSON.stringify(seen));
}

main(Number(process.argv[2])).catch((error) => {
  console.error(error);
  process.exit(1);
});
