// Runs sessions on the mock with HeyGen's web SDK: start, keep-alive and stop with a session token.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, base] = process.argv.slice(2);
const key = process.env.LIVEAVATAR_API_KEY;
// The SDK queries the browser's video capabilities; this test plays no video.
globalThis.RTCPeerConnection = class {};

// Node.js cannot resolve the package by name, because it is not installed next to this file.
const sdk = join(modules, "node_modules/@heygen/liveavatar-web-sdk");
const entry = JSON.parse(readFileSync(join(sdk, "package.json"))).exports["."].import;
const { LiveAvatarSession } = await import(pathToFileURL(join(sdk, entry)));

// The SDK expects a backend to create the token.
const createToken = async (body) => {
  const headers = { "X-API-KEY": key, "content-type": "application/json" };
  const response = await fetch(`${base}/v1/sessions/token`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(response.status, 200);
  return (await response.json()).data;
};

const configurations = [
  { mode: "FULL", avatar_persona: { language: "en" } },
  { mode: "LITE" },
];
for (const configuration of configurations) {
  const { session_id, session_token } = await createToken({
    ...configuration,
    avatar_id: "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a",
    is_sandbox: true,
  });
  const client = new LiveAvatarSession(session_token, { apiUrl: base }).sessionClient;
  const started = await client.startSession();
  assert.equal(started.session_id, session_id);
  assert.match(started.livekit_url, /^wss:/);
  assert.ok(started.livekit_client_token);
  assert.equal(typeof started.max_session_duration, "number");
  assert.equal(Boolean(started.ws_url), configuration.mode === "LITE");
  await client.keepAlive();
  await client.stopSession();
  // The SDK reports why an ended session cannot be kept alive.
  await assert.rejects(client.keepAlive(), { name: "Error", status: 404 });
  console.log(`${configuration.mode}: start, keep-alive, stop`);
}
