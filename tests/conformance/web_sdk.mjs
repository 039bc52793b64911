// Runs sessions on the mock with HeyGen's web SDK 0.0.18: start, keep-alive and stop with a session token; then speech, interruption
// and end on the command socket. For the latter, only the LiveKit room is a stand-in.

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, base, slowBase] = process.argv.slice(2);
const key = process.env.LIVEAVATAR_API_KEY;
// The SDK queries the browser's video capabilities; this test plays no video.
globalThis.RTCPeerConnection = class {};
globalThis.MediaStream = class {};
// The SDK reports every loss of a socket there.
console.warn = console.error = () => {};

// Node.js cannot resolve the package by name, because it is not installed next to this file.
const sdk = join(modules, "node_modules/@heygen/liveavatar-web-sdk");
const entry = JSON.parse(readFileSync(join(sdk, "package.json"))).exports["."].import;
const { AgentEventsEnum, LiveAvatarSession, SessionDisconnectReason, SessionEvent, SessionState } = await import(pathToFileURL(join(sdk, entry)));

// The SDK expects a backend to create the token.
const createToken = async (body, url = base) => (await call(url, "POST", "/v1/sessions/token", body)).data;

const call = async (url, method, path, body) => {
  const headers = { "X-API-KEY": key, "content-type": "application/json" };
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
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
  console.log(`web SDK, ${configuration.mode}: start, keep-alive, stop`);
}

// Far more than any step needs; it only stops one that hangs.
const TIMEOUT = 30_000;
// Of the slow mock. The test moves its clock instead of waiting.
const SOCKET_DELAY_SECONDS = 30;
const IDLE_TIMEOUT_SECONDS = 300;

// A room that connects and stays empty.
class Room extends EventEmitter {
  state = "disconnected";
  remoteParticipants = new Map();
  localParticipant = new EventEmitter();
  connect = async () => void (this.state = "connected");
  disconnect = async () => void (this.state = "disconnected");
}

// PCM without silence, which differs for each seed.
const tone = (seconds, seed) => {
  const samples = Int16Array.from({ length: seconds * 24_000 }, (_, index) => ((seed * 1000 + index * 7) % 20_000) - 10_000);
  return Buffer.from(samples.buffer);
};

const say = (session, pcm) => session.repeatAudio(pcm.toString("base64"));
const next = async (session, event) => (await once(session, event, { signal: AbortSignal.timeout(TIMEOUT) }))[0];
const activityOf = (session, url = base) => call(url, "GET", `/_mock/sessions/${session.sessionId}/activity`);
const endsOf = (activity) => activity.utterances.map(({ end }) => end);

// Returns the PCM in the WAV file, whose header has 44 bytes.
const heard = async (session, url = base) => {
  const response = await fetch(`${url}/_mock/sessions/${session.sessionId}/audio`);
  return Buffer.from(await response.arrayBuffer()).subarray(44);
};

const until = async (what, condition) => {
  for (const deadline = Date.now() + TIMEOUT; Date.now() < deadline; ) {
    const result = await condition();
    if (result) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`timed out: ${what}`);
};

// Waits until the session has ended, and returns the reason.
const endOf = (session, url = base) =>
  until("the end of the session", async () => (await call(url, "GET", `/v1/sessions/${session.sessionId}`)).data.end_reason);

const startLite = async (url = base) => {
  const { session_token } = await createToken({ mode: "LITE", avatar_id: "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a" }, url);
  const session = new LiveAvatarSession(session_token, { apiUrl: url });
  session.room = new Room();
  // It measures the connections of the room.
  session.connectionQualityIndicator = { start() {}, stop() {} };
  await session.start();
  assert.equal(session.state, SessionState.CONNECTED);
  return session;
};

const stop = async (session, url = base) => {
  const reason = next(session, SessionEvent.SESSION_DISCONNECTED);
  await session.stop();
  assert.equal(await reason, SessionDisconnectReason.CLIENT_INITIATED);
  // The reason of a stop request without a body.
  assert.equal(await endOf(session, url), "USER_CLOSED");
};

