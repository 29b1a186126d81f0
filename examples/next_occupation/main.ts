import { type Career, createWorkerEngine, type EngineError, OCCUPATIONS } from "tenure/web";

const [status, list] = [document.querySelector("p")!, document.querySelector("ol")!];
const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const engine = createWorkerEngine(worker);
const years = ["458", "458", "275"].map((occupation, i) => ({ year: 1991 + i, occupation }));
const observations = years.map((one) => ({ ...one, education: "high school" }) as const);
const who = { id: "visitor", gender: "female", ethnicity: "white", birthYear: 1970 };
const career: Career = { ...who, observations };
try {
  const onProgress = ({ what, done, unit }: { what: string; done: number; unit: string }) =>
    (status.textContent = `${what}: ${done} ${unit}`);
  await engine.load({ kind: "url", url: "model/" }, { onProgress });
  const { year, probabilities } = await engine.predict(career);
  const ranked = OCCUPATIONS.map(({ title }, i) => ({ title, share: probabilities[i]! }));
  for (const { title, share } of ranked.toSorted((a, b) => b.share - a.share).slice(0, 5)) {
    const text = `${title}: ${(100 * share).toFixed(1)} %`;
    list.appendChild(document.createElement("li")).textContent = text;
  }
  status.textContent = `Likely in ${year}:`;
} catch (error) {
  const { message, remedy } = error as EngineError;
  status.textContent = `${message}. ${remedy}`;
}
