// The window into a mock: shows what /_mock/state and /_mock/events report, and controls the mock.
// Everything from the mock is shown as text, never as HTML.

const KEPT = 10_000;
const SHOWN = 200;
const STATE_INTERVAL = 1000;
const RENDER_DELAY = 80;
const SAMPLE_RATE = 24_000;
const SAMPLES_PER_PEAK = 480;
const ROUTINE = /^agent\.audio_buffer_|^session\.keep_alive$/;

const $ = (id) => document.getElementById(id);

/** Creates an element; properties that start with "aria" or "data", and `role`, are attributes. */
function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria|data)-|^role$/.test(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function duration(seconds) {
  const parts = [[3600, "h"], [60, "min"], [1, "s"]];
  const shown = [];
  let left = Math.round(seconds);
  for (const [size, unit] of parts) {
    if (left >= size || (unit === "s" && shown.length === 0)) shown.push(`${Math.floor(left / size)} ${unit}`);
    left %= size;
  }
  return shown.slice(0, 2).join(" ");
}

const time = (at) => at.slice(11, 19);

/** Makes the children of a container match the items, and keeps the nodes of items that stay. */
function reconcile(container, nodes, items, key, create, update) {
  const wanted = new Set();
  let position = container.firstChild;
  for (const item of items) {
    const id = key(item);
    wanted.add(id);
    let node = nodes.get(id);
    if (!node) nodes.set(id, (node = create(item)));
    update(node, item);
    if (node === position) position = position.nextSibling;
    else container.insertBefore(node, position);
  }
  for (const [id, node] of nodes) {
    if (!wanted.has(id)) {
      node.remove();
      nodes.delete(id);
    }
  }
}

// Control

function problem(text) {
  $("problem").hidden = !text;
  setText($("problem"), text);
}

async function control(method, path, body) {
  try {
    const headers = body ? { "content-type": "application/json" } : {};
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    problem(response.ok ? "" : `${method} /_mock/${path} failed: ${(await response.json()).detail}`);
    refresh();
    return response;
  } catch {
    problem("The mock did not respond. Is it still running?");
    return null;
  }
}

async function copy(button, text) {
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Select and copy";
  }
  setTimeout(() => (button.textContent = label), 1500);
}

// State

let state = null;
let isRefreshing = false;
let mustRefreshAgain = false;

async function refresh() {
  if (isRefreshing) {
    mustRefreshAgain = true;
    return;
  }
  isRefreshing = true;
  try {
    const response = await fetch("state");
    if (response.ok) {
      state = await response.json();
      renderState();
    }
  } catch {
    // The stream of events reports that the mock is gone.
  }
  isRefreshing = false;
  if (mustRefreshAgain) {
    mustRefreshAgain = false;
    refresh();
  }
}

setInterval(() => document.hidden || refresh(), STATE_INTERVAL);
document.addEventListener("visibilitychange", () => document.hidden || refresh());

function renderState() {
  setText($("url"), state.url);
  setText($("export"), `export LIVEAVATAR_BASE_URL=${state.url}`);
  setText($("now"), state.now.replace("T", " ").replace("Z", ""));
  $("now").dateTime = state.now;
  // The field shows its default until somebody edits it.
  $("credits").defaultValue = state.credits;
  setText($("slots"), `${state.slots.used} of ${state.slots.limit} in use`);
  setText($("sessions-count"), String(state.sessions_total));
  renderSessions();
  renderAudio();
  renderFaults();
}

for (const button of document.querySelectorAll("[data-seconds]")) {
  button.ariaLabel = `Move the clock forward by ${duration(Number(button.dataset.seconds))}`;
  button.addEventListener("click", () => control("POST", "clock", { seconds: Number(button.dataset.seconds) }));
}

$("credits-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const { value } = $("credits");
  if (value !== "") {
    $("credits").defaultValue = value;
    control("PUT", "credits", { credits: Number(value) });
  }
  $("credits-form").reset();
  $("credits-form").querySelector("button").focus();
});

// Sessions

