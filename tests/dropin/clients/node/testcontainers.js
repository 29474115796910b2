// testcontainers: what a test of somebody's does with a web server, without the reaper.
"use strict";

const assert = require("node:assert");
const { text } = require("node:stream/consumers");
const { GenericContainer, Wait } = require("testcontainers");

const [image] = process.argv.slice(2);

async function main() {
  const container = await new GenericContainer(image)
    .withCommand(["sh", "-c", "echo about to serve; exec httpd -f -p 80 -h /www"])
    .withCopyContentToContainer([{ content: "first\n", target: "/www/index.html" }])
    .withEnvironment({ COLOUR: "green" })
    .withLabels({ of: "somebody" })
    .withTmpFs({ "/scratch": "rw" })
    .withExposedPorts(80)
    .withWaitStrategy(Wait.forAll([Wait.forLogMessage("about to serve"), Wait.forHttp("/", 80)]))
    .withStartupTimeout(60_000)
    .start();
  const served = async () => {
    const answer = await fetch(`http://${container.getHost()}:${container.getMappedPort(80)}/`);
    return answer.text();
  };
  assert.strictEqual(await served(), "first\n");
  const entered = await container.exec(["sh", "-c", "echo $COLOUR; echo second >/www/index.html; exit 3"]);
  assert.deepStrictEqual([entered.exitCode, entered.output], [3, "green\n"]);
  assert.strictEqual(await served(), "second\n");
  await container.restart();
  assert.strictEqual(await served(), "second\n");
  assert.strictEqual(container.getLabels().of, "somebody");
  const archive = await container.copyArchiveFromContainer("/www/index.html");
  assert.match(await text(archive), /second/);
  await container.stop();

  // One that does not get ready in time is told, and removed.
  const never = new GenericContainer(image).withCommand(["sleep", "1000"]).withStartupTimeout(500);
  await assert.rejects(never.withWaitStrategy(Wait.forLogMessage("ready")).start());
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
