// Opens the page of `cargo xtask diff --format html` from disk, as a reviewer does: by mouse, by keyboard, on a phone, in the dark.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, executablePath, file, outlineFile, screenshots] = process.argv.slice(2);
// Node.js cannot resolve the packages by name, because they are not installed next to this file.
const packages = join(modules, "node_modules");
const entry = JSON.parse(readFileSync(join(packages, "puppeteer-core/package.json"))).exports["."].import;
const { default: puppeteer } = await import(pathToFileURL(join(packages, "puppeteer-core", entry.default ?? entry)));
const axe = readFileSync(join(packages, "axe-core/axe.min.js"), "utf8");

const LEVELS = ["breaking", "warning", "info", "unhandled"];
const url = pathToFileURL(file).href;
const problems = [];
// The sandbox of the browser does not work in containers.
const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"];
const browser = await puppeteer.launch({ executablePath, args });
mkdirSync(screenshots, { recursive: true });

/** Opens the page, and records everything that it does beyond being shown. */
async function open({ width = 1200, scheme = "light" } = {}) {
  const page = await browser.newPage();
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.on("console", (message) => problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== url) problems.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** The elements that are shown, one line each, with their text where they hold no other block. */
function outline() {
  const inline = new Set(["A", "CODE", "DEL", "INS", "SPAN", "STRONG"]);
  const lines = (element, depth) => {
    if (!element.checkVisibility()) return [];
    const tag = element.tagName.toLowerCase();
    const name = [tag, element.type === "checkbox" && (element.checked ? "checked" : "unchecked"), element.open && "open"];
    const line = "  ".repeat(depth) + name.filter(Boolean).join(" ");
    const children = [...element.children];
    if (children.every((child) => inline.has(child.tagName))) {
      const text = element.innerText.replace(/\s+/g, " ").trim();
      return [text ? `${line}: ${text}` : line];
    }
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    const text = own.map((node) => node.data.trim()).join("");
    return [text ? `${line}: ${text}` : line, ...children.flatMap((child) => lines(child, depth + 1))];
  };
  return `${lines(document.body, 0).join("\n")}\n`;
}

const shown = (page) => page.$$eval("article", (all) => all.filter((one) => one.checkVisibility()).map((one) => one.className));

try {
  for (const [name, options] of Object.entries({ light: {}, dark: { scheme: "dark" }, narrow: { width: 400 } })) {
    const page = await open(options);
    await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= (options.width ?? 1200), `${name}: the page is ${width} pixels wide`);
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run({ preload: false }));
    const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((node) => node.html).join("\n")}`);
    assert.deepEqual(found, [], `${name}: not accessible`);
    await page.close();
  }

  const page = await open();
  const actual = await page.evaluate(outline);
  if (process.env.PAGES_UPDATE) writeFileSync(outlineFile, actual);
  assert.equal(actual, readFileSync(outlineFile, "utf8"), "the outline differs; if that is intended, run again with PAGES_UPDATE=1");

  // Every link leads to a part of the page.
  const dead = await page.$$eval("a", (links) => links.filter((link) => !document.querySelector(link.hash)).map((link) => link.href));
  assert.deepEqual(dead, []);

  // The keyboard alone filters by level: the first stops are the filters.
  const all = await shown(page);
  const present = LEVELS.filter((level) => all.includes(level));
  assert.deepEqual(present, LEVELS, "the page has changes of every level");
  for (const [at, level] of present.entries()) {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
    assert.deepEqual(await shown(page), all.filter((name) => present.indexOf(name) > at), `without ${level}`);
  }
  const visible = (selector) => page.$eval(selector, (element) => element.checkVisibility());
  assert.ok(await visible(".empty"), "a page without a level says so");
  assert.deepEqual(await page.$$eval(".group", (all) => all.filter((one) => one.checkVisibility()).length), 0);
  await page.keyboard.press("Space");
  assert.ok(!(await visible(".empty")));
  assert.deepEqual(problems, []);

  // The policy stops what a text of a document might smuggle in.
  const ran = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.smuggled = true";
    document.body.append(script);
    return "smuggled" in globalThis;
  });
  assert.ok(!ran, "the page runs scripts");
  console.log(`${all.length} changes, 3 views, ${actual.split("\n").length - 1} elements: no request, no script, no accessibility problem`);
} finally {
  await browser.close();
}