const sessionNodes = new Map();
const END_REASONS = ["AGENT_HANG_UP", "MAX_DURATION_REACHED", "IDLE_TIMEOUT", "NO_CREDITS", "ZOMBIE_SESSION_REAP", "AVATAR_DELETED"];

function renderSessions() {
  $("sessions-empty").hidden = state.sessions.length > 0;
  reconcile($("sessions-list"), sessionNodes, state.sessions, (session) => session.id, createSession, updateSession);
  const missing = state.sessions_total - state.sessions.length;
  setText($("sessions-more"), missing > 0 ? `${count(missing, "older session")} not shown` : "");
  const select = $("frames-session");
  if (select.options.length !== state.sessions.length + 1) {
    const chosen = select.value;
    const option = (session) => el("option", { value: session.id, textContent: `${session.mode} ${session.id.slice(-4)}` });
    select.replaceChildren(select.options[0], ...state.sessions.map(option));
    select.value = chosen;
  }
}

function createSession(session) {
  const reasons = el("select", { ariaLabel: "Reason for the end" }, ...END_REASONS.map((reason) => el("option", { textContent: reason })));
  const end = el("button", { type: "button", textContent: "End" });
  end.addEventListener("click", () => control("POST", `sessions/${session.id}/end`, { reason: reasons.value }));
  const node = el(
    "article",
    { className: "session", ariaLabel: `Session ${session.id}` },
    el("div", { className: "bar" },
      el("b", { textContent: session.mode }),
      el("span", { className: "tag" }),
      session.is_sandbox ? el("span", { className: "tag soft", textContent: "sandbox" }) : null,
      el("code", { className: "id soft", textContent: session.id })),
    el("progress", { max: 1, value: 0, ariaLabel: "Time left" }),
    el("dl"),
    el("div", { className: "bar" }, end, reasons),
  );
  return node;
}

function updateSession(node, session) {
  const [bar, progress, list, ending] = node.children;
  const tag = bar.children[1];
  setText(tag, session.end_reason ? `ended: ${session.end_reason}` : session.state);
  tag.className = `tag ${{ running: "good", ended: "soft" }[session.state] ?? "warn"}`;
  const isRunning = session.state === "running";
  progress.hidden = ending.hidden = !isRunning;
  if (isRunning) {
    progress.max = session.duration + session.seconds_left || 1;
    progress.value = session.seconds_left;
  }
  const socket = session.socket;
  const facts = [
    ["time left", isRunning && duration(session.seconds_left)],
    ["idle end in", isRunning && duration(session.idle_seconds_left)],
    ["ran", session.state !== "token only" && duration(session.duration)],
    ["credits", session.state !== "token only" && String(session.credits_consumed)],
    ["sockets", socket && String(socket.connections)],
    ["utterances", socket && String(socket.utterances.length)],
    ["interrupts", socket?.interrupts && String(socket.interrupts)],
    ["keep-alives", socket?.keep_alives && String(socket.keep_alives)],
    ["starvations", socket && sum(socket.utterances.map((it) => it.starvations))],
    ["dropped early frames", socket?.early_frames && String(socket.early_frames)],
    ["rejected frames", socket?.rejected_frames && String(socket.rejected_frames)],
  ].filter(([, value]) => value);
  const text = JSON.stringify(facts);
  if (list.dataset.facts !== text) {
    list.dataset.facts = text;
    const fact = ([name, value]) => el("div", {}, el("dt", { textContent: name }), el("dd", { textContent: value }));
    list.replaceChildren(...facts.map(fact));
  }
}

function sum(numbers) {
  const total = numbers.reduce((a, b) => a + b, 0);
  return total > 0 && String(total);
}

// Logs of requests and frames

/** The newest entries, and the rows of those that match the filter. */
class Log {
  constructor(name, matches, create, update) {
    Object.assign(this, { name, matches, create, update, entries: [], dropped: 0, limit: SHOWN, nodes: new Map(), timer: null });
    $(`${name}-more`).addEventListener("click", () => {
      this.limit += SHOWN;
      this.render();
    });
  }

  add(entry) {
    this.entries.push(entry);
    if (this.entries.length > KEPT) this.dropped += this.entries.splice(0, this.entries.length - KEPT).length;
    this.changed();
  }

