/** What people shorten, spell otherwise, or the table of titles writes together, as it is indexed. */
const SPELLINGS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    mgr: "manager",
    mngr: "manager",
    mgmt: "management",
    asst: "assistant",
    assoc: "associate",
    eng: "engineer",
    engr: "engineer",
    dev: "developer",
    tech: "technician",
    techs: "technician",
    rep: "representative",
    reps: "representative",
    dir: "director",
    exec: "executive",
    supv: "supervisor",
    superv: "supervisor",
    acct: "account",
    svc: "service",
    svcs: "service",
    serv: "service",
    ops: "operations",
    op: "operator",
    mktg: "marketing",
    advert: "advertising",
    dept: "department",
    mfg: "manufacturing",
    univ: "university",
    prof: "professor",
    sw: "software",
    biz: "business",
    intl: "international",
    hosp: "hospital",
    elem: "elementary",
    maint: "maintenance",
    mech: "mechanical",
    elec: "electrical",
    sched: "scheduling",
    prod: "production",
    prog: "program",
    insur: "insurance",
    hr: "human resources",
    vp: "vice president",
    avp: "vice president",
    svp: "vice president",
    evp: "vice president",
    qa: "quality assurance",
    qc: "quality control",
    gm: "general manager",
    er: "emergency room",
    md: "medical doctor",
    mfa: "",
    phd: "phd",
    writersandauthors: "writers authors",
    libraryassistants: "library assistants",
    childcareworkers: "childcare workers",
    surveryors: "surveyors",
    equipement: "equipment",
    applicance: "appliance",
    machne: "machine",
    carpeters: "carpenters",
    miscellanious: "miscellaneous",
    furnance: "furnace",
    labour: "labor",
    labourer: "laborer",
    programme: "program",
    centre: "center",
    theatre: "theater",
    counsellor: "counselor",
    jeweller: "jeweler",
    tyre: "tire",
    behaviour: "behavior",
    colourist: "colorist",
    paediatric: "pediatric",
    paediatrician: "pediatrician",
    anaesthetist: "anesthetist",
    gynaecologist: "gynecologist",
    orthopaedic: "orthopedic",
    archeologist: "archaeologist",
    instalation: "installation",
    women: "woman",
    men: "man",
    wives: "wife",
    people: "people",
    children: "child",
  }),
);

/** Words without meaning for a job. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    "and or of the a an in at for to with on by from as into n e c nec etc misc miscellaneous other related " +
    "occupation occ occs occupations job jobs position role i my s incl including ms mr mrs"
  ).split(" "),
);

/** Words that tell how a job is done more than which: rank, hours, contract; and how much they count. */
const FAINT_WORDS: ReadonlyMap<string, number> = new Map([
  ...(
    "senior sr junior jr lead leading ii iii iv v vi 1 2 3 4 5 level entry interim acting temporary temp " +
    "part full time freelance freelancer self employed contract remote hybrid seasonal volunteer experienced certified " +
    "licensed global international regional national local group former ex founding summer night day shift " +
    "weekend evening onsite intern internship trainee apprentice graduate pt ft co current casual " +
    "advanced specialist2 onsite unit area zone team"
  )
    .split(" ")
    .map((word) => [word, 0.08] as const),
  ..."principal staff head chief associate registered general professional independent deputy"
    .split(" ")
    .map((word) => [word, 0.3] as const),
]);

/** Endings that make one job of two words. */
const PERSON = /(?<=.{3})(?:wom[ae]n|m[ae]n|persons?|people|lady|girl)$/;
const NO_PERSON = new Set([
  "human",
  "german",
  "woman",
  "ottoman",
  "german",
  "roman",
  "salespeople",
]);

/** How much a word counts beside others, whatever its frequency: 1, or less for rank and hours. */
export function weightOfWord(word: string): number {
  return FAINT_WORDS.get(word) ?? 1;
}

