import "../charts/charts.css";
import "./tune.css";

export { tunePart } from "./tune_part.ts";