  changed() {
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.render();
    }, RENDER_DELAY);
  }

  clear() {
    this.entries = [];
    this.dropped = 0;
    this.limit = SHOWN;
    this.render();
  }

  render() {
    const found = this.entries.filter(this.matches);
    const shown = found.slice(-this.limit).reverse();
    reconcile($(`${this.name}-list`), this.nodes, shown, (entry) => entry.number, this.create, this.update);
    setText($(`${this.name}-count`), (this.entries.length + this.dropped).toLocaleString("en"));
    const older = found.length - shown.length;
    $(`${this.name}-more`).hidden = older === 0;
    setText($(`${this.name}-more`), `Show ${Math.min(older, SHOWN)} of ${count(older, "older entry", "older entries")}`);
    $(`${this.name}-empty`).hidden = this.entries.length > 0;
    const none = $(`${this.name}-none`);
    if (none) none.hidden = this.entries.length === 0 || found.length > 0;
    const dropped = $(`${this.name}-dropped`);
    if (dropped) setText(dropped, this.dropped > 0 ? `${count(this.dropped, "older request")} no longer kept` : "");
  }
}

// Requests

const isError = (entry) => entry.isOver && !(entry.status < 400);
const requests = new Log("requests", matchesFilter, createRequest, updateRequest);
let byNumber = new Map();

function matchesFilter(entry) {
  const show = $("show").value;
  if (show === "errors" && !isError(entry)) return false;
  if (show === "faults" && !entry.fault) return false;
  if (show === "open" && entry.isOver) return false;
  const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  entry.text ??= JSON.stringify([
    entry.method, entry.path, entry.query, entry.operation, entry.status, entry.fault, entry.body, entry.responseBody,
  ]).toLowerCase();
  return words.every((word) => entry.text.includes(word));
}

function createRequest(entry) {
  const summary = el(
    "summary",
    {},
    el("time", { className: "soft", dateTime: entry.at, textContent: time(entry.at) }),
    el("span", { className: "what" },
      el("span", { className: "method mono", textContent: entry.method }), " ",
      el("span", { className: "mono", textContent: entry.path + (entry.query ? `?${entry.query}` : "") }), " ",
      entry.fault ? el("span", { className: "tag warn", textContent: `fault: ${entry.fault}` }) : null),
    el("span", { className: "side-notes" }, el("span"), el("span", { className: "status" })),
  );
  const node = el("details", {}, summary);
  node.addEventListener("toggle", () => updateRequest(node, entry));
  return node;
}

function updateRequest(node, entry) {
  const [milliseconds, status] = node.firstChild.lastChild.children;
  setText(milliseconds, entry.isOver ? `${entry.milliseconds} ms` : "");
  setText(status, !entry.isOver ? "…" : entry.status === null ? "dropped" : String(entry.status));
  status.className = `status ${!entry.isOver ? "soft" : isError(entry) ? "bad" : "good"}`;
  const version = `${node.open} ${entry.isOver}`;
  if (node.dataset.version === version) return;
  node.dataset.version = version;
  node.querySelector(".detail")?.remove();
  if (!node.open) return;
  const button = el("button", { type: "button", textContent: "Copy as curl" });
  button.addEventListener("click", () => copy(button, curl(entry)));
  const operation = entry.operation ?? "no operation of the document";
  node.append(el(
    "div",
    { className: "detail" },
    el("div", { className: "bar" }, el("code", { className: "soft", textContent: operation }), button),
    headerList("Request headers", entry.headers),
    ...body("Request body", entry.body, entry.bodyBytes),
    entry.isOver && entry.status === null
      ? el("p", { className: "bad", textContent: "No response: the connection was dropped, or the client gave up." })
      : null,
    entry.responseHeaders ? headerList("Response headers", entry.responseHeaders) : null,
    ...(entry.isOver && entry.status !== null ? body("Response body", entry.responseBody, entry.responseBytes) : []),
  ));
}

function headerList(title, headers) {
  const text = headers.map(([name, value]) => `${name}: ${value}`).join("\n");
  return el("details", {}, el("summary", { textContent: `▸ ${title} (${headers.length})` }), el("pre", { textContent: text }));
}

