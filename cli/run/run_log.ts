import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeAtomically } from "../platform/files.ts";

/** Name of the log in a run's folder. */
const LOG_FILE = "log.jsonl";

/** The log of a run: one JSON object a line, in the order of events. */
export class RunLog {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /**
   * Opens the log to go on after a step. What an earlier process logged behind that step, which
   * will be taken again, is dropped.
   */
  static async open(folder: string, step: number): Promise<RunLog> {
    const path = join(folder, LOG_FILE);
    const before = step === 0 ? [] : (await readFile(path, "utf8").catch(() => "")).split("\n");
    const kept = before.filter((line) => isUpTo(line, step));
    await writeAtomically(path, kept.map((line) => `${line}\n`).join(""));
    return new RunLog(await open(path, "a"));
  }

  /** Adds an event; it is in the file when the promise resolves. */
  async append(event: object): Promise<void> {
    await this.#file.appendFile(`${JSON.stringify(event)}\n`);
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** Whether a line is whole and tells of nothing behind the step; ends are told by the last process only. */
function isUpTo(line: string, step: number): boolean {
  try {
    const event = JSON.parse(line) as { readonly type?: unknown; readonly step?: unknown };
    return event.type !== "end" && typeof event.step === "number" && event.step <= step;
  } catch {
    return false; // the process died while it wrote
  }
}
