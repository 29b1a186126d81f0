import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where systems install Chromium or Chrome. */
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];

/** Keep the browser to itself: no updates, no reports, no first-run pages. */
const QUIET = [
  "--no-first-run",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** WebGPU on SwiftShader, which every Chromium brings along: the same on every machine. */
const SWIFT_SHADER = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
  "--ignore-gpu-blocklist",
];

/** The browser that tests run in: `TENURE_CHROMIUM`, else the first that is installed. */
export function findChromium(): string | undefined {
  return [process.env["TENURE_CHROMIUM"], ...PLACES].find(
    (path) => path !== undefined && existsSync(path),
  );
}

/**
 * Reason to skip a test that needs a browser, or `false` if there is one. With
 * `TENURE_BROWSER=required` nothing is skipped: {@linkcode launchChromium} then fails.
 */
export const noChromium: string | false =
  findChromium() !== undefined || process.env["TENURE_BROWSER"] === "required"
    ? false
    : "needs Chromium: install it, or name it in TENURE_CHROMIUM";

/**
 * Starts a headless browser whose WebGPU runs on SwiftShader; who starts it closes it.
 *
 * @param more Further switches of Chromium.
 * @throws {Error} If there is none.
 */
export async function launchChromium(more: readonly string[] = []): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) {
    throw new Error(
      "Cannot start a browser: Chromium must be installed, got none; install it, or name it in TENURE_CHROMIUM",
    );
  }
  // The sandbox needs what containers and the root user do not have; all pages are our own.
  const args = [...QUIET, ...SWIFT_SHADER, "--no-sandbox", ...more];
  return chromium.launch({ executablePath, args });
}