function body(title, json, bytes) {
  if (!bytes) return [];
  const text = json === null ? `${count(bytes, "byte")}: not JSON, or too large to show` : JSON.stringify(json, null, 2);
  return [el("h3", { textContent: title }), el("pre", { tabIndex: 0, ariaLabel: title, textContent: text })];
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(entry) {
  const url = state.url + entry.path + (entry.query ? `?${entry.query}` : "");
  const parts = ["curl", "-X", entry.method, quoted(url)];
  if (entry.headers.some(([name]) => name === "authorization")) parts.push('-H "Authorization: Bearer $LIVEAVATAR_SESSION_TOKEN"');
  if (entry.headers.some(([name]) => name === "x-api-key")) parts.push('-H "X-API-KEY: $LIVEAVATAR_API_KEY"');
  if (entry.body !== null) parts.push("-H 'Content-Type: application/json'", "-d", quoted(JSON.stringify(entry.body)));
  return parts.join(" ");
}

$("filter").addEventListener("input", () => requests.changed());
$("show").addEventListener("change", () => requests.changed());
$("clear-requests").addEventListener("click", () => {
  byNumber = new Map();
  requests.clear();
});
$("reset-filter").addEventListener("click", () => {
  $("filter").value = "";
  $("show").value = "all";
  requests.render();
  $("filter").focus();
});
$("copy-export").addEventListener("click", () => copy($("copy-export"), $("export").textContent));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    $("filter").focus();
  }
});

// Frames

const frames = new Log("frames", matchesFrames, createFrame, () => {});

const typeOf = (frame) => frame?.type ?? frame?.event_type;

function matchesFrames(entry) {
  const session = $("frames-session").value;
  if (session && entry.session !== session) return false;
  return !($("hide-routine").checked && ROUTINE.test(typeOf(entry.frame) ?? ""));
}

function createFrame(entry) {
  const { frame } = entry;
  const error = frame?.error?.message ?? frame?.warning?.message;
  const detail = error ?? frame?.audio ?? frame?.state ?? frame?.new_state ?? frame?.text ?? frame?.event_id ?? "";
  const [arrow, from] = { client: ["→", "from the client"], mock: ["←", "from the mock"] }[entry.from] ?? ["•", "connection"];
  const name = typeOf(frame) ?? (typeof frame === "string" ? frame : "JSON");
  const summary = el(
    "summary",
    {},
    el("time", { className: "soft", dateTime: entry.at, textContent: time(entry.at) }),
    el("span", { className: "what" },
      el("span", { role: "img", ariaLabel: from, title: from, textContent: arrow }), " ",
      el("span", { className: error ? "mono bad" : "mono", textContent: name }), " ",
      el("span", { className: "soft", textContent: String(detail) })),
    el("span", { className: "side-notes" },
      el("span", { textContent: `${entry.channel} ${entry.session.slice(-4)}` }),
      entry.bytes ? el("span", { textContent: `${entry.bytes.toLocaleString("en")} B` }) : null),
  );
  const node = el("details", {}, summary);
  node.addEventListener("toggle", () => {
    if (node.open && node.children.length === 1) {
      node.append(el("div", { className: "detail" }, el("pre", { tabIndex: 0, ariaLabel: "Frame", textContent: JSON.stringify(frame, null, 2) })));
    }
  });
  return node;
}

$("frames-session").addEventListener("change", () => frames.changed());
$("hide-routine").addEventListener("change", () => frames.changed());
$("clear-frames").addEventListener("click", () => frames.clear());

// Audio

const audioNodes = new Map();
const heard = new Map();
const player = new Audio();
let playing = null;

function renderAudio() {
  const sessions = state.sessions.filter((session) => session.heard_seconds > 0);
  $("audio-empty").hidden = sessions.length > 0;
  setText($("audio-empty"), state.records_audio
    ? "Nothing was heard yet. Send audio to a LITE session, for example with: liveavatar speak FILE.wav"
    : "The mock does not keep audio. Start it with --record-audio (or --open) to see and hear what your program sends.");
  reconcile($("audio-list"), audioNodes, sessions, (session) => session.id, createAudio, updateAudio);
}

