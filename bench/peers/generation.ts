/** What a peer's process prints, as its last line: one round with one model. */
export interface PeerRound {
  readonly loadMs: number;
  /** To the first token after prompts of 64 and 256 tokens; missing where it takes none. */
  readonly firstTokenMs?: readonly number[];
  /** Of each greedy step after the first. */
  readonly decodeMs: number;
  /** What the greedy steps wrote, where the model has a tokenizer. */
  readonly text?: string;
}

/** Greedy steps that are timed, and the prompts' lengths: as for tenure. */
export const PEER_STEPS = 200;
export const PEER_PROMPTS = [64, 256] as const;

/** Prints a round and ends the process, with whatever threads are left. */
export function printRound(round: PeerRound): void {
  process.stdout.write(`\n${JSON.stringify(round)}\n`, () => process.exit(0));
}

/**
 * Imports a package that is installed only to benchmark; what is used of it is typed here, so that
 * types can be checked where it is not.
 */
export async function importPeer<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}
