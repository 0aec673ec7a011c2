/** One measurement of this program and of its comparison, in seconds. */
export interface Comparison {
  readonly what: string;
  readonly beside: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** How many times as long ours may take. */
  readonly wanted?: number;
}

/** What `count` gateways took, in seconds. */
export interface Growth {
  readonly count: number;
  readonly first: number;
  readonly unchanged: number;
  readonly destroy: number;
}

/** How many SSH logins a run made. */
export interface Logins {
  readonly what: string;
  readonly made: number;
  /** How many it may make. */
  readonly wanted?: number;
}

/** The middle one of some numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const [low = NaN, high = NaN] =
    sorted.length % 2 === 1 ? [sorted[middle], sorted[middle]] : sorted.slice(middle - 1);
  return (low + high) / 2;
}

export function ratio({ ours, theirs }: Pick<Comparison, "ours" | "theirs">): number {
  return median(ours) / median(theirs);
}

/** Returns comparisons in Markdown: medians and their ratio, which depends less on the machine than seconds. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  return [
    "| measured | ours | beside it | ratio | wanted |",
    "|---|---|---|---|---|",
    ...comparisons.map((each) => {
      const wanted = each.wanted === undefined ? "" : `≤ ${each.wanted.toString()}`;
      return `| ${each.what} | ${seconds(median(each.ours))} | ${seconds(median(each.theirs))} (${each.beside}) | ${ratio(each).toFixed(2)} | ${wanted} |`;
    }),
  ].join("\n");
}

export function growthTable(growth: readonly Growth[]): string {
  return [
    "| gateways | first `up` | unchanged `up --refresh` | `destroy` |",
    "|---|---|---|---|",
    ...growth.map(
      ({ count, first, unchanged, destroy }) =>
        `| ${count.toString()} | ${seconds(first)} | ${seconds(unchanged)} | ${seconds(destroy)} |`,
    ),
  ].join("\n");
}

export function loginsTable(logins: readonly Logins[]): string {
  return [
    "| run | SSH logins | wanted |",
    "|---|---|---|",
    ...logins.map(
      ({ what, made, wanted }) =>
        `| ${what} | ${made.toString()} | ${wanted === undefined ? "" : `≤ ${wanted.toString()}`} |`,
    ),
  ].join("\n");
}

/** What is beyond what is wanted, in words. */
export function misses(comparisons: readonly Comparison[], logins: readonly Logins[]): string[] {
  return [
    ...comparisons.flatMap((each) =>
      ratio(each) > (each.wanted ?? Infinity)
        ? [`${each.what}: ratio ${ratio(each).toFixed(2)}, wanted ${String(each.wanted)} at most`]
        : [],
    ),
    ...logins.flatMap(({ what, made, wanted = Infinity }) =>
      made > wanted
        ? [`${what}: ${made.toString()} SSH logins, wanted ${wanted.toString()} at most`]
        : [],
    ),
  ];
}

/** A text with each of these tables in the place of the one that has the same head. */
export function withTables(text: string, tables: readonly string[]): string {
  return tables.reduce((result, table) => {
    const [head = ""] = table.split("\n");
    const start = result.indexOf(`${head}\n`);
    if (start < 0) {
      throw new Error(`there is no table with the head ${head}`);
    }
    const rest = result.slice(start).replace(/^(\|.*\n)+/, () => `${table}\n`);
    return result.slice(0, start) + rest;
  }, text);
}

function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} s`;
}
