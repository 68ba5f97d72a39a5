// Drives the server under test by the npm package toxiproxy-node-client, unchanged.
// Arguments: URL of the API. Needs an echo server; brings its own. Prints a line for each check.

const assert = require("node:assert");
const net = require("node:net");
const { Toxiproxy } = require("toxiproxy-node-client");

const [url] = process.argv.slice(2);

function roundTrip(listen) {
  const [, host, port] = listen.match(/^(.*):(\d+)$/);
  return new Promise((resolve, reject) => {
    const start = Date.now();
    const socket = net.connect(Number(port), host, () => socket.write("ping"));
    socket.on("data", () => { socket.destroy(); resolve(Date.now() - start); });
    socket.on("close", () => reject(new Error("closed")));
    socket.on("error", reject);
  });
}

async function main() {
  const echo = net.createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  await new Promise((ready) => echo.listen(0, "127.0.0.1", ready));
  const upstream = `127.0.0.1:${echo.address().port}`;
  const toxiproxy = new Toxiproxy(url);
  const check = (name) => console.log(`ok ${name}`);

  assert.match(await toxiproxy.getVersion(), /^2\./);
  check("version");

  const proxy = await toxiproxy.createProxy({ name: "node", listen: "127.0.0.1:0", upstream });
  assert.equal(proxy.enabled, true);
  await roundTrip(proxy.listen);
  check("create");

  await assert.rejects(toxiproxy.createProxy({ name: "node", listen: "127.0.0.1:0", upstream }));
  check("conflict");

  const toxic = await proxy.addToxic({
    name: "slow", type: "latency", stream: "downstream", toxicity: 1,
    attributes: { latency: 150, jitter: 0 },
  });
  assert.deepEqual(toxic.attributes, { latency: 150, jitter: 0 });
  assert.ok((await roundTrip(proxy.listen)) >= 149);
  check("latency");

  const again = await proxy.getToxic("slow");
  assert.equal(again.type, "latency");
  again.attributes.latency = 300;
  await again.update({ attributes: { latency: 300, jitter: 0 } });
  assert.ok((await roundTrip(proxy.listen)) >= 299);
  check("update");

  await again.remove();
  await assert.rejects(proxy.getToxic("slow"));
  check("remove a toxic");

  await proxy.addToxic({
    name: "limit", type: "limit_data", stream: "downstream", toxicity: 1, attributes: { bytes: 0 },
  });
  await assert.rejects(roundTrip(proxy.listen));
  await toxiproxy.reset();
  await roundTrip(proxy.listen);
  check("limit_data and reset");

  const down = await proxy.update({ enabled: false, listen: proxy.listen, upstream });
  assert.equal(down.enabled, false);
  await assert.rejects(roundTrip(proxy.listen));
  await proxy.update({ enabled: true, listen: proxy.listen, upstream });
  await roundTrip(proxy.listen);
  check("down and up");

  const all = await toxiproxy.populate([
    { name: "node", listen: proxy.listen, upstream },
    { name: "other", listen: "127.0.0.1:0", upstream },
  ]);
  assert.deepEqual(Object.keys(all).sort(), ["node", "other"]);
  assert.deepEqual(Object.keys(await toxiproxy.getAll()).sort(), ["node", "other"]);
  check("populate and list");

  for (const each of Object.values(all)) await each.remove();
  await assert.rejects(toxiproxy.get("node"));
  check("remove");
  echo.close();
}

main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
