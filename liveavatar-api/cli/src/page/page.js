// Shows one session: joins its LiveKit room, plays the avatar, and sends commands over the data channel.
// Everything that arrives is shown as text, never as HTML.

const COMMAND_TOPIC = "agent-control";
const EVENT_TOPIC = "agent-response";
const KEPT_EVENTS = 300;
const AVATAR_TIMEOUT = 30_000;
const { DisconnectReason, Room, RoomEvent, Track, setLogLevel } = globalThis.LivekitClient;

// Its messages contain the address of the room with the token.
setLogLevel("silent");

const $ = (id) => document.getElementById(id);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function state(kind, text) {
  $("state").dataset.state = kind;
  setText($("state"), text);
}

let retry = null;

/** Shows what is wrong and what to do; `again` is offered as a button. */
function problem(title, advice = "", again = null) {
  $("problem").hidden = !title;
  setText($("problem-title"), title);
  setText($("problem-advice"), advice);
  retry = again;
  $("retry").hidden = !again;
}

$("retry").addEventListener("click", () => {
  const again = retry;
  problem("");
  again?.();
});

// The command that serves this page

const KEY = "liveavatar-page-key";

/** Exchanges the secret in the address, which works once, for a key that this tab keeps. */
async function key() {
  const secret = location.hash.slice(1);
  if (secret) {
    history.replaceState(null, "", location.pathname);
    const response = await fetch("exchange", { method: "POST", headers: { authorization: `Bearer ${secret}` } });
    if (response.ok) sessionStorage.setItem(KEY, (await response.json()).key);
  }
  return sessionStorage.getItem(KEY);
}

let authorization = null;
let status = null;

async function follow() {
  try {
    const secret = await key();
    authorization = { authorization: `Bearer ${secret}` };
    const response = await fetch("status", { headers: authorization });
    if (response.status === 401) {
      sessionStorage.removeItem(KEY);
      state("over", "not allowed");
      setText($("placeholder"), "");
      problem("This address was used before.", "The terminal shows a new address, which opens the page once more.");
      return;
    }
    let text = "";
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      const lines = text.split("\n");
      text = lines.pop();
      lines.map(JSON.parse).forEach(report);
    }
  } catch {
    // Reported below.
  }
  if (!status?.end) {
    state("over", "no connection to the command");
    problem("The command in the terminal has ended or does not respond.", "Look there whether the session was stopped.", () => location.reload());
    leave();
  }
}

function report(next) {
  const previous = status;
  status = next;
  setText($("mode"), next.mode);
  setText($("credits"), next.credits_used === null ? "–" : String(next.credits_used));
  document.body.dataset.mode = next.mode;
  $("composer").hidden = next.mode !== "FULL";
  $("lite").hidden = next.mode !== "LITE";
  $("interrupt").hidden = next.mode !== "FULL";
  $("talk").hidden = next.mode !== "FULL" || !next.uses_push_to_talk;
  $("microphone").hidden = next.mode !== "FULL" || next.uses_push_to_talk;
  showTimeLeft();
  if (next.end) {
    ended(next.end);
    return;
  }
  $("stop").disabled = false;
  if (previous?.session_id === next.session_id) return;
  // The security policy of this page names the room's server, so another server needs another policy.
  if (previous && new URL(previous.livekit_url).origin !== new URL(next.livekit_url).origin) location.reload();
  if (previous) add("session replaced", { session_id: next.session_id });
  join();
}

function showTimeLeft() {
  if (!status?.ends_at) return;
  const left = status.end ? 0 : Math.max(0, status.ends_at - Date.now());
  const seconds = Math.ceil(left / 1000);
  setText($("left"), `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`);
}

setInterval(showTimeLeft, 500);

const ENDS = {
  command: "It was stopped.",
  limit: "It reached its maximum duration.",
  service: "The service ended it.",
};

function ended({ by, reason }) {
  // The room reports the end before the command notices it.
  status.end ??= { by, reason };
  showTimeLeft();
  state("over", "ended");
  leave();
  setText($("placeholder"), "The session has ended.");
  if (by === null) {
    problem("The stop of the session is not confirmed: it may still run.", "Run in the terminal: liveavatar session stop --all");
    return;
  }
  const text = reason ? `${ENDS[by].slice(0, -1)}: ${reason}.` : ENDS[by];
  problem(`The session has ended. ${text}`, "Start another one in the terminal.");
}

$("stop").addEventListener("click", async () => {
  $("stop").disabled = true;
  state("waiting", "stopping…");
  try {
    const response = await fetch("stop", { method: "POST", headers: authorization });
    if (!response.ok) throw new Error();
  } catch {
    $("stop").disabled = false;
    problem("The session was not stopped.", "Press Ctrl-C in the terminal.");
  }
});

