import type { PersonalSource } from "../../../data/mod.ts";

/** A file in memory, its bytes handed out in chunks, each time from the beginning. */
export function sourceOf(
  name: string,
  content: string | Uint8Array,
  { chunk = 1000, size }: { readonly chunk?: number; readonly size?: number } = {},
): PersonalSource & { numOpened: number; numRead: number } {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const source = {
    name,
    size: size ?? bytes.length,
    numOpened: 0,
    numRead: 0,
    stream(): ReadableStream<Uint8Array> {
      source.numOpened++;
      let at = 0;
      return new ReadableStream<Uint8Array>({
        pull(controller) {
          if (at >= bytes.length) {
            controller.close();
            return;
          }
          const piece = bytes.slice(at, at + chunk);
          at += chunk;
          source.numRead += piece.length;
          controller.enqueue(piece);
        },
      });
    },
  };
  return source;
}

/** A JSON Resume of somebody who studied, waited at tables and became a nurse. */
export const RESUME = {
  basics: { name: "A. Person", email: "a.person@example.org" },
  work: [
    {
      name: "St. Elsewhere",
      position: "Registered Nurse, ICU",
      startDate: "2016-07-01",
      highlights: ["Nights"],
    },
    {
      company: "The Diner",
      position: "Waitress",
      startDate: "2011-06",
      endDate: "2014",
    },
  ],
  education: [
    {
      institution: "State University",
      area: "Nursing",
      studyType: "Bachelor of Science",
      startDate: "2012-09",
      endDate: "2016-05",
    },
  ],
};

/** Positions as LinkedIn exports them. */
export const POSITIONS_CSV = [
  "Company Name,Title,Description,Location,Started On,Finished On",
  '"Acme, Inc.",Senior Software Engineer,"Wrote code,',
  'and ""tests""",Berlin,Jan 2019,',
  "Globex,Barista,,,2015,Dec 2018",
  ",,,,,",
  "Initech,,,,Mar 2014,Apr 2014",
  "Hooli,Intern,,,Someday,",
  "Umbrella,Time traveler,,,Mar 2014,Feb 2013",
  "",
].join("\r\n");

/** Schools as LinkedIn exports them. */
export const EDUCATION_CSV = [
  "School Name,Start Date,End Date,Notes,Degree Name,Activities",
  'Some University,2011,2015,,"Bachelor of Arts (B.A.), Philosophy",Chess',
  "Lincoln High School,2007,2011,,,",
  "Elite College,Sep 2016,2017,Dropped out,Master of Science,",
  "",
].join("\n");
