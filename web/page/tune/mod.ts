export { tunePart } from "./tune_part.ts";