// The room

let room = null;
let avatarTimer = null;

function leave() {
  clearTimeout(avatarTimer);
  for (const id of ["stop", "interrupt", "microphone", "talk", "text", "speak", "respond"]) $(id).disabled = true;
  $("speaking").hidden = true;
  $("sound").hidden = true;
  $("placeholder").hidden = false;
  const old = room;
  room = null;
  old?.disconnect();
}

async function join() {
  leave();
  $("stop").disabled = false;
  problem("");
  state("waiting", "joining the room…");
  setText($("placeholder"), "Waiting for the avatar…");
  const joined = (room = new Room({ adaptiveStream: false, dynacast: false }));
  const isCurrent = (handle) => (...values) => room === joined && handle(...values);
  joined.on(RoomEvent.TrackSubscribed, isCurrent(subscribed));
  joined.on(RoomEvent.TrackUnsubscribed, (track) => track.detach());
  joined.on(RoomEvent.DataReceived, isCurrent(received));
  joined.on(RoomEvent.AudioPlaybackStatusChanged, isCurrent(showSound));
  joined.on(RoomEvent.ActiveSpeakersChanged, isCurrent((speakers) => {
    // FULL sessions report it themselves.
    if (status.mode === "LITE") $("speaking").hidden = speakers.every((it) => it.isLocal);
  }));
  joined.on(RoomEvent.Reconnecting, isCurrent(() => state("waiting", "connecting again…")));
  joined.on(RoomEvent.Reconnected, isCurrent(() => state("live", "live")));
  joined.on(RoomEvent.LocalTrackPublished, isCurrent(showMicrophone));
  joined.on(RoomEvent.LocalTrackUnpublished, isCurrent(showMicrophone));
  joined.on(RoomEvent.TrackMuted, isCurrent(showMicrophone));
  joined.on(RoomEvent.TrackUnmuted, isCurrent(showMicrophone));
  let isConnected = false;
  joined.on(RoomEvent.Disconnected, isCurrent((reason) => {
    // A failure to connect is reported below.
    if (!isConnected) return;
    add("room left", { reason: DisconnectReason[reason] });
    if (reason === DisconnectReason.ROOM_DELETED) {
      ended({ by: "service" });
      return;
    }
    leave();
    $("stop").disabled = false;
    state("over", "not connected");
    setText($("placeholder"), "No picture: not connected to the room.");
    problem("The connection to the room was lost.", "If the session still runs, you can join again.", join);
  }));
  try {
    await joined.connect(status.livekit_url, status.livekit_client_token);
  } catch (error) {
    if (room !== joined) return;
    state("over", "not connected");
    setText($("placeholder"), "No picture: the room could not be joined.");
    problem("The room could not be joined.", `Check your network and VPN; the session still runs. (${error.message})`, join);
    return;
  }
  if (room !== joined) return;
  isConnected = true;
  showSound();
  const isFull = status.mode === "FULL";
  for (const id of ["interrupt", "microphone", "talk", "text", "speak", "respond"]) $(id).disabled = !isFull;
  avatarTimer = setTimeout(() => {
    problem("The avatar has not come yet.", "It joins within a few seconds as a rule. Stop the session and start another one.");
  }, AVATAR_TIMEOUT);
}

function subscribed(track, _publication, participant) {
  if (track.kind === Track.Kind.Video) {
    clearTimeout(avatarTimer);
    problem("");
    track.attach($("video"));
    $("placeholder").hidden = true;
    state("live", "live");
  } else {
    document.body.append(track.attach());
  }
  add("track", { participant: participant.identity, kind: track.kind });
}

/** Browsers play sound only after a click. */
function showSound() {
  $("sound").hidden = room.state !== "connected" || room.canPlaybackAudio;
}

$("sound").addEventListener("click", () => room?.startAudio());

// Commands and events

async function command(event_type, fields = {}) {
  const data = new TextEncoder().encode(JSON.stringify({ event_type, event_id: crypto.randomUUID(), ...fields }));
  try {
    await room.localParticipant.publishData(data, { reliable: true, topic: COMMAND_TOPIC });
    add(`→ ${event_type}`, fields);
  } catch (error) {
    problem("The command was not sent.", `${error?.message ?? "The room is not connected"}.`, () => command(event_type, fields));
  }
}