function createAudio(session) {
  const source = `sessions/${session.id}/audio`;
  const play = el("button", { type: "button", textContent: "Play" });
  play.addEventListener("click", () => togglePlaying(session.id, source));
  return el(
    "div",
    { className: "heard" },
    el("div", { className: "bar" },
      play,
      el("a", { href: source, download: `${session.id}.wav`, textContent: "Download WAV" }),
      el("span"),
      el("code", { className: "id soft", textContent: session.id })),
    el("canvas", { role: "img" }),
  );
}

function updateAudio(node, session) {
  const utterances = session.socket?.utterances ?? [];
  const text = `${session.heard_seconds.toFixed(2)} s in ${count(utterances.length, "utterance")}`;
  setText(node.firstChild.children[2], text);
  const audio = heard.get(session.id) ?? { bytes: 0, peaks: [], seconds: 0 };
  heard.set(session.id, audio);
  audio.marks = utterances.map((utterance) => utterance.audio);
  if (audio.seconds !== session.heard_seconds && !audio.isLoading) {
    audio.isLoading = true;
    audio.seconds = session.heard_seconds;
    loadPeaks(session.id, audio).finally(() => {
      audio.isLoading = false;
      draw(node, session.id);
    });
  }
  node.lastChild.ariaLabel = `Waveform of ${text}`;
  draw(node, session.id);
}

/** Reads the audio that is new; peaks are the loudest sample of each 20 ms, from 0 to 1. */
async function loadPeaks(id, audio) {
  const response = await fetch(`sessions/${id}/audio?skip=${audio.bytes}`);
  if (!response.ok) return;
  const file = new DataView(await response.arrayBuffer());
  let at = 12;
  while (at + 8 <= file.byteLength && file.getUint32(at) !== 0x64617461) at += 8 + file.getUint32(at + 4, true);
  const samples = Math.floor((file.byteLength - at - 8) / 2);
  for (let first = 0; first + SAMPLES_PER_PEAK <= samples; first += SAMPLES_PER_PEAK) {
    let peak = 0;
    for (let index = first; index < first + SAMPLES_PER_PEAK; index++) {
      peak = Math.max(peak, Math.abs(file.getInt16(at + 8 + index * 2, true)));
    }
    audio.peaks.push(peak / 32_768);
    audio.bytes += SAMPLES_PER_PEAK * 2;
  }
}

function draw(node, id) {
  const canvas = node.lastChild;
  const { peaks, marks, seconds } = heard.get(id);
  const scale = devicePixelRatio;
  const [width, height] = [Math.round(canvas.clientWidth * scale), Math.round(canvas.clientHeight * scale)];
  if (width === 0) return;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas.parentNode.querySelector("a"));
  context.fillStyle = style.color;
  const bars = Math.min(width, peaks.length);
  for (let bar = 0; bar < bars; bar++) {
    const part = peaks.slice(Math.floor((bar * peaks.length) / bars), Math.floor(((bar + 1) * peaks.length) / bars));
    const size = Math.max(scale, Math.max(...part) * height * 0.94);
    context.fillRect((bar * width) / bars, (height - size) / 2, Math.max(1, width / bars - scale / 2), size);
  }
  context.fillStyle = getComputedStyle(node.querySelector(".soft")).color;
  let from = 0;
  for (const mark of marks.slice(0, -1)) {
    from += mark;
    context.fillRect((from / seconds) * width, 0, scale, height);
  }
  if (playing === id && player.duration) {
    context.fillStyle = getComputedStyle(document.body).color;
    context.fillRect((player.currentTime / player.duration) * width, 0, 2 * scale, height);
  }
}

function togglePlaying(id, source) {
  const isPlaying = playing === id;
  stopPlaying();
  if (isPlaying) return;
  playing = id;
  player.src = source;
  audioNodes.get(id).querySelector("button").textContent = "Stop";
  player.play().then(follow, () => {
    stopPlaying();
    problem("The browser did not play the audio.");
  });
}

function follow() {
  if (!playing || !audioNodes.has(playing)) return;
  draw(audioNodes.get(playing), playing);
  requestAnimationFrame(follow);
}

