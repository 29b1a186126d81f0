/** How long a new wait polls eagerly before it falls back to the timer, in ms. */
const EAGER_MS = 0.3;

/** Interval of the timer, in ms: the finest that Node's timers keep. */
const TIMER_MS = 1;

type SetImmediate = typeof globalThis.setImmediate;

/**
 * Whether a `setImmediate` callback comes from a native addon rather than from
 * JavaScript: Dawn passes an anonymous native function without arguments.
 * Bound functions also print as native code, but carry a name ("bound …").
 */
export function isNativeCallback(callback: unknown, numArguments: number): boolean {
  return (
    numArguments === 0 &&
    typeof callback === "function" &&
    callback.name === "" &&
    Function.prototype.toString.call(callback).endsWith("{ [native code] }")
  );
}

/**
 * Wraps `setImmediate` so that an addon which polls through it stops spinning.
 *
 * While any promise of Dawn is pending, its Node binding polls the device once
 * per turn of the event loop, which keeps one core at 100 %: half of a small
 * machine whose other half is the software adapter. Here a wait polls eagerly
 * for 0.3 ms, so that short read-backs stay fast, then once per millisecond.
 * Callbacks from JavaScript reach the original unchanged.
 *
 * @param setImmediate The original function.
 * @returns The function to install in its place.
 */
export function withoutSpinning(setImmediate: SetImmediate): SetImmediate {
  let isPolling = false;
  let eagerUntil = 0;

  const wrapper = (callback: (...args: unknown[]) => void, ...args: unknown[]): unknown => {
    if (!isNativeCallback(callback, args.length)) return setImmediate(callback, ...args);
    const now = performance.now();
    // A poll that asks for the next one continues a wait; any other call begins one.
    if (!isPolling) eagerUntil = now + EAGER_MS;
    const poll = (): void => {
      isPolling = true;
      try {
        callback();
      } finally {
        isPolling = false;
      }
    };
    return now < eagerUntil ? setImmediate(poll) : setTimeout(poll, TIMER_MS);
  };
  // Keeps `util.promisify(setImmediate)` working.
  return Object.defineProperties(
    wrapper,
    Object.getOwnPropertyDescriptors(setImmediate),
  ) as SetImmediate;
}

let isInstalled = false;

/** Installs {@linkcode withoutSpinning} on the global `setImmediate`, once per process. */
export function installPolling(): void {
  if (isInstalled) return;
  isInstalled = true;
  globalThis.setImmediate = withoutSpinning(globalThis.setImmediate);
}
