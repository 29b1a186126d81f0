/** What is known of a browser without WebGPU. */
export interface Browser {
  /** As it calls itself. */
  readonly userAgent: string;
  /** Whether the page came in a way that browsers trust: https, or this machine. */
  readonly isSecure: boolean;
}

/** Why there is no WebGPU, and what to switch on, in sentences. */
export function webgpuAdvice({ userAgent, isSecure }: Browser): string[] {
  if (!isSecure) {
    return [
      "Browsers offer WebGPU only to pages that come by https or from this very machine. " +
        "Open this page by https, or from http://127.0.0.1 or http://localhost.",
    ];
  }
  return [
    ownAdvice(userAgent),
    "WebGPU is on by default in Chrome and Edge 113 and newer on Windows, macOS and ChromeOS, " +
      "in Chrome 121 and newer on Android, in Safari 26 and newer, " +
      "and in Firefox 141 and newer on Windows and 145 and newer on Macs with Apple silicon.",
    "It also needs a graphics driver that the browser does not distrust: bring the driver up to " +
      "date, and see that hardware acceleration is switched on in the browser's settings.",
  ];
}

function ownAdvice(userAgent: string): string {
  if (/Firefox\//.test(userAgent)) {
    return "In Firefox, bring it up to date; where WebGPU is still off, set dom.webgpu.enabled to true in about:config, and restart.";
  }
  if (/(Chrome|Chromium|Edg)\//.test(userAgent)) {
    return /Linux/.test(userAgent) && !/Android/.test(userAgent)
      ? "In Chrome or Chromium on Linux, switch on “Unsafe WebGPU Support” and “Vulkan” in chrome://flags, and restart; chrome://gpu tells what it found."
      : "Bring the browser up to date and see that “Use graphics acceleration when available” is on in its settings; chrome://gpu tells what it found.";
  }
  if (/Safari\//.test(userAgent)) {
    return "In Safari before 26, switch on WebGPU in Settings, Feature Flags (Develop menu), or bring the system up to date.";
  }
  return "This browser may have WebGPU in a newer version, or behind a setting.";
}
