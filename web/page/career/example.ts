import type { Career } from "../../../data/career.ts";

/** A synthetic person, to try the page with. */
export const EXAMPLE_CAREER: Career = {
  id: "example",
  gender: "male",
  ethnicity: "hispanic or latino",
  region: "northcentral",
  birthYear: 1978,
  observations: [
    { year: 1997, education: "less than high school", occupation: "education" },
    { year: 1998, education: "high school", occupation: "505" },
    { year: 1999, education: "high school", occupation: "education" },
    { year: 2000, education: "high school", occupation: "567" },
    { year: 2002, education: "high school", occupation: "365" },
    { year: 2003, education: "high school", occupation: "859" },
  ],
};