function received(payload, _participant, _kind, topic) {
  if (topic !== EVENT_TOPIC) return;
  let event;
  try {
    event = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    add("an event that is not JSON", {});
    return;
  }
  const { event_type, event_id, session_id, source_event_id, ...rest } = event;
  add(`← ${event_type}`, rest);
  const spoken = /^(user|avatar)\.transcription([._]chunk)?$/.exec(event_type);
  if (spoken) say(spoken[1], String(event.text ?? ""), Boolean(spoken[2]));
  if (/^session[._]stopped$/.test(event_type)) ended({ by: "service", reason: event.stop_reason ?? event.end_reason });
  if (event_type === "avatar.speak_started") $("speaking").hidden = false;
  if (event_type === "avatar.speak_ended") $("speaking").hidden = true;
  if (event_type === "user.push_to_talk_started" && isTalking) microphone(true);
  if (event_type === "user.push_to_talk_start_failed") {
    talking(false);
    problem("The service did not take your voice.", "Release the button, wait until the avatar is silent, and hold it again.");
  }
}

const partial = { user: null, avatar: null };

function say(role, text, isChunk) {
  $("transcript-empty").hidden = true;
  let line = partial[role];
  if (!line) {
    line = document.createElement("li");
    line.className = role;
    const name = document.createElement("b");
    name.textContent = role === "user" ? "You" : "Avatar";
    line.append(name, document.createElement("span"));
    $("transcript").append(line);
  }
  const before = line.lastChild.textContent;
  // Chunks are words, with or without the space between them.
  const space = before && !/\s$/.test(before) && !/^\s/.test(text) ? " " : "";
  line.lastChild.textContent = isChunk ? before + space + text : text;
  line.classList.toggle("partial", isChunk);
  partial[role] = isChunk ? line : null;
  $("log").scrollTop = $("log").scrollHeight;
}

let eventCount = 0;

function add(name, data) {
  const item = document.createElement("li");
  const shown = Object.keys(data).length > 0 ? ` ${JSON.stringify(data)}` : "";
  item.textContent = `${new Date().toLocaleTimeString("en-GB")} ${name}${shown}`;
  $("events").prepend(item);
  if ($("events").children.length > KEPT_EVENTS) $("events").lastChild.remove();
  setText($("events-count"), String(++eventCount));
}

function send(event_type) {
  const text = $("text").value.trim();
  if (!text || !room) return;
  command(event_type, { text });
  // The service reports only what it hears as the user's words.
  if (event_type === "avatar.speak_response") say("user", text, false);
  $("text").value = "";
  $("text").focus();
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send("avatar.speak_text");
});
$("respond").addEventListener("click", () => send("avatar.speak_response"));
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send("avatar.speak_text");
  }
});
$("interrupt").addEventListener("click", () => command("avatar.interrupt"));

// Microphone and push-to-talk

const MICROPHONE_PROBLEMS = {
  NotAllowedError: ["The browser refused the microphone.", "Allow it with the icon in the address bar, then try again."],
  NotFoundError: ["There is no microphone.", "Connect one, then try again."],
  NotReadableError: ["The microphone is in use.", "Close the program that uses it, then try again."],
};

async function microphone(isOn) {
  try {
    await room.localParticipant.setMicrophoneEnabled(isOn);
  } catch (error) {
    const [title, advice] = MICROPHONE_PROBLEMS[error.name] ?? ["The microphone does not work.", error.message];
    problem(title, advice, () => microphone(isOn));
  }
  showMicrophone();
}

function showMicrophone() {
  const isOn = Boolean(room?.localParticipant.isMicrophoneEnabled);
  $("microphone").setAttribute("aria-pressed", String(isOn));
  setText($("microphone"), isOn ? "Microphone off" : "Microphone on");
}

$("microphone").addEventListener("click", () => microphone(!room.localParticipant.isMicrophoneEnabled));

let isTalking = false;

function talking(is) {
  if (isTalking === is || $("talk").disabled) return;
  isTalking = is;
  $("talk").setAttribute("aria-pressed", String(is));
  setText($("talk"), is ? "Release to send" : "Hold to talk");
  command(is ? "user.start_push_to_talk" : "user.stop_push_to_talk");
  if (!is) microphone(false);
}

$("talk").addEventListener("pointerdown", (event) => {
  $("talk").setPointerCapture(event.pointerId);
  talking(true);
});
for (const kind of ["pointerup", "pointercancel", "blur"]) $("talk").addEventListener(kind, () => talking(false));
$("talk").addEventListener("keydown", (event) => {
  if (event.key === " " || event.key === "Enter") {
    event.preventDefault();
    if (!event.repeat) talking(true);
  }
});
$("talk").addEventListener("keyup", (event) => {
  if (event.key === " " || event.key === "Enter") talking(false);
});

follow();
