export { benchPart } from "./bench_part.ts";
