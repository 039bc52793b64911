// HeyGen's own web SDK, with the session client of its exported class: start, keep-alive, stop with a session token.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, base] = process.argv.slice(2);
const key = process.env.LIVEAVATAR_API_KEY;
// The class asks its browser what video it can play; nothing is played here.
globalThis.RTCPeerConnection = class {};

// The packages are not beside this file, so that their entry is looked up by hand.
const sdk = join(modules, "node_modules/@heygen/liveavatar-web-sdk");
const entry = JSON.parse(readFileSync(join(sdk, "package.json"))).exports["."].import;
const { LiveAvatarSession } = await import(pathToFileURL(join(sdk, entry)));

// A backend's part, which the SDK leaves to it.
const minted = async (body) => {
  const headers = { "X-API-KEY": key, "content-type": "application/json" };
  const answer = await fetch(`${base}/v1/sessions/token`, { method: "POST", headers, body: JSON.stringify(body) });
  assert.equal(answer.status, 200);
  return (await answer.json()).data;
};

const configurations = [
  { mode: "FULL", avatar_persona: { language: "en" } },
  { mode: "LITE" },
];
for (const configuration of configurations) {
  const { session_id, session_token } = await minted({
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
  // What has ended cannot be kept alive, and the SDK sees why.
  await assert.rejects(client.keepAlive(), { name: "Error", status: 404 });
  console.log(`${configuration.mode}: start, keep-alive, stop`);
}
