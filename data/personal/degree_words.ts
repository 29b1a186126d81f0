import type { Education } from "../career.ts";

/** Words of degrees, from what says most to what says least; the first that occurs decides. */
const DEGREES: readonly (readonly [Education, RegExp])[] = [
  [
    "any graduate",
    words(
      "ph ?d|d ?phil|doctor(?:ate|al)?|doktor|ed ?d|psy ?d|m ?d|j ?d|dds|dmd|dvm|pharm ?d|dnp|post ?doc(?:toral)?" +
        "|masters?|mag(?:ister)?|m ?sc|m ?s|m ?a|m ?b ?a|m ?p ?h|m ?p ?a|m ?p ?p|m ?f ?a|m ?ed|m ?eng|m ?phil|m ?s ?w|m ?s ?n" +
        "|ll ?m|m ?res|m ?tech|graduate degree|post ?graduate(?: degree)?|graduate school|law school|medical school" +
        "|staatsexamen|diplom|maitrise|maestria|laurea magistrale",
    ),
  ],
  [
    "college",
    words(
      "bachelors?|b ?a|b ?s|b ?sc|b ?b ?a|b ?f ?a|b ?s ?n|b ?eng|b ?tech|b ?com|b ?ed|b ?arch|ll ?b|a ?b|b ?s ?w" +
        "|(?<!international )baccalaureate|undergraduate(?: degree)?|honou?rs degree|licenciatura|licence|laurea|4 year degree" +
        "|four year degree|college degree|university degree",
    ),
  ],
  [
    "high school",
    words(
      "high school|highschool|h ?s diploma|ged|abitur|a levels?|secondary school|international baccalaureate|ib diploma" +
        "|baccalaureat|leaving certificate|matura|matric|lycee|gymnasium|liceo|sixth form|preparatory school|12th grade" +
        "|secondary education|upper secondary",
    ),
  ],
  ["some college", words("associates?|a ?a|a ?s|a ?a ?s|hnd|hnc")],
  [
    "some college",
    words(
      "some college|community college|junior college|foundation degree|technical diploma" +
        "|vocational(?: school| training)?|trade school|technical college|diploma|college|university|polytechnic|2 year degree|technical school",
    ),
  ],
  [
    "less than high school",
    words(
      "middle school|elementary school|primary school|junior high(?: school)?|grade school|gcses?|no diploma|hauptschule",
    ),
  ],
];

/** What the name of a school can say; abbreviations there are not of degrees. */
const SCHOOLS = DEGREES.slice(DEGREES.findIndex(([level]) => level === "high school")).filter(
  ([level, pattern]) => level !== "some college" || !pattern.test("associate"),
);

const UNFINISHED =
  /\b(?:dropped out|drop ?out|did not (?:finish|complete|graduate)|not (?:finished|completed)|incomplete|unfinished|withdr[ae]wn?|left early|no degree|some)\b/;

/** Courses without a degree. */
const COURSE =
  /\b(?:(?<!leaving )certificat(?:e|ion|es)|certified|bootcamp|nano ?degree|online course|workshop|exchange|study abroad|semester abroad|erasmus|summer school)\b/;

/** What somebody has who began a school of that level, and left. */
const LEFT: Readonly<Record<Education, Education>> = {
  "any graduate": "college",
  college: "some college",
  "some college": "some college",
  "high school": "less than high school",
  "less than high school": "less than high school",
};

/**
 * The education level that the words of a degree or school stand for: doctors and masters are "any
 * graduate", bachelors "college", associates and those who left college "some college", GED, Abitur
 * and A-levels "high school".
 *
 * @param text Degree, or degree and school: `"BSc (Hons), Physics"`.
 * @returns Undefined where the words do not say, as for certificates and courses.
 */
export function educationOfDegree(text: string): Education | undefined {
  return levelIn(text, DEGREES);
}

/**
 * The level that a degree, a subject and a school stand for: the first of them that says. Of a
 * school's name alone, a university is "some college", for nothing tells of a degree.
 */
export function educationOfSchooling(
  degree: string,
  { area = "", school = "" }: { readonly area?: string; readonly school?: string },
): Education | undefined {
  if (degree !== "" && COURSE.test(plainOf(degree))) return undefined;
  return educationOfDegree(degree) ?? educationOfDegree(area) ?? levelIn(school, SCHOOLS);
}

function levelIn(text: string, kinds: typeof DEGREES): Education | undefined {
  const plain = plainOf(text);
  if (/\bsome high school\b|\bhigh school drop ?out\b/.test(plain)) return "less than high school";
  const level = kinds.find(([, pattern]) => pattern.test(plain))?.[0];
  if (level === undefined || COURSE.test(plain)) return undefined;
  return UNFINISHED.test(plain) ? LEFT[level] : level;
}

/** Lower case, without accents; "Ph.D." as "phd". */
function plainOf(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}|['’]/gu, "")
    .toLowerCase()
    .replaceAll(/(?<=\b\p{L})\.(?=\p{L})|(?<=\p{L})\.(?=\s|$|,)/gu, "")
    .replaceAll(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

/** All alternatives as whole words. A space in front of a question mark is one that may be missing. */
function words(alternatives: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{N}])(?:${alternatives})(?![\\p{L}\\p{N}])`, "u");
}
