import type { CareersFile } from "../../../data/personal/careers_file.ts";
import { matchTitle } from "../../../data/personal/match_title.ts";
import { readPersonalFile } from "../../../data/personal/read_personal.ts";
import type { ImportPort, ImportQuestion, ImportReply, ImportRequest } from "./import_messages.ts";

/** Answers what a page asks of files; it remembers the file of careers that was opened last. */
export function serveImports(port: ImportPort): void {
  let careers: CareersFile | undefined;
  const answer = async (question: ImportQuestion) => {
    if (question.kind === "career") {
      if (careers === undefined)
        throw new Error("Cannot read a career: no file of careers is open");
      return { career: await careers.readCareer(question.id) };
    }
    const { name, blob } = question;
    const file = await readPersonalFile({ name, size: blob.size, stream: () => blob.stream() });
    careers = file.kind === "careers" ? file : undefined;
    if (file.kind === "careers") {
      const { kind, people, isComplete, notes } = file;
      return { opened: { kind, people, isComplete, notes } };
    }
    const matches = file.history.positions.map(({ title }) => matchTitle(title));
    return { opened: { ...file, matches } };
  };
  const reply = async ({ request, question }: ImportRequest): Promise<ImportReply> => {
    try {
      return { request, ...(await answer(question)) };
    } catch (error) {
      return { request, error: error instanceof Error ? error.message : String(error) };
    }
  };
  port.addEventListener("message", ({ data }) => {
    void reply(data as ImportRequest).then((message) => port.postMessage(message, []));
  });
}
