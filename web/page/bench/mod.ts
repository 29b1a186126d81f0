import "../charts/charts.css";
import "./bench.css";

export { benchPart } from "./bench_part.ts";
