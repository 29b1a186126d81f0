import "./results.css";

export { resultsPart } from "./results_part.ts";
