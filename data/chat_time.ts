const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/**
 * Local time by a format of `strftime()`, in English: `%Y %y %m %d %B %b %A %a %H %I %M %S %p %j`.
 * Other directives stay as they are.
 */
export function formatTime(time: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const [year, month, day] = [time.getFullYear(), time.getMonth(), time.getDate()];
  const values: Record<string, string> = {
    Y: String(year),
    y: two(year % 100),
    m: two(month + 1),
    d: two(day),
    B: MONTHS[month]!,
    b: MONTHS[month]!.slice(0, 3),
    A: DAYS[time.getDay()]!,
    a: DAYS[time.getDay()]!.slice(0, 3),
    H: two(time.getHours()),
    I: two(time.getHours() % 12 || 12),
    M: two(time.getMinutes()),
    S: two(time.getSeconds()),
    p: time.getHours() < 12 ? "AM" : "PM",
    j: String(dayOfYear(year, month, day)).padStart(3, "0"),
    "%": "%",
  };
  return format.replaceAll(/%([YymdBbAaHIMSpj%])/g, (_, letter: string) => values[letter]!);
}

function dayOfYear(year: number, month: number, day: number): number {
  return (Date.UTC(year, month, day) - Date.UTC(year, 0, 1)) / 86_400_000 + 1;
}
