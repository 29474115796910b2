// dockerode: a web server is pulled, written to, asked, watched, copied into, committed, pushed, killed and removed.
"use strict";

const assert = require("node:assert");
const { PassThrough } = require("node:stream");
const { text } = require("node:stream/consumers");
const Docker = require("dockerode");
const tar = require("tar-stream");

const [image, pushed] = process.argv.slice(2);
const docker = new Docker();

// Chunked progress, to its end.
const progress = (stream) =>
  new Promise((resolve, reject) =>
    docker.modem.followProgress(stream, (error, lines) => (error ? reject(error) : resolve(lines))),
  );

// A multiplexed stream's two halves, to their ends.
async function halves(stream) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, stdout, stderr);
  stream.on("end", () => [stdout, stderr].forEach((half) => half.end()));
  return Promise.all([text(stdout), text(stderr)]);
}

// The first file of an archive.
const entry = (archive) =>
  new Promise((resolve, reject) => {
    const extract = tar.extract();
    extract.on("entry", (_, body, next) => text(body).then(resolve, reject).finally(next));
    extract.on("error", reject);
    archive.pipe(extract);
  });

async function execute(container, command, input) {
  const exec = await container.exec({
    Cmd: ["sh", "-c", command],
    AttachStdin: input !== undefined,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await exec.start({ hijack: true, stdin: input !== undefined });
  const output = halves(stream);
  if (input !== undefined) stream.end(input);
  const [stdout, stderr] = await output;
  return { stdout, stderr, code: (await exec.inspect()).ExitCode };
}

async function pull() {
  const lines = await progress(await docker.pull(image));
  assert(lines.some((line) => /Downloaded newer image/.test(line.status)), JSON.stringify(lines));
  const [listed] = await docker.listImages({ filters: { reference: [image] } });
  assert.deepStrictEqual(listed.RepoTags, [image]);
  assert((await docker.getImage(image).history()).length > 0);
  await assert.rejects(docker.getImage("nosuch").inspect(), { statusCode: 404 });
}

async function attached() {
  const container = await docker.createContainer({
    Image: image,
    Cmd: ["sh", "-c", "read line; echo got $line; echo lost >&2; exit 3"],
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
  });
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const output = halves(stream);
  await container.start();
  stream.end("this\n");
  assert.deepStrictEqual(await output, ["got this\n", "lost\n"]);
  assert.strictEqual((await container.wait()).StatusCode, 3);
  const logs = await container.logs({ stdout: true, stderr: true });
  assert(logs.toString().includes("got this"));
  await container.remove();
}

async function served(container) {
  const { NetworkSettings } = await container.inspect();
  const [{ HostPort }] = NetworkSettings.Ports["80/tcp"];
  const answer = await fetch(`http://127.0.0.1:${HostPort}/`);
  return answer.text();
}

async function web() {
  await docker.createVolume({ Name: "pages", Labels: { of: "web" } });
  const container = await docker.createContainer({
    name: "web",
    Image: image,
    Cmd: ["httpd", "-f", "-v", "-p", "80", "-h", "/www"],
    ExposedPorts: { "80/tcp": {} },
    Labels: { tier: "front" },
    HostConfig: {
      PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] },
      Mounts: [{ Type: "volume", Source: "pages", Target: "/www" }],
    },
  });
  await assert.rejects(docker.createContainer({ name: "web", Image: image }), { statusCode: 409 });
  await container.start();
  const written = await execute(container, "cat >/www/index.html; echo done; echo loud >&2; exit 4", "first\n");
  assert.deepStrictEqual(written, { stdout: "done\n", stderr: "loud\n", code: 4 });
  assert.strictEqual(await served(container), "first\n");

  // Files in and out.
  const pack = tar.pack();
  pack.entry({ name: "index.html" }, "second\n");
  pack.finalize();
  await container.putArchive(pack, { path: "/www" });
  assert.strictEqual(await served(container), "second\n");
  assert.strictEqual(await entry(await container.getArchive({ path: "/www/index.html" })), "second\n");

  // What it says: with `follow` until it ends.
  const followed = halves(await container.logs({ follow: true, stdout: true, stderr: true }));
  const usage = await container.stats({ stream: false });
  assert(usage.memory_stats.usage > 0 && usage.pids_stats.current > 0, JSON.stringify(usage));
  assert((await container.top()).Processes.length > 0);
  await container.pause();
  assert.strictEqual((await container.inspect()).State.Status, "paused");
  await container.unpause();
  await container.update({ Memory: 64 << 20, MemorySwap: 64 << 20 });
  assert.strictEqual((await container.inspect()).HostConfig.Memory, 64 << 20);
  const filtered = await docker.listContainers({ filters: { label: ["tier=front"] } });
  assert.deepStrictEqual(filtered[0].Names, ["/web"]);
  assert((await container.changes()).every(({ Kind }) => [0, 1, 2].includes(Kind)));
  const ended = container.wait();
  await container.kill();
  assert.strictEqual((await ended).StatusCode, 137);
  assert.match((await followed).join(""), /GET|response/);
  return container;
}

async function share(container) {
  const [repo, tag] = [pushed.slice(0, pushed.lastIndexOf(":")), pushed.slice(pushed.lastIndexOf(":") + 1)];
  await container.commit({ repo, tag, comment: "of dockerode", changes: 'CMD ["echo","committed"]' });
  const lines = await progress(await docker.getImage(pushed).push({}));
  assert(lines.some((line) => line.aux?.Digest), JSON.stringify(lines));
  const output = new PassThrough();
  const said = text(output);
  const [result] = await docker.run(pushed, [], output, { HostConfig: { AutoRemove: true } });
  output.end();
  assert.strictEqual(result.StatusCode, 0);
  assert.strictEqual((await said).trim(), "committed");
}

async function events(since) {
  const until = Math.ceil(Date.now() / 1000);
  const stream = await docker.getEvents({ since, until, filters: { container: ["web"] } });
  const actions = (await text(stream)).trim().split("\n").map((line) => JSON.parse(line).Action);
  for (const action of ["create", "start", "pause", "unpause", "kill", "die"]) assert(actions.includes(action), action);
}

async function main() {
  const since = Math.floor(Date.now() / 1000);
  assert.strictEqual((await docker.ping()).toString(), "OK");
  assert.strictEqual((await docker.version()).Os, "linux");
  await pull();
  await attached();
  const container = await web();
  await share(container);
  await events(since);
  await container.remove({ v: true });
  await assert.rejects(container.inspect(), { statusCode: 404 });
  await docker.getVolume("pages").remove();
  await docker.getImage(pushed).remove({ force: true });
  assert.deepStrictEqual(await docker.listContainers({ all: true }), []);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
