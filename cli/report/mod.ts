/**
 * Reports as files: a `ReportDocument` becomes a page, Markdown, CSV, LaTeX and SVG.
 *
 * Plots are drawn by Observable Plot on the server, which takes a second to load: import this from
 * inside of a command.
 */
export { documentToMarkdown } from "./markdown.ts";
export { checkReportFolder, writeReport } from "./write_report.ts";