function stopPlaying() {
  player.pause();
  const node = audioNodes.get(playing);
  const id = playing;
  playing = null;
  if (node) {
    node.querySelector("button").textContent = "Play";
    draw(node, id);
  }
}

player.addEventListener("ended", stopPlaying);
addEventListener("resize", () => audioNodes.forEach(draw));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => audioNodes.forEach(draw));

// Faults

const error = (status, message, headers = {}) => ({ before: { status, headers, body: { code: status * 10, data: null, message } } });
const KINDS = [
  ["Fails before it takes effect", [
    ["503 Service Unavailable", error(503, "Service Unavailable")],
    ["500 Internal Server Error", error(500, "Internal Server Error")],
    ["502 with an HTML page", { before: { status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad Gateway</h1>" } }],
    ["429 with Retry-After: 1", error(429, "Too Many Requests", { "retry-after": "1" })],
    ["401 Unauthorized", error(401, "Unauthorized")],
    ["404 Not Found", error(404, "Not found")],
    ["connection dropped", { before: "disconnect" }],
    ["no response", { before: "hang" }],
  ]],
  ["Takes effect, then fails", [
    ["503 afterwards", { after: error(503, "Service Unavailable").before }],
    ["connection dropped afterwards", { after: "disconnect" }],
    ["no response afterwards", { after: "hang" }],
  ]],
  ["Slow", [
    ["2 s late", { delayed: 2 }],
    ["30 s late", { delayed: 30 }],
  ]],
];

const faultNodes = new Map();
/** Faults that a switch has turned off, which can be turned on again. */
const turnedOff = new Map();

/** Returns JSON with sorted keys. */
function canonical(value) {
  const sorted = (_, part) => (part?.constructor === Object ? Object.fromEntries(Object.entries(part).sort()) : part);
  return JSON.stringify(value, sorted);
}

function faultName(fault) {
  if (fault.mutated) return `response with ${words(fault.mutated)}`;
  const known = KINDS.flatMap(([, kinds]) => kinds).find(([, kind]) => canonical(kind) === canonical(fault));
  if (known) return known[0];
  if (fault.delayed) return `${fault.delayed} s late`;
  const [when, failure] = Object.entries(fault)[0];
  return `${failure.status ?? failure}${when === "after" ? " afterwards" : ""}`;
}

const words = (name) => name.replace(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

function renderFaults() {
  if ($("fault-operation").options.length === 0) fillFaultForm();
  const active = new Set(state.faults.map((fault) => fault.id));
  const off = [...turnedOff.values()].filter((fault) => !active.has(fault.id));
  const all = [...state.faults.map((fault) => ({ ...fault, isOn: true })), ...off];
  $("faults-empty").hidden = all.length > 0;
  $("clear-faults").hidden = all.length === 0;
  setText($("faults-count"), String(active.size));
  renderRoomFaults();
  reconcile($("faults-list"), faultNodes, all, (fault) => `${fault.id}`, createFault, updateFault);
}

const ROOM_FAULTS = [
  ["The avatar joins 5 s late", { late_avatar: 5 }],
  ["The avatar never joins", "no_avatar"],
  ["A quarter of the media packets is lost", { packet_loss: 0.25 }],
  ["Data packets are lost", "no_data"],
  ["The voice is silent", "silence"],
];

function renderRoomFaults() {
  $("room-faults").hidden = state.room_faults === null;
  const list = $("room-faults-list");
  if (list.children.length === 0) {
    list.append(...ROOM_FAULTS.map(([name, fault]) => {
      const toggle = el("button", { type: "button", role: "switch", "aria-checked": "false", ariaLabel: name });
      toggle.addEventListener("click", () => {
        const others = state.room_faults.filter((other) => JSON.stringify(other) !== JSON.stringify(fault));
        const isOn = others.length < state.room_faults.length;
        control("PUT", "rooms/faults", isOn ? others : [...others, fault]);
      });
      return el("li", {}, toggle, el("span", { textContent: name }));
    }));
  }
  const active = new Set(state.room_faults?.map((fault) => JSON.stringify(fault)));
  ROOM_FAULTS.forEach(([, fault], at) => {
    list.children[at].firstChild.setAttribute("aria-checked", String(active.has(JSON.stringify(fault))));
  });
}

$("disconnect-rooms").addEventListener("click", () => control("POST", "rooms/faults", "disconnect"));

function fillFaultForm() {
  $("fault-operation").append(...state.operations.map((name) => el("option", { textContent: name })));
  $("fault-operation").value = "start_session";
  const kinds = [...KINDS, ["Wrong response", state.mutations.map((name) => [words(name), { mutated: name }])]];
  const option = ([name, fault]) => el("option", { textContent: name, value: JSON.stringify(fault) });
  $("fault-kind").append(...kinds.map(([label, options]) => el("optgroup", { label }, ...options.map(option))));
}

function createFault() {
  const toggle = el("button", { type: "button", role: "switch" });
  const node = el("li", {}, toggle, el("span"));
  toggle.addEventListener("click", () => switchFault(node.fault));
  return node;
}

function updateFault(node, fault) {
  node.fault = fault;
  const [toggle, text] = node.children;
  const times = fault.times > 1_000_000 ? "every call" : count(fault.times, "more call", "more calls");
  setText(text, `${fault.operation}: ${faultName(fault.fault)} (${fault.isOn ? times : "off"})`);
  toggle.setAttribute("aria-checked", String(fault.isOn));
  toggle.ariaLabel = `${fault.operation}: ${faultName(fault.fault)}`;
}

async function switchFault(fault) {
  if (fault.isOn) {
    turnedOff.set(fault.id, { ...fault, isOn: false });
    await control("DELETE", `faults/${fault.id}`);
  } else {
    const { operation, times } = fault;
    const response = await control("POST", "faults", { operation, times, fault: fault.fault });
    if (response?.ok) {
      turnedOff.delete(fault.id);
      // The row stays, with its focus.
      const node = faultNodes.get(`${fault.id}`);
      faultNodes.delete(`${fault.id}`);
      faultNodes.set(response.headers.get("fault-id"), node);
    }
  }
}

$("fault-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const fault = JSON.parse($("fault-kind").value);
  control("POST", "faults", { operation: $("fault-operation").value, times: Number($("fault-times").value), fault });
});
$("clear-faults").addEventListener("click", () => {
  turnedOff.clear();
  control("DELETE", "faults");
});

// Events

let run = null;
let number = 0;
const source = new EventSource("events");

function connection(kind, text) {
  $("connection").dataset.state = kind;
  setText($("connection"), text);
}

function on(kind, handle) {
  source.addEventListener(kind, (event) => {
    handle(JSON.parse(event.data));
    changed();
  });
}

let refreshTimer = null;
function changed() {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = null;
    refresh();
  }, 150);
}

source.addEventListener("error", () => connection("lost", "not connected: start the mock again on the same port"));
on("hello", (hello) => {
  connection("live", "live");
  problem("");
  if (run !== null && run !== hello.run) {
    // Another mock on the same port begins from nothing.
    byNumber = new Map();
    heard.clear();
    turnedOff.clear();
    requests.clear();
    frames.clear();
  }
  run = hello.run;
});
on("dropped", ({ events }) => problem(`${count(events, "older event")} are no longer kept and not shown.`));
on("request", (data) => {
  const entry = { ...data, number: data.request, bodyBytes: data.body_bytes, isOver: false };
  byNumber.set(entry.number, entry);
  requests.add(entry);
});
on("response", (data) => {
  const entry = byNumber.get(data.request);
  if (!entry) return;
  byNumber.delete(data.request);
  const { status, milliseconds, headers, body: responseBody, body_bytes: responseBytes } = data;
  Object.assign(entry, { status, milliseconds, responseHeaders: headers, responseBody, responseBytes, isOver: true, text: undefined });
  requests.changed();
});
on("frame", (data) => frames.add({ ...data, number: ++number }));
on("opened", (data) => frames.add({ ...data, frame: `${data.channel} opened`, number: ++number }));
on("closed", (data) => frames.add({ ...data, frame: `${data.channel} closed`, number: ++number }));

refresh();
