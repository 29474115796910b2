// testcontainers: a network of a test's own, where a container knows another by its alias; without the reaper.
"use strict";

const assert = require("node:assert");
const { GenericContainer, Network, Wait } = require("testcontainers");

const [image] = process.argv.slice(2);

async function main() {
  const network = await new Network().start();
  const page = "mkdir -p /www; echo first >/www/index.html; echo about to serve; exec httpd -f -h /www";
  const pages = await new GenericContainer(image)
    .withCommand(["sh", "-c", page])
    .withNetwork(network)
    .withNetworkAliases("pages", "shop")
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forHttp("/", 80))
    .start();
  const sleeper = () => new GenericContainer(image).withCommand(["sleep", "1000"]);
  const [visitor, stranger] = [await sleeper().withNetwork(network).start(), await sleeper().start()];
  const ask = (container, name) => container.exec(["wget", "-q", "-O", "-", `http://${name}/`]);
  for (const name of ["pages", "shop", pages.getName().replace("/", "")]) {
    const { exitCode, output } = await ask(visitor, name);
    assert.deepStrictEqual([exitCode, output], [0, "first\n"], name);
  }
  assert.notStrictEqual((await ask(stranger, "pages")).exitCode, 0);
  const address = pages.getIpAddress(network.getName());
  assert.strictEqual((await ask(visitor, address)).output, "first\n");
  // By the host, too: the network leads out.
  const answer = await fetch(`http://${pages.getHost()}:${pages.getMappedPort(80)}/`);
  assert.strictEqual(await answer.text(), "first\n");
  // It is in use, and stays.
  await assert.rejects(network.stop());
  await Promise.all([pages, visitor, stranger].map((container) => container.stop()));
  await network.stop();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