const speakInterruptAndEnd = async () => {
  const session = await startLite();
  const interrupted = tone(3, 2);
  const [first, last] = [tone(1.5, 1), tone(0.3, 3)];
  const started = next(session, AgentEventsEnum.AVATAR_SPEAK_STARTED);
  const ended = next(session, AgentEventsEnum.AVATAR_SPEAK_ENDED);
  const returned = say(session, first);
  const { event_id } = await started;
  assert.equal((await ended).event_id, event_id);
  // The SDK returns another id than it sends.
  assert.notEqual(event_id, returned);
  const [utterance] = (await activityOf(session)).utterances;
  // 300 ms, 750 ms and the rest: the SDK measures its slices in characters of base64.
  assert.deepEqual(utterance, { event_id, frames: 3, audio: 1.5, starvations: 0, end: "finished" });
  assert.deepEqual(await heard(session), first);

  const restarted = next(session, AgentEventsEnum.AVATAR_SPEAK_STARTED);
  say(session, interrupted);
  await restarted;
  session.interrupt();
  session.startListening();
  session.stopListening();
  assert.throws(() => session.repeat("text"), /LITE/);
  assert.throws(() => session.message("text"), /LITE/);
  const spoken = next(session, AgentEventsEnum.AVATAR_SPEAK_ENDED);
  say(session, last);
  await spoken;
  const activity = await activityOf(session);
  assert.deepEqual(endsOf(activity), ["finished", "interrupted", "finished"]);
  const { interrupts, early_frames, rejected_frames, connections } = activity;
  assert.deepEqual({ interrupts, early_frames, rejected_frames, connections }, { interrupts: 1, early_frames: 0, rejected_frames: 0, connections: 1 });
  assert.deepEqual(await heard(session), Buffer.concat([first, interrupted, last]));
  await stop(session);
  console.log("web SDK: speech, interruption and end on the socket");
};

// Version 0.0.18 takes an open socket for ready, so the service drops its first words.
const speakOnASocketThatIsNotReady = async () => {
  const session = await startLite(slowBase);
  say(session, tone(0.2, 4));
  await until("early frames", async () => (await activityOf(session, slowBase)).early_frames === 2);
  await call(slowBase, "POST", "/_mock/clock", { seconds: SOCKET_DELAY_SECONDS });
  const ended = next(session, AgentEventsEnum.AVATAR_SPEAK_ENDED);
  const pcm = tone(0.2, 5);
  say(session, pcm);
  await ended;
  assert.deepEqual(await heard(session, slowBase), pcm);
  await stop(session, slowBase);
  console.log("web SDK: does not wait for a slow socket");
};

// Version 0.0.18 does not reconnect: it stops the session.
const loseTheSocket = async () => {
  for (const fault of [{ close: 1011 }, "disconnect"]) {
    const session = await startLite();
    const started = next(session, AgentEventsEnum.AVATAR_SPEAK_STARTED);
    say(session, tone(2, 6));
    await started;
    await call(base, "POST", "/_mock/socket-faults", { command: "agent.start_listening", fault });
    const reason = next(session, SessionEvent.SESSION_DISCONNECTED);
    session.startListening();
    assert.equal(await reason, SessionDisconnectReason.UNKNOWN_REASON);
    assert.equal(session.state, SessionState.DISCONNECTED);
    assert.equal(await endOf(session), "USER_CLOSED");
    assert.throws(() => session.interrupt());
  }
  console.log("web SDK: stops the session when the socket is lost");
};

// Version 0.0.18 stops a session that the service has ended, and does not handle the failure of that call.
const endWithTheSession = async () => {
  const unhandled = once(process, "unhandledRejection");
  const session = await startLite();
  const reason = next(session, SessionEvent.SESSION_DISCONNECTED);
  await call(base, "POST", "/_mock/clock", { seconds: IDLE_TIMEOUT_SECONDS });
  assert.equal(await reason, SessionDisconnectReason.UNKNOWN_REASON);
  const [{ status }] = await unhandled;
  assert.equal(status, 404);
  assert.equal(await endOf(session), "IDLE_TIMEOUT");
  console.log("web SDK: ends when the service ends the session");
};

await speakInterruptAndEnd();
await speakOnASocketThatIsNotReady();
await loseTheSocket();
await endWithTheSession();
