import type { Career } from "../../../data/career.ts";
import type { ImportPort, ImportQuestion, ImportReply, OpenedFile } from "./import_messages.ts";

/** A worker that reads files, and how to end it. */
export interface ImportWorker extends ImportPort {
  terminate(): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  addEventListener(type: "error", listener: (event: Event) => void): void;
}

/** Reads files in a worker, which it starts when it is needed first. */
export class ImportClient {
  readonly #start: () => ImportWorker;
  readonly #waiting = new Map<number, (reply: ImportReply) => void>();
  #worker: ImportWorker | undefined;
  #count = 0;

  constructor(start: () => ImportWorker = startWorker) {
    this.#start = start;
  }

  /**
   * Finds out what a file is, and reads it.
   *
   * @throws {Error} If it is nothing that can be read, saying what it must be.
   */
  async open(file: File, signal?: AbortSignal): Promise<OpenedFile> {
    const reply = await this.#ask({ kind: "open", name: file.name, blob: file }, signal);
    if ("opened" in reply) return reply.opened;
    throw new Error("error" in reply ? reply.error : "Cannot read the file: got another answer");
  }

  /**
   * Reads one person of the file of careers that was opened last.
   *
   * @throws {Error} If there is none of that id, or its row is damaged.
   */
  async career(id: string, signal?: AbortSignal): Promise<Career> {
    const reply = await this.#ask({ kind: "career", id }, signal);
    if ("career" in reply) return reply.career;
    throw new Error("error" in reply ? reply.error : "Cannot read the career: got another answer");
  }

  /** Ends the worker, and with it whatever it reads; the next file starts another. */
  close(why = "Cannot go on reading: it was ended"): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const [request, resolve] of this.#waiting) resolve({ request, error: why });
    this.#waiting.clear();
  }

  #ask(question: ImportQuestion, signal?: AbortSignal): Promise<ImportReply> {
    signal?.throwIfAborted();
    const request = this.#count++;
    const worker = (this.#worker ??= this.#open());
    const end = () => this.close();
    signal?.addEventListener("abort", end, { once: true });
    const answered = new Promise<ImportReply>((resolve) => this.#waiting.set(request, resolve));
    worker.postMessage({ request, question }, []);
    return answered.finally(() => signal?.removeEventListener("abort", end));
  }

  #open(): ImportWorker {
    const worker = this.#start();
    worker.addEventListener("message", ({ data }) => {
      const reply = data as ImportReply;
      this.#waiting.get(reply.request)?.(reply);
      this.#waiting.delete(reply.request);
    });
    worker.addEventListener("error", () => {
      this.close(
        "Cannot read the file: the reader could not start or broke down (reload the page)",
      );
    });
    return worker;
  }
}

function startWorker(): ImportWorker {
  return new Worker(new URL("./import_worker.ts", import.meta.url), { type: "module" });
}
