// The part of `rooms.mjs` that runs in the browser: sessions of HeyGen's web SDK, and rooms of two versions of livekit-client.

import { AgentEventsEnum, LiveAvatarSession, SessionEvent } from "@heygen/liveavatar-web-sdk";
import * as newest from "livekit-client";
import * as pinned from "livekit-client-of-the-web-sdk";

// Milliseconds. Far more than any step needs; it only stops one that hangs.
const TIMEOUT = 20_000;
const versions = { newest, pinned };
const video = document.querySelector("video");

// The paths of all web sockets, which show the kind of signalling.
const sockets = [];
window.WebSocket = class extends WebSocket {
  constructor(url, ...rest) {
    super(url, ...rest);
    sockets.push(new URL(url).pathname);
  }
};

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const until = async (what, condition) => {
  for (const deadline = performance.now() + TIMEOUT; ; await pause(10)) {
    const result = await condition();
    if (result) return result;
    if (performance.now() > deadline) throw new Error(`timed out: ${what}`);
  }
};

// The avatar's events, in the order of their arrival.
class Events {
  #all = [];

  add = (event) => void this.#all.push(event);

  // Waits for an event after the first `skipped` ones.
  wait = (type, skipped = 0) =>
    until(type, () => this.#all.slice(skipped).find(({ event_type }) => event_type === type));

  get count() {
    return this.#all.length;
  }
}

// Returns the root mean square of the audio that was decoded in this time; full scale is 1.
const loudness = async (track, milliseconds) => {
  const read = async () => {
    const reports = [...(await track.getRTCStatsReport()).values()];
    return reports.find(({ type }) => type === "inbound-rtp");
  };
  const before = await read();
  await pause(milliseconds);
  const after = await read();
  const seconds = after.totalSamplesDuration - before.totalSamplesDuration;
  return Math.sqrt((after.totalAudioEnergy - before.totalAudioEnergy) / seconds);
};

// Lets the avatar speak and interrupts it; `speak` and `interrupt` send the commands of a client.
const converse = async (events, track, silence, speak, interrupt) => {
  const result = {};
  await until("the video plays", () => video.currentTime > 0);
  result.idle = await loudness(track, 500);

  let skipped = events.count;
  const id = speak("one two three four five six seven eight");
  const started = await events.wait("avatar.speak_started", skipped);
  const [from, wall] = [video.currentTime, performance.now()];
  result.speaking = await loudness(track, 1000);
  // 1 if the video plays in real time.
  result.rate = ((video.currentTime - from) * 1000) / (performance.now() - wall);
  const transcription = await events.wait("avatar.transcription", skipped);
  const ended = await events.wait("avatar.speak_ended", skipped);
  result.ids = [started, transcription, ended].map(({ source_event_id }) => source_event_id === id);
  result.text = transcription.text;

  skipped = events.count;
  speak("word ".repeat(100));
  await events.wait("avatar.speak_started", skipped);
  await pause(500);
  const sent = performance.now();
  interrupt();
  await events.wait("avatar.speak_ended", skipped);
  result.interruptedAfter = performance.now() - sent;
  // The browser plays what it has buffered, the longer the slower the machine is. The text would take half a minute.
  do result.interrupted = await loudness(track, 200);
  while (result.interrupted > silence && performance.now() - sent < 5000);
  result.size = [video.videoWidth, video.videoHeight];
  return result;
};

// Runs a session of the web SDK from start to stop. The microphone is last, because the avatar responds to it.
export const runWebSdk = async (silence, token, apiUrl) => {
  const session = new LiveAvatarSession(token, { apiUrl });
  const events = new Events();
  for (const type of Object.values(AgentEventsEnum)) session.on(type, events.add);
  const ready = new Promise((resolve) => session.on(SessionEvent.SESSION_STREAM_READY, resolve));
  const qualities = [];
  session.on(SessionEvent.SESSION_CONNECTION_QUALITY_CHANGED, (quality) => qualities.push(quality));
  const start = performance.now();
  await session.start();
  await Promise.race([ready, pause(TIMEOUT).then(() => { throw new Error("timed out: stream ready"); })]);
  const result = { readyAfter: performance.now() - start, started: session.state };
  session.attach(video);
  // The SDK offers no public access to the tracks.
  const track = session._remoteAudioTrack;
  Object.assign(result, await converse(events, track, silence, (text) => session.repeat(text), () => session.interrupt()));
  await session.voiceChat.start();
  result.voiceChat = session.voiceChat.state;
  await events.wait("user.speak_started");
  await session.stop();
  return { ...result, qualities, stopped: session.state };
};

let closed;

// Joins a room with livekit-client, sends the commands of FULL mode as data, and publishes the microphone.
export const runRoom = async (silence, version, url, token, options) => {
  sockets.length = 0;
  const { Room, RoomEvent, Track } = versions[version];
  const room = new Room(options);
  const events = new Events();
  const tracks = {};
  const topics = new Set();
  room.on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
    if (participant.identity === "heygen") tracks[track.kind] = track;
  });
  room.on(RoomEvent.DataReceived, (data, _participant, _kind, topic) => {
    topics.add(topic);
    events.add(JSON.parse(new TextDecoder().decode(data)));
  });
  closed = null;
  room.on(RoomEvent.Disconnected, (reason) => void (closed = { reason }));
  const start = performance.now();
  await room.connect(url, token);
  await until("the tracks of the avatar", () => tracks.audio && tracks.video);
  const result = { joinedAfter: performance.now() - start };
  tracks.video.attach(video);
  tracks.audio.attach(video);
  const send = (command) => {
    const data = new TextEncoder().encode(JSON.stringify(command));
    room.localParticipant.publishData(data, { reliable: true, topic: "agent-control" });
  };
  const speak = (text) => {
    const event_id = crypto.randomUUID();
    send({ event_type: "avatar.speak_text", event_id, text });
    return event_id;
  };
  Object.assign(result, await converse(events, tracks.audio, silence, speak, () => send({ event_type: "avatar.interrupt" })));
  const publication = await room.localParticipant.setMicrophoneEnabled(true);
  result.microphone = publication.source === Track.Source.Microphone;
  await events.wait("user.speak_started");
  const participants = [...room.remoteParticipants.values()].map(({ identity }) => identity);
  return { ...result, participants: participants.sort(), topics: [...topics], sockets: [...sockets] };
};

// Waits until the service has closed the room, and returns the reason.
export const untilClosed = async () => (await until("the room is closed", () => closed)).reason;

// Returns how a version of livekit-client describes the rejection of a token.
export const runRejectedRoom = async (version, url, token) => {
  try {
    await new versions[version].Room().connect(url, token);
  } catch ({ name, reason, status }) {
    return { name, reason, status };
  }
  throw new Error("the token was accepted");
};
