/**
 * Reports as files: a {@linkcode ReportDocument} becomes a page, Markdown, CSV, LaTeX and SVG.
 *
 * Plots are drawn by Observable Plot on the server, which takes a second to load: import this from
 * inside of a command.
 */
export type * from "./document.ts";
export { figureToCsv } from "./figure_data.ts";
export { figureToSvg } from "./figure_svg.ts";
export { renderHtml } from "./html.ts";
export { documentToMarkdown } from "./markdown.ts";
export {
  modelCard,
  type CardResult,
  type ModelCardInput,
  type TrainingStage,
} from "./model_card.ts";
export { tableToCsv, tableToLatex, tableToMarkdown } from "./table_text.ts";
export { checkReportFolder, writeReport } from "./write_report.ts";
