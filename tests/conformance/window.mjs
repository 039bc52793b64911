// Opens the window into the mock and the page of a session in Chromium, as a person who debugs an agent does.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, executablePath, cli, outlineFile, screenshots, picture] = process.argv.slice(2);
// Node.js cannot resolve the packages by name, because they are not installed next to this file.
const packages = join(modules, "node_modules");
const entry = JSON.parse(readFileSync(join(packages, "puppeteer-core/package.json"))).exports["."].import;
const { default: puppeteer } = await import(pathToFileURL(join(packages, "puppeteer-core", entry.default ?? entry)));
const axe = readFileSync(join(packages, "axe-core/axe.min.js"), "utf8");

const TIMEOUT = 30_000;
// The exit code of a command that a signal ends.
const INTERRUPTED = 130;
const BURST = 1_000;
const FULL = { mode: "FULL", avatar_id: "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a", is_sandbox: true, avatar_persona: {} };

const folder = mkdtempSync(join(tmpdir(), "window-"));
mkdirSync(screenshots, { recursive: true });
const problems = [];
const outlines = [];
const programs = [];
// The sandbox of the browser does not work in containers, whose only interface may be the loopback.
const args = [
  "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
  "--allow-loopback-in-peer-connection", "--webrtc-ip-handling-policy=default_public_and_private_interfaces",
  "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
];
const browser = await puppeteer.launch({ executablePath, args });

