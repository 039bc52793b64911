// Lets a headless Chromium join the rooms of the mock, with HeyGen's web SDK and two versions of livekit-client, all unmodified.
//
// Usage: node rooms.mjs MODULES CHROMIUM URL, with the folder that has `node_modules` and the URL of a mock with rooms.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

const [modules, executablePath, base] = process.argv.slice(2);
const key = process.env.LIVEAVATAR_API_KEY;
// Node.js cannot resolve the packages by name, because they are not installed next to this file.
const require = createRequire(join(modules, "package.json"));
const esbuild = require("esbuild");
const { default: puppeteer } = await import(require.resolve("puppeteer-core"));

// Of full scale. Decoders add some noise to silence, and fade out.
const SILENCE = 0.005;
const AUDIBLE = 0.02;
// LiveKit's numbers: `ROOM_DELETED` of `DisconnectReason`, and `NotAllowed` of `ConnectionErrorReason`.
const ROOM_DELETED = 5;
const NOT_ALLOWED = 0;

const call = async (method, path, body, token) => {
  const credential = token ? { Authorization: `Bearer ${token}` } : { "X-API-KEY": key };
  const headers = { ...credential, "content-type": "application/json" };
  const response = await fetch(base + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return (await response.json()).data;
};

const createToken = () =>
  call("POST", "/v1/sessions/token", {
    mode: "FULL",
    avatar_id: "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a",
    avatar_persona: { language: "en" },
  });

// Returns what the room of a session received.
const activityOf = async (id) => (await fetch(`${base}/_mock/sessions/${id}/room`)).json();

const endOf = async (id) => {
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await setTimeout(20)) {
    const { end_reason } = await call("GET", `/v1/sessions/${id}`);
    if (end_reason) return end_reason;
  }
  assert.fail("the session is running");
};

// Bundles the page's module; only its own dependency has the version that the web SDK pins.
const bundle = async () => {
  const result = await esbuild.build({
    entryPoints: [new URL("rooms_page.mjs", import.meta.url).pathname],
    nodePaths: [join(modules, "node_modules")],
    alias: { "livekit-client-of-the-web-sdk": join(modules, "node_modules/@heygen/liveavatar-web-sdk/node_modules/livekit-client") },
    bundle: true,
    format: "iife",
    globalName: "conformance",
    write: false,
  });
  return result.outputFiles[0].text;
};

// Serves the page from a port of its own, so that the rooms are on another origin.
const serve = async (script) => {
  const html = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><video autoplay playsinline></video><script src="page.js"></script>';
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
    response.end(isScript ? script : html);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
};

// Returns a new page, and the errors that it does not handle.
const open = async (browser, server) => {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  return { page, errors };
};

const checkConversation = ({ idle, speaking, interrupted, rate, ids, text, interruptedAfter, size }) => {
  assert.ok(idle < SILENCE, `the avatar is audible before it speaks: ${idle}`);
  assert.ok(speaking > AUDIBLE, `the avatar is silent while it speaks: ${speaking}`);
  assert.ok(interrupted < SILENCE, `the avatar is audible after an interrupt: ${interrupted}`);
  assert.ok(rate > 0.7 && rate < 1.3, `the video plays at ${rate} of its speed`);
  assert.deepEqual(ids, [true, true, true], "events name their command");
  assert.equal(text, "one two three four five six seven eight");
  assert.ok(interruptedAfter < 1000, `the interrupt took ${interruptedAfter} ms`);
  assert.ok(size[0] > 0 && size[1] > 0, `the video has the size ${size}`);
};

const runWebSdk = async (browser, server) => {
  const { page, errors } = await open(browser, server);
  const { session_id, session_token } = await createToken();
  const result = await page.evaluate((...args) => conformance.runWebSdk(...args), SILENCE, session_token, base);
  checkConversation(result);
  assert.equal(result.started, "CONNECTED");
  assert.equal(result.voiceChat, "ACTIVE");
  assert.equal(result.stopped, "DISCONNECTED");
  assert.deepEqual(errors, []);
  // The SDK does not wait until its stop has arrived. This is the reason of a stop request without a body.
  assert.equal(await endOf(session_id), "USER_CLOSED");
  const { commands, microphone_packets } = await activityOf(session_id);
  assert.deepEqual(commands.slice(0, 3), ["avatar.speak_text", "avatar.speak_text", "avatar.interrupt"]);
  assert.ok(microphone_packets >= 3, `${microphone_packets} packets of the microphone`);
  await page.close();
  console.log(`web SDK: stream ready after ${Math.round(result.readyAfter)} ms; sees and hears the avatar, interrupts it, and stops`);
};

const runRoom = async (browser, server, version, options, path) => {
  const { page, errors } = await open(browser, server);
  const { session_id, session_token } = await createToken();
  const { livekit_url, livekit_client_token } = await call("POST", "/v1/sessions/start", undefined, session_token);
  const input = [SILENCE, version, livekit_url, livekit_client_token, options];
  const result = await page.evaluate((...args) => conformance.runRoom(...args), ...input);
  checkConversation(result);
  assert.deepEqual(result.topics, ["agent-response"]);
  assert.deepEqual(result.participants, ["heygen", `liveavatar-agent-${session_id}`]);
  assert.deepEqual(result.sockets, [path]);
  assert.ok(result.microphone);
  const activity = await activityOf(session_id);
  assert.deepEqual(activity.commands, ["avatar.speak_text", "avatar.speak_text", "avatar.interrupt"]);
  // Speech begins with three packets.
  assert.ok(activity.microphone_packets >= 3, `${activity.microphone_packets} packets of the microphone`);
  await call("POST", "/v1/sessions/stop", undefined, session_token);
  assert.equal(await page.evaluate(() => conformance.untilClosed()), ROOM_DELETED);
  const rejected = await page.evaluate((...args) => conformance.runRejectedRoom(...args), version, livekit_url, "a.b.c");
  assert.deepEqual(rejected, { name: "ConnectionError", reason: NOT_ALLOWED, status: 401 });
  assert.deepEqual(errors, []);
  await page.close();
  console.log(`livekit-client, ${version} on ${path}: joined after ${Math.round(result.joinedAfter)} ms`);
};

const server = await serve(await bundle());
const browser = await puppeteer.launch({
  executablePath,
  headless: true,
  args: [
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    // For machines whose only network interface is the loopback one.
    "--allow-loopback-in-peer-connection",
    "--webrtc-ip-handling-policy=default_public_and_private_interfaces",
  ],
});
try {
  await runWebSdk(browser, server);
  await runRoom(browser, server, "pinned", {}, "/rtc");
  await runRoom(browser, server, "newest", { singlePeerConnection: true }, "/rtc/v1");
  await runRoom(browser, server, "newest", { singlePeerConnection: false }, "/rtc");
} finally {
  await browser.close();
  server.close();
}
