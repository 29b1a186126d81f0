import "./career.css";

export { careerPart } from "./career_part.ts";
