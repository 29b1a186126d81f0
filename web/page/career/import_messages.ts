import type { Career } from "../../../data/career.ts";
import type { ListedPerson } from "../../../data/personal/careers_file.ts";
import type { OccupationMatch } from "../../../data/personal/match_title.ts";
import type { PersonalHistory } from "../../../data/personal/personal_history.ts";

/** What the page asks of the worker that reads files. */
export type ImportQuestion =
  | { readonly kind: "open"; readonly name: string; readonly blob: Blob }
  /** One person of the file that was opened last. */
  | { readonly kind: "career"; readonly id: string };

/** What a file is found to be. */
export type OpenedFile =
  | {
      readonly kind: "history";
      readonly source: "JSON Resume" | "LinkedIn";
      readonly history: PersonalHistory;
      /** Occupations that the title of each position may mean, best first. */
      readonly matches: readonly (readonly OccupationMatch[])[];
    }
  | {
      readonly kind: "careers";
      readonly people: readonly ListedPerson[];
      readonly isComplete: boolean;
      readonly notes: readonly string[];
    };

/** A question with its number. */
export interface ImportRequest {
  readonly request: number;
  readonly question: ImportQuestion;
}

/** The answer to the question of that number. */
export type ImportReply =
  | { readonly request: number; readonly opened: OpenedFile }
  | { readonly request: number; readonly career: Career }
  /** Errors lose their class on the way; the message says all. */
  | { readonly request: number; readonly error: string };

/** A worker, or its end of the line, as far as it is needed here. */
export interface ImportPort {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}