/** Starts a command; `line()` returns the data of its next line. */
function start(args, variables = {}) {
  // Without a path, no browser of the desktop is found.
  const env = { PATH: "", LIVEAVATAR_API_KEY: "canary-api-key", ...variables };
  const program = spawn(cli, ["--json", ...args], { env, cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  programs.push(program);
  const lines = [];
  const waiting = [];
  let text = "";
  program.stdout.on("data", (data) => {
    text += data;
    const complete = text.split("\n");
    text = complete.pop();
    for (const line of complete) {
      const value = JSON.parse(line).data;
      const resolve = waiting.shift();
      if (resolve) resolve(value);
      else lines.push(value);
    }
  });
  const line = () => (lines.length > 0 ? lines.shift() : new Promise((resolve) => waiting.push(resolve)));
  const ended = new Promise((resolve) => program.on("exit", resolve));
  return { program, line, ended };
}

/** Opens a page, and records everything that it does beyond being shown. */
async function open(url, { width = 1280, scheme = "light", offline = false } = {}) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  const note = (problem) => page.isOffline || problems.push(problem);
  page.isOffline = offline;
  page.on("console", (message) => {
    // Browsers play no sound before a click, for which the page has a button.
    const isExpected = message.text().startsWith("The AudioContext was not allowed to start.");
    if (["error", "warn"].includes(message.type()) && !isExpected) note(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (hostname !== "127.0.0.1" && !["data:", "blob:"].includes(protocol)) note(`request: ${request.url()}`);
  });
  await page.evaluateOnNewDocument(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(url);
  return page;
}

/** Checks what is shown in light and dark, wide and narrow, and adds the outline of the accessibility tree. */
async function check(page, name) {
  for (const [view, width, scheme] of [["light", 1280, "light"], ["dark", 1280, "dark"], ["narrow", 400, "light"]]) {
    await page.setViewport({ width, height: 900 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.screenshot({ path: join(screenshots, `${name}-${view}.png`), fullPage: true });
    const actual = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(actual <= width, `${name} ${view}: the page is ${actual} pixels wide`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ preload: false }));
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => node.html).join("\n")}`);
    assert.deepEqual(found, [], `${name} ${view}: not accessible`);
  }
  await page.setViewport({ width: 1280, height: 900 });
  const lines = [];
  const walk = ({ role, name: text, children = [], ...state }, depth) => {
    const states = ["checked", "pressed", "expanded", "disabled"].filter((key) => state[key] !== undefined).map((key) => `${key}=${state[key]}`);
    // The options of a list box are many, and follow from the document.
    if (role !== "option" && role !== "StaticText" && role !== "InlineTextBox") {
      lines.push(`${"  ".repeat(depth)}${[role, text && JSON.stringify(text), ...states].filter(Boolean).join(" ")}`);
    } else if (role === "StaticText") {
      lines.push(`${"  ".repeat(depth)}${JSON.stringify(text)}`);
    }
    children.forEach((child) => walk(child, depth + 1));
  };
  walk(await page.accessibility.snapshot({ interestingOnly: true }), 1);
  outlines.push(`${name}\n${stable(lines.join("\n"))}\n`);
}

/** Replaces what differs between runs. */
function stable(text) {
  return text
    .replace(/127\.0\.0\.1:\d+/g, "ADDRESS")
    .replace(/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?/g, "TIME")
    .replace(/\b\d\d:\d\d:\d\d\b/g, "TIME")
    .replace(/\b\d+ ms\b/g, "N ms")
    .replace(/Events \d+/g, "Events N")
    .replace(/\b\d\d?:\d\d\b/g, "M:SS")
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-(?!0{8})[0-9a-f]{12}/g, "UUID")
    .replace(/(time left|idle end in|ran)",?/g, "$1\"")
    .replace(/"(\d+ min )?\d+ s"/g, "\"N s\"");
}

const wait = (page, condition, ...values) => page.waitForFunction(condition, { polling: 50 }, ...values);
const text = (page, selector) => page.$eval(selector, (element) => element.textContent);

/** Half a second of a rising tone. */
function wav() {
  const samples = 12_000;
  const file = Buffer.alloc(44 + samples * 2);
  file.write("RIFF", 0);
  file.writeUInt32LE(36 + samples * 2, 4);
  file.write("WAVEfmt ", 8);
  [[16, 4], [1, 2], [1, 2], [24_000, 4], [48_000, 4], [2, 2], [16, 2]].reduce((at, [value, size]) => file.writeUIntLE(value, at, size), 16);
  file.write("data", 36);
  file.writeUInt32LE(samples * 2, 40);
  for (let at = 0; at < samples; at++) file.writeInt16LE(Math.round((at / samples) * 20_000 * Math.sin(at / 17)), 44 + at * 2);
  return file;
}

async function checkWindow() {
  const mock = start(["mock", "--open"]);
  const { url, window } = await mock.line();
  const headers = { "x-api-key": "canary-api-key", "content-type": "application/json" };
  const call = (method, path, body) => fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
  const page = await open(window);
  await wait(page, () => document.getElementById("connection").dataset.state === "live");
  await check(page, "window-empty");

  // A session that speaks, a rejected request, and a fault that is added on the page.
  writeFileSync(join(folder, "tone.wav"), wav());
  const speak = start(["speak", "tone.wav"], { LIVEAVATAR_BASE_URL: url });
  assert.equal(await speak.ended, 0);
  await call("GET", "/v1/voices/6b1f3c1e-4a55-4a2c-9a90-0d2f6f5f8f10");
  await call("POST", "/v1/sessions/token", { mode: "FULL", context: "<img src=x onerror=alert(1)>" });
  await page.select("#fault-operation", "get_user_credits");
  await page.select("#fault-kind", await page.$$eval("#fault-kind option", (all) => all.find((it) => it.textContent === "503 Service Unavailable").value));
  await page.select("#fault-times", "4294967295");
  await page.click("#fault-form button");
  await wait(page, () => document.querySelector("#faults-list [role=switch]")?.getAttribute("aria-checked") === "true");
  assert.equal((await call("GET", "/v1/users/credits")).status, 503);
  await wait(page, () => document.querySelector("#requests-list").textContent.includes("fault: 503"));
  await wait(page, () => document.querySelector("#audio-list canvas")?.ariaLabel === "Waveform of 0.50 s in 1 utterance");
  await check(page, "window-used");

  // The switch turns the fault off and on again.
  const toggle = async (isOn) => {
    await page.click("#faults-list [role=switch]");
    await wait(page, (isOn) => document.querySelector("#faults-list [role=switch]").getAttribute("aria-checked") === isOn, String(isOn));
  };
  await toggle(false);
  assert.equal((await call("GET", "/v1/users/credits")).status, 200);
  await toggle(true);
  assert.equal((await call("GET", "/v1/users/credits")).status, 503);
  await page.click("#clear-faults");
  await wait(page, () => !document.querySelector("#faults-list li"));

  // The keyboard alone: filter, first row, its details.
  await page.focus("h1 ~ code").catch(() => {});
  await page.keyboard.press("/");
  await page.keyboard.type("sessions/token onerror");
  await wait(page, () => document.querySelectorAll("#requests-list > details").length === 1);
  for (const key of ["Tab", "Tab", "Tab", "Enter"]) await page.keyboard.press(key);
  await page.waitForSelector("#requests-list .detail pre");
  const shown = await text(page, "#requests-list .detail");
  assert.ok(shown.includes("<img src=x onerror=alert(1)>"), "a body is shown as text");
  assert.ok(shown.includes("x-api-key: [redacted]"), shown);
  await page.screenshot({ path: join(screenshots, "window-details.png"), fullPage: true });
  assert.ok(!(await page.content()).includes("canary-api-key"));

  // Credits and clock. Typed credits stay when the state changes.
  await page.click("#credits", { count: 3 });
  await page.keyboard.type("7");
  await page.click("[data-seconds='600']");
  await wait(page, () => document.getElementById("now").textContent >= "2026-01-01 00:10");
  const isSet = page.waitForResponse((response) => response.url().endsWith("/_mock/credits"));
  await page.click("#credits-form button");
  await isSet;
  assert.deepEqual(await (await call("GET", "/_mock/credits")).json(), { credits: 7 });

  // Many requests: few rows, all counted.
  await page.$eval("#filter", (input) => {
    input.value = "";
    input.dispatchEvent(new Event("input"));
  });
  for (let sent = 0; sent < BURST; sent += 50) {
    await Promise.all(Array.from({ length: 50 }, () => call("GET", "/v1/users/credits").then((response) => response.arrayBuffer())));
  }
  await wait(page, (least) => Number(document.getElementById("requests-count").textContent.replaceAll(",", "")) >= least, BURST);
  const rows = await page.$$eval("#requests-list > details", (all) => all.length);
  assert.ok(rows <= 200, `${rows} rows`);

  // The mock is gone.
  page.isOffline = true;
  mock.program.kill("SIGINT");
  await wait(page, () => document.getElementById("connection").dataset.state === "lost");
  await page.screenshot({ path: join(screenshots, "window-lost.png") });
  assert.equal(await mock.ended, INTERRUPTED);
  await page.close();
  console.log(`window: ${BURST} requests in ${rows} rows`);
}

async function checkSession() {
  const mock = start(["mock"]);
  const { url } = await mock.line();
  writeFileSync(join(folder, "full.json"), JSON.stringify(FULL));
  const session = start(["session", "start", "full.json", "--open"], { LIVEAVATAR_BASE_URL: url });
  await session.line();
  const { url: address } = await session.line();
  const page = await open(address, { offline: true });
  // The mock's room has a name that does not exist.
  await wait(page, () => document.getElementById("problem-title").textContent === "The room could not be joined.");
  assert.equal(new URL(page.url()).hash, "", "the secret is not in the address any more");
  await check(page, "session-no-room");

  const second = await open(address, { offline: true });
  await wait(second, () => document.getElementById("problem-title").textContent === "This address was used before.");
  await check(second, "session-used-address");
  await second.close();
  // A reload continues.
  await page.reload();
  await wait(page, () => document.getElementById("mode").textContent === "FULL");
  await page.click("#stop");
  await wait(page, () => document.getElementById("state").textContent === "ended");
  await check(page, "session-ended");
  assert.equal(await session.ended, 0);
  await page.close();
  console.log("session: no room, used address, reload, stop");
}

async function checkLive() {
  const mock = start(["mock", "--room"]);
  const { url, window } = await mock.line();
  writeFileSync(join(folder, "full.json"), JSON.stringify({ ...FULL, is_sandbox: false }));
  const session = start(["session", "start", "full.json", "--open"], { LIVEAVATAR_BASE_URL: url });
  await session.line();
  const { url: address } = await session.line();
  const page = await open(address);
  await wait(page, () => document.getElementById("state").textContent === "live");
  await wait(page, () => document.getElementById("video").videoWidth > 0);
  const from = await page.$eval("#video", (video) => video.currentTime);
  await wait(page, (from) => document.getElementById("video").currentTime > from + 1, from);

  // By keyboard: type, speak, and be interrupted.
  await page.focus("#text");
  await page.keyboard.type("Good morning! How can I help you today?");
  await page.keyboard.press("Enter");
  await wait(page, () => document.getElementById("transcript").textContent.includes("Good morning! How can I help you today?"));
  await wait(page, () => document.getElementById("events").textContent.includes("avatar.speak_started"));
  await page.screenshot({ path: join(screenshots, "session-speaking.png") });
  await page.click("#interrupt");
  await wait(page, () => document.getElementById("events").textContent.includes("avatar.speak_ended"));
  await page.focus("#text");
  await page.keyboard.type("What can you do?");
  await page.click("#respond");
  await wait(page, () => document.querySelectorAll("#transcript li").length === 3);
  await wait(page, () => !document.querySelector("#transcript .partial"));
  await wait(page, () => document.getElementById("events").textContent.match(/avatar.speak_started/g).length === 2);
  if (process.env.PAGES_UPDATE) {
    await page.setViewport({ width: 1000, height: 640 });
    await page.screenshot({ path: picture });
  }
  await page.focus("#text");
  await page.keyboard.type("<b>Text</b>");
  await page.keyboard.press("Enter");
  await wait(page, () => document.querySelector("#transcript li:last-child span").textContent === "<b>Text</b>");
  await page.click("#interrupt");
  await wait(page, () => document.getElementById("speaking").hidden);
  await check(page, "session-live");

  // A refused microphone says what to do; an allowed one is heard.
  await page.evaluate(() => {
    const { mediaDevices } = navigator;
    const allowed = mediaDevices.getUserMedia.bind(mediaDevices);
    mediaDevices.getUserMedia = () => {
      mediaDevices.getUserMedia = allowed;
      return Promise.reject(new DOMException("denied", "NotAllowedError"));
    };
  });
  await page.click("#microphone");
  await wait(page, () => document.getElementById("problem-title").textContent === "The browser refused the microphone.");
  await page.screenshot({ path: join(screenshots, "session-microphone.png") });
  await page.click("#retry");
  await wait(page, () => document.getElementById("microphone").getAttribute("aria-pressed") === "true");
  await wait(page, () => document.getElementById("events").textContent.includes("user.speak_started"));
  await page.click("#microphone");
  await wait(page, () => document.getElementById("microphone").getAttribute("aria-pressed") === "false");

  // The window shows the data packets, and the end of the session there reaches the page.
  const debug = await open(window);
  await wait(debug, () => document.getElementById("frames-list").textContent.includes("avatar.speak_text"));
  await debug.screenshot({ path: join(screenshots, "window-room.png"), fullPage: true });
  await debug.click(".session button");
  await wait(page, () => document.getElementById("problem-title").textContent.startsWith("The session has ended. The service ended it"));
  await page.screenshot({ path: join(screenshots, "session-ended-by-service.png") });
  await debug.close();
  await page.close();
  session.program.kill("SIGINT");
  await session.ended;
  console.log("session: picture, speech, interrupt, response, microphone, end");
}

try {
  await checkWindow();
  await checkSession();
  await checkLive();
  assert.deepEqual(problems, []);
  const actual = outlines.join("\n");
  if (process.env.PAGES_UPDATE || !existsSync(outlineFile)) writeFileSync(outlineFile, actual);
  assert.equal(actual, readFileSync(outlineFile, "utf8"), "the outline differs; if that is intended, run again with PAGES_UPDATE=1");
  console.log(`${outlines.length} outlines, no accessibility problem, no request that leaves this machine`);
} finally {
  await browser.close();
  programs.filter((program) => program.exitCode === null).forEach((program) => program.kill("SIGKILL"));
  rmSync(folder, { recursive: true });
}
