/** A paragraph with its first words, which say what it is about. */
export interface Fact {
  readonly head: string;
  readonly text: string;
}

/** What a model of careers knows, and what it does not. */
export const LIMITS: readonly Fact[] = [
  {
    head: "It continues a pattern.",
    text:
      "A probability says what people whose resume reads like this one did in the next year, " +
      "as far as the model has learned it. It is not advice, and not a forecast of one person: " +
      "what is unlikely happens to many people every year.",
  },
  {
    head: "It knows some Americans.",
    text:
      "Models made with tenure learn from people who answered surveys in the United States, " +
      "such as the National Longitudinal Surveys of Youth: some cohorts, some decades, one " +
      "country. Elsewhere and later, careers go other ways. Somebody else's model may know less: " +
      "what it was trained on decides.",
  },
  {
    head: "It sees occupations of 1990.",
    text:
      "There are 335 of them, after a census classification of 1990. Newer work hides in old " +
      "titles, a data scientist among statisticians or programmers. One occupation is told for " +
      "each year; employers, pay, hours and places are not.",
  },
  {
    head: "It repeats what was unfair.",
    text:
      "Gender and ethnicity are part of the resume because they were part of people's chances. " +
      "The model reproduces that labor market, its discrimination included. Changing one of these " +
      "words shows what the model has picked up, not what would have happened to a person.",
  },
  {
    head: "It is as good as its evaluation.",
    text:
      "Percentages are calibrated only as far as somebody tested them on other people of the " +
      "same survey. On a career unlike those, or with education and years that rarely occur " +
      "together, they are guesses with decimals.",
  },
  {
    head: "It must not judge people.",
    text:
      "Not to hire, promote, insure, lend, or sort anybody. It was made to study how careers go, " +
      "and to let you look at your own.",
  },
  {
    head: "Somebody lived this.",
    text:
      "The people of those surveys gave their working lives to research, under a promise that " +
      "nobody tries to find out who they are. Please keep it.",
  },
];

/** What is kept where, and how to check that nothing leaves. */
export const PRIVACY: readonly Fact[] = [
  {
    head: "A career stays in this tab.",
    text:
      "It is kept in memory and gone when the page is loaded again, unless you tick “Keep in this " +
      "tab”: then the browser holds it until the tab is closed. The page stores itself, models, and " +
      "which model to begin with, in this browser's storage for this site. The Model section " +
      "deletes models; the browser's settings delete everything.",
  },
  {
    head: "Nothing is sent.",
    text:
      "Once the page is loaded, it asks its own site for parts of itself, when they are first " +
      "used, and for this site's model if you want that. Nothing you enter is in any request. " +
      "There are no cookies, no counters, and no third parties.",
  },
  {
    head: "Check it.",
    text:
      "Open the developer tools (F12), choose Network, and use the page: you see files come, and " +
      "nothing go. Once it works without a network, switch the network off before you enter " +
      "anything. The page also binds itself: its Content-Security-Policy, among the headers of " +
      "the first request there, lets it connect to this site alone, and run no script but its own.",
  },
];