/**
 * The words of a job title as they are compared: lower case, without accents, in the singular,
 * abbreviations written out, salesmen and saleswomen both persons, stop words gone.
 */
export function titleWords(text: string): string[] {
  return plainWords(text).flatMap((word) =>
    (SPELLINGS.get(word) ?? word)
      .split(" ")
      .filter((part) => part !== "" && !STOP_WORDS.has(part))
      .map(base),
  );
}

/** Words of a text in lower case, without accents and punctuation. */
export function plainWords(text: string): string[] {
  // Nearly all synonyms are plain already, and there are thousands of them.
  if (/^[a-z]+(?: [a-z]+)*$/.test(text)) return text.split(" ");
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/\p{M}|['’.](?=\p{L})/gu, "")
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

function base(word: string): string {
  const one = singular(word);
  const spelled =
    SPELLINGS.get(one) ?? one.replace(/isation/, "ization").replace(/aviour/, "avior");
  return NO_PERSON.has(spelled) || spelled.includes(" ")
    ? spelled
    : spelled.replace(PERSON, "person");
}

function singular(word: string): string {
  if (word.length < 4 || /(?:ss|us|is|ics|sis)$/.test(word)) return word;
  if (word.endsWith("ies")) return word.length > 4 ? `${word.slice(0, -3)}y` : word;
  if (/(?:s|x|z|ch|sh)es$/.test(word)) return word.slice(0, -2);
  return word.endsWith("s") ? word.slice(0, -1) : word;
}

/** What related words have in common: design, designer, designing. */
export function rootOfWord(word: string): string {
  const stem = word.replace(/(?:ings?|ment|ant|ancy|ist|ion|ian)$/, "");
  const root = (stem.length >= 4 ? stem : word).replace(/(?:er|or|e|y)$/, "");
  return root.length >= 4 ? root : word;
}

/** Words for people that employers use for one another, and how well they do. */
const KIN: readonly (readonly [fit: number, words: string])[] = [
  [0.75, "engineer developer programmer architect"],
  [0.8, "technician technologist"],
  [0.75, "aide assistant attendant helper aid"],
  [0.75, "worker laborer operative hand labor staff crew associate member"],
  [0.7, "representative agent associate specialist coordinator officer administrator executive"],
  [0.6, "manager coordinator director head leader"],
  [0.6, "manager specialist"],
  [0.75, "supervisor foreperson leader superintendent manager"],
  [0.7, "teacher instructor educator lecturer professor coach trainer tutor"],
  [0.7, "clerk specialist assistant coordinator associate processor administrator"],
  [0.75, "installer technician mechanic repairer"],
  [0.75, "operator tender setter"],
  [0.75, "scientist researcher"],
];

const KIN_OF: ReadonlyMap<string, ReadonlyMap<string, number>> = kinOf();

/** Other words for the same kind of person, with how well they fit. */
export function kinOfWord(word: string): ReadonlyMap<string, number> {
  return KIN_OF.get(word) ?? new Map();
}

function kinOf(): Map<string, Map<string, number>> {
  const kin = new Map<string, Map<string, number>>();
  for (const [fit, text] of KIN) {
    const words = text.split(" ");
    for (const word of words) {
      const known = kin.get(word) ?? new Map<string, number>();
      for (const other of words) {
        if (other !== word) known.set(other, Math.max(fit, known.get(other) ?? 0));
      }
      kin.set(word, known);
    }
  }
  return kin;
}

/**
 * Whether two words are the same but for a slip: a letter more, fewer, other, or two swapped; two
 * slips in words of eight letters and more. The first letter has to be right.
 */
export function isSlip(a: string, b: string): boolean {
  const allowed = a.length >= 8 ? 2 : a.length >= 4 ? 1 : 0;
  if (allowed === 0 || a[0] !== b[0] || Math.abs(a.length - b.length) > allowed) return false;
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      next.push(cost);
    }
    if (Math.min(...next) > allowed) return false;
    [before, row] = [row, next];
  }
  return row[b.length]! <= allowed;
}
